"""The old alias and script are found, disabled with a backup, and compared with the inventory."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("old_commands", ROOT / "library/dag_release_old_commands.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


old = load()
WORKERS = {"dn01p", "dn02p", "dn03p"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alias ss='scp_dag.sh'\nexport A=1\n", ["alias ss='scp_dag.sh'"]),
        ("  alias ss=~/bin/scp_dag.sh\n", ["alias ss=~/bin/scp_dag.sh"]),
        ("# alias ss=x\nalias sss=x\nalias l=ls\n", []),
    ],
)
def test_aliases(text: str, found: list[str]) -> None:
    assert old.aliases(text) == found
    assert old.aliases(old.disabled(text)) == []
    assert old.disabled(text).replace(old.MARK, "") == text


@pytest.mark.parametrize(
    ("script", "nodes"),
    [
        pytest.param("for n in dn01p dn02p dn03p; do scp $1 $n:; done", WORKERS, id="list"),
        pytest.param(
            "scp $1 airflow@dn01p:/x\nscp $1 airflow@dn04p:/x\n# dn02p is down", {"dn01p", "dn04p"}, id="lines"
        ),
        pytest.param("for n in dn{01..03}p; do scp $1 $n:; done", WORKERS, id="braces"),
        pytest.param("for n in dn0{1..3}p; do scp $1 $n:; done", WORKERS, id="braces behind a digit"),
        pytest.param("echo xdn01p dn01px", set(), id="parts of words"),
    ],
)
def test_nodes_of_the_script(script: str, nodes: set[str]) -> None:
    assert old.nodes_in(script, WORKERS) == nodes


def test_difference() -> None:
    (unknown,) = old.difference(set(), WORKERS)
    assert "cannot be read" in unknown
    assert old.difference(WORKERS, WORKERS) == []
    more, less = old.difference({"dn01p", "dn02p", "dn04p"}, WORKERS)
    assert "copies to dn04p" in more
    assert "does not copy to dn03p" in less


@pytest.mark.parametrize("check", [True, False])
def test_they_are_disabled_with_a_backup(tmp_path: Path, check: bool) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/scp_dag.sh").write_text("scp")
    (tmp_path / "bin/scp_dag.sh").chmod(0o755)
    (tmp_path / ".bashrc").write_text("alias ss=x\n")
    assert len(old.take_out(tmp_path, check)) == 2
    assert (tmp_path / ".bashrc.before-airflow-ops").exists() is not check
    assert (tmp_path / "bin/scp_dag.sh.disabled").exists() is not check
    assert len(old.take_out(tmp_path, check)) == (2 if check else 0)
