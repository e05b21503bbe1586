"""The commands of role airflow for tasks with run_as_user, as far as they need no second account."""

from __future__ import annotations

import configparser
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILES = Path(__file__).parents[2] / "roles/airflow/files"


def load(name: str) -> ModuleType:
    """Import one of the role's files."""
    spec = importlib.util.spec_from_file_location(name, FILES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run_as = load("run_as")
run_as_airflow = load("run_as_airflow")


def test_the_configuration_in_memory_reads_back_as_it_was() -> None:
    settings = {
        "database": {"sql_alchemy_conn": "mysql+mysqldb://a:p%%40s%%25@mn01p/airflow?charset=utf8mb4"},
        "logging": {"Log_Format": "[%%(asctime)s] %%(message)s", "empty": "", "two": "a\nb"},
    }
    path = run_as_airflow.memory_file(settings)
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path)
    assert {name: dict(parser[name]) for name in parser.sections()} == settings
    assert Path(path).is_file(), "Airflow asks whether the file exists"


def test_the_configuration_in_memory_is_not_inherited() -> None:
    path = run_as_airflow.memory_file({"core": {"fernet_key": "secret"}})
    done = subprocess.run([sys.executable, "-c", f"open({path!r})"], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/tmp/tmpabcd_12",
        "/tmp/tmpabcd_1234",
        "/tmp/tmpABCD_123",
        "/tmp/tmpabcd/123",
        "/tmp/tmpabcd_123\n",
    ],
)
def test_only_names_of_airflows_temporary_files_are_opened(path: str) -> None:
    with pytest.raises(run_as.Refused, match="not a temporary file"):
        run_as.open_temporary(path)


def test_a_file_with_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    with (tmp_path / "a").open() as stream, pytest.raises(run_as.Refused, match="one name"):
        run_as.plain_owner(stream.fileno())


def test_root_is_never_one_of_the_accounts(tmp_path: Path) -> None:
    (tmp_path / "accounts").write_text("root\ngames\n")
    assert 0 not in run_as.accounts(tmp_path / "accounts")
    assert len(run_as.accounts(tmp_path / "accounts")) == 1


def test_the_owner_of_a_process_that_is_gone_is_nobody() -> None:
    assert run_as.process_owner(os.getpid()) == os.getuid()
    assert run_as.process_owner(2**22 + 1) is None
