"""The bridge into the Python of Airflow, tried with an ordinary Python."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.airflow_python import InsideError, NotInstalledError, read_environment, run_inside


def program(folder: Path, body: str) -> ModuleType:
    path = folder / "program.py"
    path.write_text(f"def main(request):\n    {body}\n", encoding="utf-8")
    module = ModuleType("program")
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    return module


def run(folder: Path, body: str, *, python: str = sys.executable, user: str = "", **request: Any) -> Any:
    environment = folder / "airflow.env"
    environment.write_text(f'AIRFLOW_HOME={folder}\nWORD="a b"\n', encoding="utf-8")
    params = {"python": python, "user": user or getpass.getuser(), "environment_file": str(environment)}
    return run_inside(params, program(folder, body), request, AIRFLOW_CONFIG="/dev/null")


def test_answer_comes_back_from_noise(tmp_path: Path) -> None:
    body = "import os; print('noise'); os.system('echo noise'); return [request['text'], os.environ['WORD']]"
    assert run(tmp_path, body, text="한글") == ["한글", "a b"]


def test_request_is_not_in_the_process_list(tmp_path: Path) -> None:
    body = "return {'line': open('/proc/self/cmdline').read(), 'environment': open('/proc/self/environ').read()}"
    assert "SECRET" not in str(run(tmp_path, body, password="SECRET"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("raise ValueError('SECRET')", "failed with ValueError.", id="message may hold a secret"),
        pytest.param("import nothing_here", "No module named 'nothing_here'.", id="message that helps"),
        pytest.param("return {'error': 'The database is down.'}", "The database is down.", id="answered error"),
        pytest.param("raise SystemExit(3)", "failed with no message.", id="silent end"),
    ],
)
def test_failure_is_one_sentence_without_secrets(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(InsideError) as raised:
        run(tmp_path, body)
    assert str(raised.value).endswith(message)
    assert "SECRET" not in str(raised.value)


def test_host_without_the_account(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match=r"The account nobody_here does not exist on this host\."):
        run(tmp_path, "return {}", user="nobody_here")


def test_host_without_the_python(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match=r"/nonexistent/python does not exist on this host\."):
        run(tmp_path, "return {}", python="/nonexistent/python")


def test_host_without_configuration_gets_no_second_installation(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(f"AIRFLOW_HOME={tmp_path}\n", encoding="utf-8")
    params = {"python": sys.executable, "user": getpass.getuser(), "environment_file": str(tmp_path / "env")}
    with pytest.raises(NotInstalledError, match=r"airflow\.cfg does not exist on this host\."):
        run_inside(params, program(tmp_path, "return {}"), {})


def test_environment_file(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# comment = 1\n\nA=1\nB = 'two words'\nC=x=y\nnonsense\n", encoding="utf-8")
    assert read_environment(path) == {"A": "1", "B": "two words", "C": "x=y"}
    assert read_environment(tmp_path / "none") == {}
