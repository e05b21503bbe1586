"""A fault in the middle of the switch: the hosts that can be reached agree, the others are named, the repeat levels."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from tests.faults.dag_release.fleet import Fleet, wait_for

VICTIM = "x03"


@pytest.mark.parametrize("fault", ["cut", "kill"])
def test_a_host_lost_after_some_have_switched(fleet: Fleet, fault: str) -> None:
    with fleet.half_switched() as (run, before):
        getattr(fleet, fault)(VICTIM)
    assert run.end() != 0
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
    scheduler, workers = fleet.cluster.scheduler, fleet.cluster.workers
    with fleet.half_switched() as (run, before):
        assert run.end() != 0
        assert {fleet.live_on(host) for host in workers} == {before[workers[0]]}
    assert f"{scheduler} could not be reached" in run.text
    wait_for(lambda: set(fleet.live().values()) == set(before.values()), 90, "the scheduler puts itself back")
    fleet.deliver_well()


def test_a_host_lost_in_the_very_commit(fleet: Fleet) -> None:
    """Its disk takes nothing more after the switch; the others have committed, so the new release stays."""
    scheduler, (witness, *_) = fleet.home(fleet.cluster.scheduler), fleet.cluster.workers
    with ExitStack() as stack:
        with fleet.half_switched() as (run, _before):
            stack.enter_context(fleet.disk_held(VICTIM))
        release = fleet.live_on(witness)
        wait_for((fleet.home(witness) / f"dag_releases/{release}.json").exists, 30, "the others commit")
        fleet.cut(VICTIM)
        assert run.end() != 0
        assert f"{release} is live, but {VICTIM} was lost in the switch" in run.text
        assert "recorded as behind, repeat the command" in run.text
        assert VICTIM in json.loads((scheduler / "dag_releases/behind.json").read_text("utf-8"))
        assert {fleet.live_on(host) for host in fleet.hosts if host != VICTIM} == {release}
    fleet.heal(VICTIM)
    fleet.deliver_well()
    assert json.loads((scheduler / "dag_releases/behind.json").read_text("utf-8")) == {}
