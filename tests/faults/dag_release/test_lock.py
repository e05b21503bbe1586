"""Two runs at once, and locks whose holder is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.faults.dag_release.fleet import Fleet

LOCK = "var/lib/airflow-ops/locks/dag_release.json"


def lock_file(fleet: Fleet) -> Path:
    return fleet.root(fleet.cluster.scheduler) / LOCK


def holder(fleet: Fleet) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(lock_file(fleet).read_text("utf-8"))
    return record


def test_the_second_of_two_runs_says_who_holds_the_lock_and_stops(fleet: Fleet) -> None:
    first = fleet.start()
    first.until("stage")
    with first.stopped():
        second = fleet.deliver()
        record = holder(fleet)
    assert second.process.returncode != 0
    assert f"{record['who']}" in second.text
    assert "holds the lock of DAG releases since" in second.text
    assert first.end() == 0, first.output
    assert len(set(fleet.live().values())) == 1
    assert not lock_file(fleet).exists()


def test_the_second_of_two_runs_may_wait(fleet: Fleet) -> None:
    first = fleet.start()
    first.until("stage")
    with first.stopped():
        second = fleet.start("-e", "dag_release_lock_wait=120")
        second.until("lock")
    assert first.end() == 0, first.output
    assert second.end() == 0, second.output
    assert len(set(fleet.live().values())) == 1


def test_the_holder_of_the_lock_is_killed_on_the_scheduler_host(fleet: Fleet) -> None:
    before = fleet.live()
    run = fleet.start()
    run.until("stage")
    with run.stopped():
        fleet.cluster.ssh(fleet.cluster.scheduler, f"sudo kill -9 {holder(fleet)['pid']}")
    assert run.end() != 0
    assert fleet.cluster.scheduler in run.text
    assert fleet.live() == before
    fleet.deliver_well()


def test_the_scheduler_host_loses_its_power_while_it_keeps_the_lock(fleet: Fleet) -> None:
    before = fleet.live()
    run = fleet.start()
    run.until("stage")
    fleet.kill(fleet.cluster.scheduler)
    assert run.end() != 0
    fleet.boot(fleet.cluster.scheduler)
    assert lock_file(fleet).exists(), "nothing was left to be taken over"
    assert fleet.live() == before
    fleet.deliver_well()
