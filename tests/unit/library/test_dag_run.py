"""Runs of DAGs, as far as they can be judged without Airflow."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.airflow_inside import dag_run
from ansible.module_utils.airflow_inside.dag_run import dag_problem, news, tail

from library.airflow_dag_run import fate

GOOD = {"is_active": True, "is_paused": False, "has_import_errors": False}
MODELS = {
    "MAIN_DAG": GOOD,
    "PAUSED": {**GOOD, "is_paused": True},
    "GONE": {**GOOD, "is_active": False},
    "BROKEN": {**GOOD, "has_import_errors": True},
}


@pytest.mark.parametrize(
    ("dag", "force", "words"),
    [
        pytest.param("MAIN_DAG", False, "", id="fine"),
        pytest.param("MAIN_DAGS", False, "does not exist, did you mean MAIN_DAG?", id="misspelt"),
        pytest.param("other", True, "does not exist; see airflow dags list", id="unknown, though forced"),
        pytest.param("PAUSED", False, "is paused", id="paused"),
        pytest.param("PAUSED", True, "", id="paused and forced"),
        pytest.param("GONE", True, "no longer in the dags folder", id="gone, though forced"),
        pytest.param("BROKEN", False, "import errors", id="broken"),
        pytest.param("BROKEN", True, "", id="broken and forced"),
    ],
)
def test_a_dag_is_judged(dag: str, force: bool, words: str) -> None:
    problem = dag_problem(dag, MODELS, force)
    assert words in problem
    assert bool(words) == bool(problem)


def instance(task: str, state: str, index: int = -1, host: str = "") -> dict[str, object]:
    return {"task": task, "index": index, "state": state, "host": host}


def test_only_news_are_told() -> None:
    seen = {"a": "running", "b": "queued", "c[1]": "running"}
    now = [
        instance("a", "running", host="dn01p"),
        instance("b", "running", host="dn02p"),
        instance("c", "failed", 1, "dn01p"),
        instance("d", "queued"),
        instance("e", "upstream_failed"),
    ]
    assert news(seen, now) == ["b: running on dn02p", "c[1]: failed", "e: upstream_failed"]


LOG = """\
one

[2026] {x.py:1} INFO - ::endgroup::
Traceback (most recent call last):
  File "/usr/hmg/airflow/venv/lib/python3.11/site-packages/airflow/models/taskinstance.py", line 776, in run
    result = call()
             ^^^^^^
  File "/usr/hmg/airflow/dags/PROC/PKG/PR.py", line 3, in load
    raise ValueError("no file")
ValueError: no file
last
"""


def test_the_tail_of_a_log_is_what_tells_something() -> None:
    assert tail(LOG, 5) == [
        "Traceback (most recent call last):",
        '  File "/usr/hmg/airflow/dags/PROC/PKG/PR.py", line 3, in load',
        '    raise ValueError("no file")',
        "ValueError: no file",
        "last",
    ]
    assert tail(LOG)[0] == "one"


def test_an_error_after_the_run_was_made_still_names_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> dict[str, Any]:
        raise OSError("mysql://airflow:s3cret@mn01p")

    errors = ModuleType("sqlalchemy.exc")
    errors.DBAPIError = ValueError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sqlalchemy", ModuleType("sqlalchemy"))
    monkeypatch.setitem(sys.modules, "sqlalchemy.exc", errors)
    monkeypatch.setattr(dag_run, "_find", lambda *_: (GOOD, ""))
    monkeypatch.setattr(dag_run, "_trigger", lambda *_: ("manual__1", ""))
    monkeypatch.setattr(dag_run, "_follow", broken)
    request = {"dag_id": "MAIN_DAG", "conf": {}, "force": False, "check": False, "left": 10}
    assert dag_run.main(request) == {"run_id": "manual__1", "lost": "It cannot be followed (OSError)."}


@pytest.mark.parametrize(
    ("run_id", "known", "words"),
    [
        pytest.param(None, True, "No run was made.", id="refused"),
        pytest.param(None, False, "whether a run was made", id="crashed while it was made"),
        pytest.param("manual__1", True, "Run manual__1 goes on.", id="followed"),
        pytest.param("manual__1", False, "Run manual__1 goes on.", id="crashed while it was followed"),
    ],
)
def test_no_run_was_made_is_only_said_when_it_is_known(run_id: str | None, known: bool, words: str) -> None:
    assert words in fate("MAIN_DAG", run_id, known)
