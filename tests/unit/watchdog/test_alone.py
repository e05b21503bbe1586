"""When systemd may start the unit's scheduler: only where nobody else works with its database."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from airflow_watchdog import alone
from airflow_watchdog.schedulers import Process

HERE, NOW = socket.gethostname(), 1_800_000_000.0
YOUNG = Process(20, 1, "root", NOW - 100, "airflow scheduler", own=False)
OLD = YOUNG._replace(pid=30, since=NOW - 4000)


def row(job: int, host: str = HERE, since: float = NOW - 95, beat: float = NOW - 3, runs: bool = True) -> list[Any]:
    return [job, host, "airflow", since, beat, runs]


def wrote(found: list[Any]) -> list[Any]:
    return [*found[:4], found[4] + 5, found[5]]


HAND, KILLED, FAR = row(1), row(2, since=NOW - 900, beat=NOW - 8), row(3, "dn01p", NOW - 500, NOW - 90)
NAMED, FAR_NAMED = "process 20 of root since 20", "that of dn01p writes heartbeats (account airflow, since 20"
Answers = list[list[list[Any]] | None]
STARTS: dict[str, tuple[list[Process], Answers, str, float]] = {
    "nobody else": ([], [[]], "", 0),
    "its own was killed a moment ago": ([], [[KILLED]], "", 0),
    "its own ended": ([], [[row(2, runs=False)]], "", 0),
    "one by hand that writes": ([YOUNG], [[HAND], [HAND], [wrote(HAND)]], NAMED, 5),
    "one by hand that has just begun": ([YOUNG], [[]], NAMED, 0),
    "one of another database": ([OLD], [[]], "", 0),
    "one of another database that began with its own, which was killed": (
        [YOUNG],
        [[row(2, beat=NOW - 8)]],
        "",
        30,
    ),
    "one on another host, by a clock of its own": ([], [[FAR], [FAR], [wrote(FAR)]], FAR_NAMED, 2.5),
    "one on another host that was switched off": ([], [[FAR]], "", 30),
    "one that ended while it was watched": ([], [[FAR], [FAR], []], "", 5),
    "one on another host of yesterday": ([], [[row(3, "dn01p", NOW - 90_000, NOW - 80_000)]], "", 0),
    "the database is silent": ([], [None], "", 0),
    "the database is silent, and somebody may wait for it, too": ([YOUNG], [None], NAMED, 0),
    "the database falls silent": ([], [[FAR], [FAR], None], "", 2.5),
}


@pytest.mark.parametrize(("found", "answers", "said", "seconds"), STARTS.values(), ids=STARTS)
def test_a_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: list[Process],
    answers: Answers,
    said: str,
    seconds: float,
) -> None:
    now, left = [NOW], list(answers)

    def ask(_home: str) -> dict[str, Any]:
        rows = left.pop(0) if len(left) > 1 else left[0]
        return {"database": "down"} if rows is None else {"database": "up", "jobs": rows}

    monkeypatch.setattr(alone, "ask_database", ask)
    monkeypatch.setattr(alone, "processes", lambda main: found if main == 0 else [])
    monkeypatch.setattr(alone, "heads", lambda seen: seen)
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda pause: now.__setitem__(0, now[0] + pause))
    assert alone.main("/home") == (1 if said else 0)
    assert said in capsys.readouterr().out
    assert now[0] - NOW == pytest.approx(seconds, abs=2.5 if seconds else 0)
