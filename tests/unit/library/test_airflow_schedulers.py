"""Who schedules beside the units: heartbeats that are watched, and what they make together with processes."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from ansible.module_utils.airflow_inside import scheduler_jobs
from ansible.module_utils.airflow_python import InsideError

from library import airflow_schedulers

HERE, NOW = "mn02p", 1_800_000_000.0
OWN = [3, f"{HERE}.example.com", "airflow", NOW - 900, NOW - 7, True]
LIVE = [2, "dn01p", "airflow", NOW - 500, NOW - 50, True]
DEAD = [1, "mn03p", "airflow", NOW - 800, NOW - 100, True]
KILLED = [4, HERE, "airflow", NOW - 700, NOW - 20, True]


def wrote(row: list[Any], seconds: float = 5) -> list[Any]:
    return [*row[:4], row[4] + seconds, row[5]]


LOOKS: dict[str, tuple[list[list[list[Any]]], list[int], list[int]]] = {
    "nobody": ([[]], [], []),
    "only the unit's own": ([[OWN]], [3], []),
    "one that died": ([[DEAD]] * 5, [], []),
    "one that ended meanwhile": ([[DEAD], []], [], []),
    "one that lives": ([[DEAD, LIVE], [DEAD, LIVE], [DEAD, wrote(LIVE)]], [], [2]),
    "one that lives, by a clock that runs ahead": ([[wrote(LIVE, 90)], [wrote(LIVE, 95)]], [], [2]),
    "one that started meanwhile": ([[DEAD], [DEAD, LIVE]], [], [2]),
    "one that was killed a moment ago on this host": ([[KILLED]] * 5, [], []),
    "one of this host whose process nobody knows": ([[KILLED], [wrote(KILLED)]], [], [4]),
    "one that ended in order": ([[[*LIVE[:5], False]]], [], []),
    "one of yesterday": ([[[*LIVE[:4], NOW - 90_000, True]]], [], []),
}


@pytest.mark.parametrize(("looks", "known", "found"), LOOKS.values(), ids=LOOKS)
def test_who_writes_heartbeats_lives(
    monkeypatch: pytest.MonkeyPatch, looks: list[list[list[Any]]], known: list[int], found: list[int]
) -> None:
    now, answers = [NOW], iter(looks)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    alive = scheduler_jobs.watch(lambda: next(answers), known, HERE, 10)
    assert [row[0] for row in alive] == found


def test_a_killed_one_of_this_host_is_waited_for_until_its_heartbeat_is_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [NOW]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert scheduler_jobs.watch(lambda: [KILLED], [], HERE, 40) == []
    assert 10 <= now[0] - NOW < 13


def process(pid: int, age: float, own: bool = False) -> dict[str, Any]:
    names = {"pid": pid, "parent": 1, "account": "root", "since": NOW - age, "command": "airflow scheduler"}
    return {**names, "own": own}


def params(looks: dict[str, Any], *unit_hosts: str) -> dict[str, Any]:
    return {"looks": looks, "unit_hosts": [*unit_hosts], "seconds": 40}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let the database answer with the rows of three schedulers; return what it is asked."""
    asked: list[dict[str, Any]] = []

    def answer(_params: object, _program: object, request: dict[str, Any]) -> dict[str, Any]:
        asked.append(dict(request))
        return {"rows": [OWN, LIVE, KILLED], "alive": [LIVE] if request["seconds"] else []}

    monkeypatch.setattr(airflow_schedulers, "run_inside", answer)
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(socket, "gethostname", lambda: HERE)
    monkeypatch.setattr(
        airflow_schedulers, "seen", lambda _main: {"hostname": HERE, "schedulers": [process(11, 510, True)]}
    )
    return asked


def test_processes_and_heartbeats_are_put_together(asked: list[dict[str, Any]]) -> None:
    looks = {HERE: {"hostname": HERE, "schedulers": [process(20, 710), process(10, 910, own=True), process(30, 4000)]}}
    found = airflow_schedulers.look(params(looks))
    assert found == [
        {"host": HERE, "text": f"process 20 of root on {HERE} since 2027-01-15T07:48:10Z (airflow scheduler)"},
        {"host": "dn01p", "text": "that of dn01p writes heartbeats (account airflow, since 2027-01-15T07:51:40Z)"},
    ]  # process 30 works with another database
    assert [(each["known"], each["seconds"]) for each in asked] == [([], 0), ([3, 4], 40)]


def test_nothing_is_watched_where_every_heartbeat_has_its_process(asked: list[dict[str, Any]]) -> None:
    looks = {
        HERE: {"hostname": HERE, "schedulers": [process(10, 910, own=True), process(20, 710)]},
        "dn01p": {"hostname": "dn01p", "schedulers": [process(40, 505)]},
    }
    assert [each["host"] for each in airflow_schedulers.look(params(looks))] == [HERE, "dn01p"]
    assert len(asked) == 1


@pytest.mark.parametrize(("answers_after", "patience", "error"), [(2, 20, False), (9, 20, True), (1, 0, True)])
def test_a_database_that_is_not_up_yet_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, answers_after: int, patience: float, error: bool
) -> None:
    now, asked = [NOW], []

    def answer(*_: object) -> dict[str, Any]:
        asked.append(1)
        if len(asked) <= answers_after:
            raise InsideError("the metadata database does not answer")
        return {"rows": []}

    monkeypatch.setattr(airflow_schedulers, "run_inside", answer)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    asks = {**params({}), "patience": patience}
    if error:
        with pytest.raises(InsideError):
            airflow_schedulers.patient_look(asks)
    else:
        assert airflow_schedulers.patient_look(asks) == []


def test_a_unit_that_systemd_has_started_meanwhile_is_no_other_one(
    monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]]
) -> None:
    started = [*LIVE[:1], HERE, *LIVE[2:]]
    answers = iter([{"rows": [KILLED], "alive": []}, {"rows": [started, KILLED], "alive": [started]}])
    monkeypatch.setattr(airflow_schedulers, "run_inside", lambda *_: next(answers))
    assert airflow_schedulers.look(params({HERE: {"hostname": HERE, "schedulers": []}})) == []


ELSEWHERE = {"dn03p": {"hostname": "dn03p", "schedulers": []}}
UNSEEN: dict[str, tuple[dict[str, Any], list[str], list[str], list[int]]] = {
    "every host of the unit was looked at": ({HERE: {"hostname": HERE, "schedulers": []}}, [HERE], ["dn01p"], []),
    "the scheduler's host was left out": (ELSEWHERE, [HERE], ["dn01p"], [3, 4]),
    "also the standby, which may run it": (ELSEWHERE, [HERE, "dn01p"], [], []),
    "nobody else's process is hidden by that": (
        {"dn03p": {"hostname": "dn03p", "schedulers": [process(20, 100)]}},
        [HERE, "dn01p"],
        ["dn03p"],
        [],
    ),
}


@pytest.mark.parametrize(("looks", "hosts", "others", "known"), UNSEEN.values(), ids=UNSEEN)
def test_the_unit_of_a_host_that_was_not_looked_at_is_no_other_one(
    asked: list[dict[str, Any]], looks: dict[str, Any], hosts: list[str], others: list[str], known: list[int]
) -> None:
    assert [each["host"] for each in airflow_schedulers.look(params(looks, *hosts))] == others
    assert asked[-1]["known"] == known
    assert airflow_schedulers.unseen(params(looks, *hosts)) == [host for host in hosts if host not in looks]


def test_one_that_starts_meanwhile_on_a_host_that_was_not_looked_at_is_the_unit_s(
    monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]]
) -> None:
    answers = iter([{"rows": [LIVE], "alive": []}, {"rows": [OWN, LIVE], "alive": [OWN]}])
    monkeypatch.setattr(airflow_schedulers, "run_inside", lambda *_: next(answers))
    assert airflow_schedulers.look(params(ELSEWHERE, HERE)) == []
