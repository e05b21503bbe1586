"""What the values of one command become together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_ops.cli.session import chosen
from airflow_ops.cli.together import clear, components, deploy, sync_meta
from airflow_ops.cli.verbs import BY_NAME


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tree = tmp_path / "work/dags"
    (tree / "PROC_X").mkdir(parents=True)
    (tree / "PROC_X/a.py").write_text("")
    monkeypatch.setenv("DAG_SOURCE", str(tree))
    monkeypatch.delenv("AIRFLOW_DAGS_FOLDER", raising=False)
    monkeypatch.delenv("PWD", raising=False)
    return tree


@pytest.mark.parametrize(
    ("here", "typed"),
    [("dags/PROC_X", "a.py"), ("dags", "PROC_X/a.py"), ("", "dags/PROC_X/a.py"), ("..", "work/dags/PROC_X/a.py")],
)
def test_a_file_is_found_wherever_the_command_is_typed(
    tree: Path, monkeypatch: pytest.MonkeyPatch, here: str, typed: str
) -> None:
    monkeypatch.chdir(tree.parent / here)
    assert deploy({"dag_release_files": [typed]}) == {
        "dag_release_source": str(tree),
        "dag_release_files": ["PROC_X/a.py"],
    }


def test_names_may_be_relative_to_a_source_that_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    values = {"dag_release_files": ["PROC_X/a.py"], "dag_release_source": str(tree)}
    assert deploy(values)["dag_release_files"] == ["PROC_X/a.py"]


def test_a_file_that_goes_need_not_be_there(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert deploy({"dag_release_files": ["gone.py"], "remove": True}) == {
        "dag_release_source": str(tree),
        "dag_release_remove": ["gone.py"],
    }


@pytest.mark.parametrize(
    ("values", "variables"),
    [
        ({"airflow_services_names": ["worker"]}, {"airflow_services_names": ["worker"]}),
        ({"airflow_services_names": ["all"]}, {}),
        ({"airflow_services_names": ["worker", "all"], "x": 1}, {"x": 1}),
    ],
)
def test_all_components_are_the_inventorys_business(values: dict[str, Any], variables: dict[str, Any]) -> None:
    assert components(values) == variables


def test_what_is_good_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sync_meta({}) == {}
    for values in ({"clear_tasks_run_id": "r"}, {"clear_tasks_start": "2026-03-14"}):
        assert clear(values) == values
    assert deploy({"dag_release_version": "v1"}) == {"dag_release_version": "v1"}


def test_options_that_were_not_typed_set_nothing() -> None:
    given: dict[str, Any] = {option.variable: None for option in BY_NAME["trigger"].options}
    typed: dict[str, Any] = {**given, "trigger_dag_id": "A", "trigger_dag_wait": True, "trigger_dag_conf": {}}
    assert chosen(BY_NAME["trigger"], typed) == {
        "trigger_dag_id": "A",
        "trigger_dag_wait": True,
        "trigger_dag_conf": {},
    }
    flags: dict[str, Any] = {option.variable: () if option.many else None for option in BY_NAME["deploy"].options}
    assert chosen(BY_NAME["deploy"], {**flags, "dag_release_parse": True}) == {"dag_release_parse": False}
