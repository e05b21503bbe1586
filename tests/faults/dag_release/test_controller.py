"""The controller is killed with all its processes as each phase begins: all old or all new, the repeat succeeds."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.faults.dag_release.fleet import Fleet, wait_for

AT_ONCE = 3  # seconds after which what was in flight has arrived
SETTLED = 20  # seconds that the hosts may take to put back what was not committed


@pytest.mark.parametrize("phase", ["lock", "look", "stage", "verify", "activate", "confirm", "prune"])
def test_killed_as_a_phase_begins(fleet: Fleet, phase: str) -> None:
    before = fleet.live()
    run = fleet.start()
    run.until(phase)
    run.kill()
    time.sleep(AT_ONCE)
    wait_for(lambda: len(set(fleet.live().values())) == 1, SETTLED, f"the hosts agree after a kill in {phase}")
    if phase in ("lock", "look", "stage", "verify"):
        assert fleet.live() == before
    fleet.deliver_well()


def test_only_the_process_that_the_admin_sees_is_killed(fleet: Fleet) -> None:
    """Its worker may bring the delivery to an end, or give up; no host stays alone with either."""
    run = fleet.start()
    run.until("stage")
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    lock = fleet.root(fleet.cluster.scheduler) / "var/lib/airflow-ops/locks/dag_release.json"
    wait_for(lambda: not lock.exists(), 90, "the worker ends")
    assert len(set(fleet.live().values())) == 1
    fleet.deliver_well()


def test_killed_after_some_hosts_have_switched(fleet: Fleet) -> None:
    """The scheduler hangs in that moment, so that the run cannot come to its end."""
    with fleet.half_switched() as (run, before):
        run.kill()
    wait_for(lambda: fleet.live() == before, SETTLED, "every host is back")
    fleet.deliver_well()


def test_killed_between_two_commits(fleet: Fleet) -> None:
    """Some hosts may keep the new release then and others go back; each is whole, and the repeat levels them."""
    before = fleet.live()
    run = fleet.start()
    run.until("activate")
    known = {host: set(fleet.home(host).glob("dag_releases/*.json")) for host in fleet.hosts}
    wait_for(
        lambda: any(set(fleet.home(host).glob("dag_releases/*.json")) - known[host] for host in fleet.hosts),
        30,
        "the first host commits",
    )
    run.kill()
    time.sleep(AT_ONCE)
    assert len(set(fleet.live().values()) - set(before.values())) <= 1
    fleet.deliver_well()
