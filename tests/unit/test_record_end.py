"""What the units write down about an end that nobody ordered."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from types import ModuleType

import pytest
from airflow_watchdog import ends

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    """Import the program of the role."""
    spec = importlib.util.spec_from_file_location("record_end", ROOT / "roles/airflow_services/files/record_end.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


record_end = load()
LAST = "sqlalchemy.exc.OperationalError: (MySQLdb.OperationalError) (2013, 'Lost connection')"
TWO = f"""\
[2026-03-14] {{scheduler_job_runner.py:863}} ERROR - Exception when executing
Traceback (most recent call last):
  File "engine.py", line 1, in execute
    cursor.execute(statement)
MySQLdb.OperationalError: (2013, 'Lost connection')

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "job.py", line 2, in run
{LAST}
[SQL: SELECT 1]
[2026-03-14] INFO - Exited execute loop
"""


@pytest.mark.parametrize(
    ("log", "error"),
    [
        pytest.param(TWO, LAST, id="two"),
        pytest.param("a\nx ERROR - no exception\nb\n", "x ERROR - no exception", id="no traceback"),
        pytest.param("[INFO] all is well\n", "", id="no error"),
        pytest.param("Traceback (most recent call last):\n  File", "", id="a log that ends within"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_last_error(log: str, error: str) -> None:
    assert record_end.last_error(log) == error


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("exit-code", "exited", "1"), "exit code 1"),
        (("signal", "killed", "KILL"), "signal KILL"),
        (("oom-kill", "killed", "KILL"), "signal KILL (oom-kill)"),
        (("core-dump", "dumped", "SEGV"), "signal SEGV, with a core"),
        (("success", "exited", "0"), "exit code 0"),
        (("start-limit-hit", "", ""), "start-limit-hit (start-limit-hit)"),
    ],
)
def test_why(given: tuple[str, str, str], said: str) -> None:
    assert record_end.why(*given) == said


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the program write below a folder of this test, and say what systemd and the journal would."""
    (tmp_path / "airflow.cfg").write_text("[database]\nsql_alchemy_conn = mysql://airflow:db-marker@mn01p/airflow\n")
    monkeypatch.setattr(record_end, "FOLDER", str(tmp_path))
    monkeypatch.setattr(record_end, "is_told", lambda _unit: False)
    monkeypatch.setattr(record_end, "last_day", lambda service: ends.last_day(service, str(tmp_path)))
    monkeypatch.setattr(record_end, "journal", lambda _invocation: f"{TWO}ValueError: db-marker and token=abc\n")
    for name, value in (("SERVICE_RESULT", "exit-code"), ("EXIT_CODE", "exited"), ("EXIT_STATUS", "1")):
        monkeypatch.setenv(name, value)
    return tmp_path


def end(folder: Path) -> None:
    record_end.main("scheduler", "root", str(folder / "airflow.cfg"))


def test_an_end_is_kept_for_a_day_without_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_end, "last_error", lambda _log: "ValueError: db-marker and token=abc\x1b[0m")
    old = {"at": "2026-03-14T09:26:53Z", "why": "signal KILL", "error": ""}
    (folder / "scheduler.jsonl").write_text(json.dumps(old) + "\n")
    end(folder)
    end(folder)
    entries = ends.last_day("scheduler", str(folder))
    assert [(each["why"], each["error"]) for each in entries] == [
        ("exit code 1", "ValueError: ******** and token=********")
    ] * 2
    assert "2026-03-14" not in (folder / "scheduler.jsonl").read_text()
    assert ends.lines(str(folder)) == [
        f"The scheduler of this host died 2 times in the last 24 hours, the last time at {entries[-1]['at']} "
        "by exit code 1: ValueError: ******** and token=********"
    ]


def test_an_end_that_somebody_ordered_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_end, "is_told", lambda _unit: True)
    end(folder)
    assert list(folder.glob("*.jsonl")) == []


def test_one_that_dies_every_few_seconds_fills_no_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"at": now, "why": "signal KILL", "error": ""}) + "\n"
    (folder / "scheduler.jsonl").write_text(line * record_end.KEPT)
    end(folder)
    assert len(ends.last_day("scheduler", str(folder))) == record_end.KEPT


@pytest.mark.parametrize("content", ["", "half", '{"at": "2026'], ids=["empty", "no JSON", "half a line"])
def test_a_broken_record_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "worker.jsonl").write_text(content)
    assert (ends.last_day("worker", str(tmp_path)), ends.lines(str(tmp_path))) == ([], [])


def test_a_host_where_nothing_died_has_nothing_to_say(tmp_path: Path) -> None:
    assert (ends.lines(str(tmp_path / "nothing")), ends.summary([])) == ([], "")
    once = [{"at": "noon", "why": "signal KILL", "error": ""}]
    assert ends.summary(once) == (
        "died once in the last 24 hours, the last time at noon by signal KILL, without an error in its last minute"
    )
