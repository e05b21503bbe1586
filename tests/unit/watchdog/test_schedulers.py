"""Who is a scheduler, which row it wrote, and what a look makes of processes and rows together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow_watchdog import look, schedulers
from airflow_watchdog.decide import Probe, Suspect
from airflow_watchdog.schedulers import Process, Row, heads, of_another_database, paired, processes, text_of

from tests.unit.watchdog.test_program import config

PYTHON, AIRFLOW = (
    "/usr/hmg/2.2.1.0-552/airflow/venvs/2.11.2-0/bin/python",
    "/usr/hmg/2.2.1.0-552/airflow/venv/bin/airflow",
)
HERE = socket.gethostname()
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param([PYTHON, AIRFLOW, "scheduler"], True, id="as a script starts it"),
        pytest.param([f"{PYTHON} {AIRFLOW} scheduler"], True, id="as setproctitle leaves it"),
        pytest.param(["/opt/other/bin/python3.11", "/opt/other/bin/airflow", "scheduler", "-D"], True, id="daemon"),
        pytest.param(["python3", "-m", "airflow", "scheduler"], True, id="as a module"),
        pytest.param(["python", "-X", "dev", "-m", "pdb", "airflow", "scheduler", "-n1"], True, id="in a debugger"),
        pytest.param(["airflow scheduler"], True, id="by a title"),
        pytest.param(["airflow scheduler -- SchedulerJob"], True, id="by a longer title"),
        pytest.param(["airflow scheduler -- DagFileProcessorManager"], False, id="the child of one"),
        pytest.param(["airflow scheduler - DagFileProcessor /dags/a.py"], False, id="also of a dag-processor"),
        pytest.param(["airflow scheduler2"], False, id="another title"),
        pytest.param([PYTHON, AIRFLOW, "scheduler", "--help"], False, id="help"),
        pytest.param([PYTHON, AIRFLOW, "webserver"], False, id="webserver"),
        pytest.param([PYTHON, AIRFLOW, "jobs", "check", "--job-type", "SchedulerJob"], False, id="jobs check"),
        pytest.param(["sudo", "-u", "airflow", "airflow", "scheduler"], False, id="who starts it"),
        pytest.param(["SCREEN", "-dmS", "x", "airflow", "scheduler"], False, id="where it runs"),
        pytest.param(["grep", "airflow", "scheduler"], False, id="who looks for it"),
        pytest.param(["bash", "-c", "nohup airflow scheduler &"], False, id="a shell"),
        pytest.param(["python3", "-c", "print('airflow scheduler')"], False, id="a program that speaks of it"),
        pytest.param(["python3", "/usr/bin/airflow-ops", "restart", "scheduler"], False, id="our own command"),
        pytest.param([""], False, id="nothing"),
    ],
)
def test_is_scheduler(arguments: list[str], found: bool) -> None:
    assert schedulers.is_scheduler(arguments) is found


@contextmanager
def running(title: str, *command: str) -> Iterator[int]:
    """Run a command under a title, and yield its process when it has it."""
    with subprocess.Popen(["bash", "-c", 'exec -a "$0" "$@"', title, *command], stdout=subprocess.PIPE) as process:
        try:
            while not schedulers.command_of(process.pid).startswith(title.encode()):
                time.sleep(0.01)
            yield process.pid
        finally:
            process.kill()


def seen(pid: int) -> list[Process]:
    """Return the schedulers that are seen because of a process: itself or its parent."""
    return [process for process in heads(processes(0)) if process.pid in (pid, os.getpid())]


def test_a_process_is_described_without_secrets() -> None:
    before = time.time()
    with running(f"{PYTHON} {AIRFLOW} scheduler", "sleep", "60") as pid:
        assert seen(pid) == []  # its arguments go on after the title: nobody starts one like that
    with running("airflow scheduler --password hunter2", "sleep", "60") as pid:
        (found,) = seen(pid)
    assert (found.parent, found.own) == (os.getpid(), False)
    assert before - 2 < found.since < time.time()
    assert text_of(found, " on mn02p").startswith(f"process {pid} of {found.account} on mn02p since 20")
    assert "--password ********" in text_of(found) and "hunter2" not in text_of(found)


def test_the_one_of_the_unit_is_known_by_the_cgroup_of_its_main_process() -> None:
    with running("airflow scheduler", "sleep", "60") as pid:
        mine = {process.pid: process.own for process in processes(os.getpid())}
        assert mine[pid] is True
        assert {process.pid: process.own for process in processes(0)}[pid] is False


def test_what_serves_a_page_for_a_scheduler_that_was_killed_is_none_itself() -> None:
    serve = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    command = ["bash", "-c", 'exec -a "airflow scheduler" "$@"', "x", sys.executable, "-c", serve]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        assert (seen(process.pid), process.pid in {each.pid for each in processes(0)}) == ([], True)
        assert schedulers.answers_itself(os.getpid(), port, []) is True
        assert schedulers.answers_itself(0, port, []) is False
        process.communicate("\n")
    assert schedulers.listening(port) == set()


def test_a_scheduler_of_any_name_is_given_away_by_its_child() -> None:
    script = f'(exec -a "{schedulers.MANAGER}" sleep 60) & echo $!; wait'
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        while not schedulers.command_of(child).startswith(b"airflow"):
            time.sleep(0.01)
        found = {each.pid: each.command for each in heads(processes(0))}
        os.kill(child, 9)
    assert found[process.pid].startswith("bash -c")
    assert child not in found


@pytest.mark.parametrize(
    ("command", "reaper"),
    [(b"/lib/systemd/systemd\0--user\0", True), (b"systemd\0--user\0", True), (b"python3\0systemd\0", False)],
)
def test_who_takes_over_the_children_of_a_dead_one_is_none(command: bytes, reaper: bool) -> None:
    assert bool(schedulers.REAPER.match(command)) is reaper


def row(job: int, since: float, beat: float = NOW, host: str = HERE, running: bool = True) -> Row:
    return Row(job, host, "airflow", since, beat, running)


@pytest.mark.parametrize(
    ("found", "rows", "jobs"),
    [
        pytest.param([(1, 100.0)], [row(5, 108)], {1: 5}, id="its own"),
        pytest.param([(1, 100.0)], [row(5, 108, host=f"{HERE}.example.com")], {1: 5}, id="under a longer name"),
        pytest.param([(1, 100.0)], [row(5, 108, host="elsewhere")], {}, id="another host's"),
        pytest.param([(1, 100.0)], [row(5, 108, beat=9, running=False)], {}, id="one that ended, of another's begin"),
        pytest.param([(1, 100.0)], [row(5, 108, running=False)], {1: 5}, id="called dead, and it goes on"),
        pytest.param([(1, 100.0)], [row(5, 108, beat=9)], {1: 5}, id="it hangs"),
        pytest.param([(1, 100.0), (2, 200.0)], [row(6, 210), row(5, 108)], {1: 5, 2: 6}, id="two"),
        pytest.param([(2, 200.0)], [row(6, 210), row(5, 108)], {2: 6}, id="one of them was killed"),
        pytest.param([(1, 100.0)], [row(5, 3708)], {1: 5}, id="the clock was set while it ran"),
        pytest.param([(1, 100.0)], [row(5, 3708, beat=9)], {}, id="a stale row of another time"),
        pytest.param([(1, 100.0)], [], {}, id="none yet"),
    ],
)
def test_paired(found: list[tuple[int, float]], rows: list[Row], jobs: dict[int, int]) -> None:
    assert {pid: row.job for pid, row in paired(HERE, found, rows, NOW - 30).items()} == jobs


@pytest.mark.parametrize(
    ("age", "found", "other"),
    [
        (60, None, False),
        (400, None, True),
        (400, row(1, 0), False),
        (400, row(1, 0, NOW - 200), False),
        (4000, row(1, 0, NOW - 400), True),
        (60, row(1, 0, NOW - 400), False),
    ],
    ids=["just begun", "nothing here", "a row", "it hangs", "the row of one that was killed", "the same, just begun"],
)
def test_a_scheduler_of_another_database_is_none_of_ours(age: float, found: Row | None, other: bool) -> None:
    assert of_another_database(NOW - age, found, NOW) is other


OWN = Process(10, 1, "airflow", NOW - 900, "airflow scheduler", own=True)
HAND = Process(20, 1, "root", NOW - 200, "airflow scheduler", own=False)
OWN_ROW, HAND_ROW = row(1, NOW - 890, NOW - 3), row(2, NOW - 190, NOW - 2)
FAR_ROW = row(3, NOW - 500, NOW - 4, host="dn01p")
FAR = "that of dn01p writes heartbeats (account airflow, since 2027-01-15T07:51:40Z)"
ACTIVE, STOPPED = Probe("active", uptime=900, heartbeat="fresh"), Probe("inactive")
SILENT = ACTIVE._replace(heartbeat="unknown")


@pytest.mark.parametrize(
    ("probe", "found", "rows", "others", "jobs", "heartbeat"),
    [
        pytest.param(ACTIVE, [OWN], [OWN_ROW], 0, [], "fresh", id="alone"),
        pytest.param(ACTIVE, [OWN, HAND], [OWN_ROW, HAND_ROW], 1, [], "fresh", id="one by hand beside it"),
        pytest.param(ACTIVE, [OWN], [OWN_ROW, FAR_ROW], 0, [3], "fresh", id="one on another host"),
        pytest.param(SILENT, [OWN, HAND], [HAND_ROW], 1, [], "stale", id="only the other writes"),
        pytest.param(
            SILENT,
            [OWN, HAND],
            [OWN_ROW, HAND_ROW],
            1,
            [],
            "fresh",
            id="no page of its own",
        ),
        pytest.param(STOPPED, [HAND], [HAND_ROW], 1, [], "fresh", id="only one by hand"),
        pytest.param(STOPPED, [HAND], [], 1, [], "stale", id="one by hand that has just begun"),
        pytest.param(STOPPED, [HAND._replace(since=NOW - 4000)], [], 0, [], "stale", id="that of another database"),
        pytest.param(STOPPED, [], [OWN_ROW], 0, [1], "fresh", id="killed a moment ago"),
        pytest.param(STOPPED, [], [OWN_ROW._replace(beat=NOW - 31)], 0, [], "stale", id="killed a while ago"),
        pytest.param(STOPPED, [], [OWN_ROW._replace(running=False)], 0, [], "stale", id="ended"),
        pytest.param(
            Probe("missing", heartbeat="unknown"), [HAND], [HAND_ROW], 0, [], "fresh", id="another manager's own"
        ),
        pytest.param(
            SILENT,
            [],
            [OWN_ROW],
            0,
            [],
            "fresh",
            id="its process has another name",
        ),
    ],
)
def test_what_processes_and_rows_show_together(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    probe: Probe,
    found: list[Process],
    rows: list[Row],
    others: int,
    jobs: list[int],
    heartbeat: str,
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    answer: dict[str, Any] = json.loads(json.dumps({"database": "up", "jobs": rows}))
    monkeypatch.setattr(look, "ask_database", lambda _config: answer)
    result = look.asked_further(config(tmp_path), probe, found)
    assert (len(result.others), [each.job for each in result.suspects]) == (others, jobs)
    if probe.heartbeat == "unknown" and probe.unit != "inactive":
        assert result.heartbeat == heartbeat


def test_a_suspect_says_who_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(look, "ask_database", lambda _config: {"database": "up", "jobs": [OWN_ROW, FAR_ROW]})
    assert look.asked_further(config(tmp_path), ACTIVE, [OWN]).suspects == (Suspect(3, NOW - 4, FAR, False),)


def test_a_page_that_another_process_answers_is_not_the_unit_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {"LoadState": "loaded", "ActiveState": "active", "ActiveEnterTimestampMonotonic": "1", "MainPID": "10"}
    monkeypatch.setattr(look, "shown", lambda _config: unit)
    monkeypatch.setattr(look, "processes", lambda _main: [OWN])
    monkeypatch.setattr(look, "ask_database", lambda _config: {"database": "up", "jobs": []})
    monkeypatch.setattr(look, "health_page", lambda _url, _timeout: "fresh")
    monkeypatch.setattr(look, "answers_itself", lambda main, port, _found: (main, port) != (10, 8974))
    settings = config(tmp_path, health_url="http://localhost:8974/health")
    assert look.look(settings)[4:6] == ("stale", "database")
    monkeypatch.setattr(look, "answers_itself", lambda *_: True)
    assert look.look(settings)[4:6] == ("fresh", "health page")


@pytest.mark.parametrize(
    ("answer", "asked", "told"),
    [
        pytest.param({"database": "up", "jobs": [OWN_ROW]}, [], ("fresh", "database"), id="the database answers"),
        pytest.param({"database": "down"}, ["page"], ("fresh", "health page"), id="it is down"),
        pytest.param({}, ["page"], ("fresh", "health page"), id="nobody can ask it"),
    ],
)
def test_the_page_of_another_manager_s_scheduler_is_asked_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], asked: list[str], told: tuple[str, str]
) -> None:
    """With a pool of connections the first look at it ends a busy scheduler (docs/decisions/0002)."""
    pages: list[str] = []

    def page(*_: object) -> str:
        pages.append("page")
        return "fresh"

    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(look, "shown", lambda _config: {"LoadState": "not-found"})
    monkeypatch.setattr(look, "processes", lambda _main: [OWN._replace(own=False)])
    monkeypatch.setattr(look, "ask_database", lambda *_: answer)
    monkeypatch.setattr(look, "health_page", page)
    assert look.look(config(tmp_path))[4:6] == told
    assert pages == asked
