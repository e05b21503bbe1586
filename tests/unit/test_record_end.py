"""What the units write down about an end that nobody ordered."""

from __future__ import annotations

import importlib.util
import io
import json
import time
from configparser import ConfigParser, InterpolationError
from pathlib import Path
from types import ModuleType

import pytest
from airflow_watchdog import airflow_cfg, ends

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


def shown(result: str, code: str = "0", status: str = "0", **more: str) -> dict[str, str]:
    """Return what systemd shows of a unit that has ended."""
    known = {"SubState": "stop-post", "Job": "0", "InvocationID": "0123456789abcdef"}
    return {**known, "Result": result, "ExecMainCode": code, "ExecMainStatus": status, **more}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("exit-code", "1", "1"), "exit code 1"),
        (("signal", "2", "9"), "signal KILL"),
        (("signal", "2", "63"), "signal 63"),
        (("oom-kill", "2", "9"), "signal KILL (oom-kill)"),
        (("core-dump", "3", "11"), "signal SEGV, with a core"),
        (("success", "1", "0"), "exit code 0"),
        (("resources", "0", "0"), "resources (resources)"),
    ],
)
def test_why(given: tuple[str, str, str], said: str) -> None:
    assert record_end.why(shown(*given)) == said


@pytest.mark.parametrize(
    ("unit", "surprise"),
    [
        pytest.param(shown("signal", "2", "9"), True, id="it died"),
        pytest.param({**shown("signal"), "Job": "4711"}, False, id="somebody stops it"),
        pytest.param(shown("exec-condition"), False, id="another scheduler kept it from starting"),
        pytest.param(shown("success", SubState="running"), False, id="it runs, and somebody calls"),
        pytest.param({}, False, id="there is no such unit"),
    ],
)
def test_only_an_end_that_nobody_ordered_is_one(unit: dict[str, str], surprise: bool) -> None:
    assert record_end.is_surprise(unit) is surprise


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the program write below a folder of this test, and say what systemd and the journal would."""
    (tmp_path / "airflow.cfg").write_text("[database]\nsql_alchemy_conn = mysql://airflow:db-marker@mn01p/airflow\n")
    monkeypatch.setattr(record_end, "FOLDER", str(tmp_path / "ends"))
    monkeypatch.setattr(record_end, "shown_of", lambda _unit: shown("exit-code", "1", "1"))
    monkeypatch.setattr(record_end, "last_day", lambda service: ends.last_day(service, str(tmp_path / "ends")))
    monkeypatch.setattr(record_end, "journal", lambda *_: "ValueError: db-marker and token=abc\x1b[0m ERROR\n")
    (tmp_path / "ends").mkdir(mode=0o755)
    return tmp_path / "ends"


def end(folder: Path, cfg: str = "airflow.cfg") -> None:
    record_end.record("scheduler", "root", str(folder.parent / cfg))


def test_an_end_is_kept_for_a_day_without_secrets(folder: Path) -> None:
    old = {"at": "2026-03-14T09:26:53Z", "why": "signal KILL", "error": ""}
    (folder / "scheduler.jsonl").write_text(json.dumps(old) + "\n")
    end(folder)
    end(folder)
    entries = ends.last_day("scheduler", str(folder))
    assert [(each["why"], each["error"]) for each in entries] == [
        ("exit code 1", "ValueError: ******** and token=******** ERROR")
    ] * 2
    assert "2026-03-14" not in (folder / "scheduler.jsonl").read_text()
    assert ends.lines(str(folder)) == [
        f"The scheduler of this host died 2 times in the last 24 hours, the last time at {entries[-1]['at']} "
        "by exit code 1: ValueError: ******** and token=******** ERROR"
    ]


def test_an_end_that_somebody_ordered_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_end, "shown_of", lambda _unit: shown("signal", "2", "15", Job="7"))
    end(folder)
    assert list(folder.glob("*.jsonl")) == []


def test_what_the_journal_says_is_for_the_group_alone(folder: Path) -> None:
    end(folder)
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "scheduler.jsonl")] == [0o750, 0o640]


@pytest.mark.parametrize("text", ["", "sql_alchemy_conn = mysql://airflow:db-marker@mn01p/airflow\n", None])
def test_where_the_secrets_are_not_known_the_line_is_withheld(folder: Path, text: str | None) -> None:
    if text is not None:
        (folder.parent / "other.cfg").write_text(text)
    end(folder, "other.cfg")
    (entry,) = ends.last_day("scheduler", str(folder))
    assert entry["error"] == record_end.WITHHELD


PERCENT = "[database]\nsql_alchemy_conn = mysql://airflow:first%%40half%last-marker@mn01p/airflow\n"


def test_the_part_of_a_password_that_an_error_quotes_is_masked() -> None:
    with pytest.raises(ValueError, match="last-marker") as raised:
        interpolated(PERCENT)
    text = f"ValueError: {raised.value}"
    assert "last-marker" not in record_end.error_of(f"{record_end.TRACEBACK}\n{text}\n", airflow_cfg.parsed(PERCENT))


def interpolated(text: str) -> str:
    """Read an option as Airflow does."""
    parser = ConfigParser()
    parser.read_string(text)
    try:
        return parser.get("database", "sql_alchemy_conn")
    except InterpolationError as error:
        raise ValueError(str(error)) from error


@pytest.mark.parametrize(
    ("said", "recorded"), [("scheduler", ["scheduler"]), ("../sshd", []), ("", []), ("x" * 99, [])]
)
def test_a_caller_is_believed_nothing_but_a_name(
    monkeypatch: pytest.MonkeyPatch, said: str, recorded: list[str]
) -> None:
    found: list[str] = []
    monkeypatch.setattr(record_end, "record", lambda service, *_: found.append(service))
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    record_end.answer("airflow", "airflow.cfg")
    assert found == recorded


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
