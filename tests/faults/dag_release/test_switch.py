"""A fault in the middle of the switch: the hosts that can be reached agree, the others are named, the repeat levels."""

from __future__ import annotations

import pytest

from tests.faults.dag_release.fleet import Delivery, Fleet, wait_for

VICTIM = "x03"


def half_switched(fleet: Fleet, fault: str) -> tuple[Delivery, int]:
    """Lose the victim after all workers have switched and before the scheduler does; return the run and its code."""
    before = fleet.live()
    run = fleet.start()
    run.until("activate")
    scheduler, workers = fleet.cluster.scheduler, fleet.cluster.workers
    wait_for(lambda: any(fleet.live_on(host) != before[host] for host in workers), 30, "the first worker switches")
    with fleet.frozen(scheduler):
        wait_for(lambda: all(fleet.live_on(host) != before[host] for host in workers), 30, "all workers switch")
        assert fleet.live_on(scheduler) == before[scheduler], "the fault came too late to prove anything"
        getattr(fleet, fault)(VICTIM)
    return run, run.end()


@pytest.mark.parametrize("fault", ["cut", "kill"])
def test_a_host_lost_after_some_have_switched(fleet: Fleet, fault: str) -> None:
    before = fleet.live()
    run, code = half_switched(fleet, fault)
    assert code != 0
    assert VICTIM in run.text
    reachable = {host: release for host, release in fleet.live().items() if host != VICTIM}
    assert len(set(reachable.values())) == 1, reachable
    assert reachable["x01"] == before["x01"]
    assert "is back on what it had" in run.text
    if fault == "kill":
        fleet.boot(VICTIM)
    fleet.heal(VICTIM)
    fleet.deliver_well()


def test_a_scheduler_that_hangs_while_it_switches(fleet: Fleet) -> None:
    """It comes to itself long after the run gave it up, and must not become the only host on the new release."""
    before = fleet.live()
    run = fleet.start()
    run.until("activate")
    scheduler, workers = fleet.cluster.scheduler, fleet.cluster.workers
    wait_for(lambda: any(fleet.live_on(host) != before[host] for host in workers), 30, "the first worker switches")
    with fleet.frozen(scheduler):
        assert run.end() != 0
        assert {fleet.live_on(host) for host in workers} == {before[workers[0]]}
    assert f"{scheduler} could not be reached" in run.text
    wait_for(lambda: set(fleet.live().values()) == set(before.values()), 90, "the scheduler puts itself back")
    fleet.deliver_well()
