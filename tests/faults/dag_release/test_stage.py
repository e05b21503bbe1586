"""A fault before the switch: nothing changes anywhere, the host is named, the repeat succeeds."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.faults.dag_release.fleet import POLL, Delivery, Fleet, wait_for

VICTIM = "x03"
EARLY = "CONFIG/한글 settings.json"  # rsync sends it long before the payload


def staging(fleet: Fleet) -> Delivery:
    """Start a delivery and return it when the victim's staging folder fills."""
    run = fleet.start()
    run.until("stage")
    wait_for(lambda: (folder := fleet.staging(VICTIM)) and any(folder.iterdir()), 30, "staging begins")
    return run


@pytest.mark.parametrize("fault", ["cut", "kill"])
def test_a_host_lost_while_staging_changes_nothing(fleet: Fleet, fault: str) -> None:
    before = fleet.live()
    run = staging(fleet)
    getattr(fleet, fault)(VICTIM)
    assert run.end() != 0
    if fault == "kill":
        fleet.boot(VICTIM)
    fleet.heal(VICTIM)
    assert VICTIM in run.text
    assert "nothing was made live" in run.text
    assert fleet.live() == before
    fleet.deliver_well()


def test_a_disk_that_is_full_is_named_before_anything_travels(fleet: Fleet) -> None:
    before = fleet.live()
    fleet.fill(VICTIM)
    run = fleet.deliver()
    fleet.free(VICTIM)
    assert run.process.returncode != 0
    assert f"{VICTIM} failed" in run.text
    assert "MiB free" in run.text
    assert fleet.live() == before
    fleet.deliver_well()


def test_a_disk_that_fills_while_staging_changes_nothing(fleet: Fleet) -> None:
    before = fleet.live()
    run = staging(fleet)
    fleet.fill(VICTIM)
    assert run.end() != 0
    fleet.free(VICTIM)
    assert f"{VICTIM} failed" in run.text
    assert "No space left" in run.text
    assert fleet.live() == before
    fleet.deliver_well()


class Tamperer(threading.Thread):
    """Spoils a file of the tree that is being staged on the victim, each time that rsync has written it."""

    def __init__(self, fleet: Fleet, times: int) -> None:
        super().__init__(daemon=True)
        self.fleet, self.times, self.over, self.spoilt = fleet, times, threading.Event(), 0

    def run(self) -> None:
        """Watch until the run is over; what was spoilt is known by its inode, for rsync replaces it."""
        last = 0
        while not self.over.wait(POLL) and self.spoilt < self.times:
            folder = self.fleet.staging(VICTIM)
            path = (folder or Path("/nowhere")) / EARLY
            if path.exists() and path.stat().st_ino != last:
                last = path.stat().st_ino
                with path.open("r+b") as file:
                    file.write(b"?")
                self.spoilt += 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_tree_that_is_spoilt_on_its_way_is_sent_once_more_and_never_goes_live(fleet: Fleet, times: int) -> None:
    before = fleet.live()
    tamperer = Tamperer(fleet, times)
    tamperer.start()
    run = fleet.deliver()
    tamperer.over.set()
    tamperer.join()
    assert tamperer.spoilt == times
    if times == 1:
        assert run.process.returncode == 0, run.output
    else:
        assert run.process.returncode != 0
        assert VICTIM in run.text
        assert "differs from what was sent" in run.text
        assert fleet.live() == before
    fleet.deliver_well()
