"""The switch with the agents of three hosts in folders of this machine; what becomes of a host that is lost in it."""

from __future__ import annotations

import grp
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_ops.dag_release.agent import behind, live
from airflow_ops.dag_release.agent.place import Place
from airflow_ops.dag_release.agent.serve import Agent
from airflow_ops.dag_release.agent.tree import digest, scan
from airflow_ops.dag_release.fleet import Fleet, Host, HostFailed, Outcome, Unreachable
from airflow_ops.dag_release.plan import ReleaseError, Target
from airflow_ops.dag_release.switch import Run

OLD, NEW = "20260101T000000Z-000000000001", "20260102T000000Z-000000000002"
GROUP = grp.getgrgid(os.getgid()).gr_name
SCHEDULER, WORKERS = "mn02p", ("dn01p", "dn02p")
HOSTS = (*WORKERS, SCHEDULER)


class HereFleet(Fleet):
    """Asks agents in this process; `faults` are raised when a host is asked a verb."""

    def __init__(self, folder: Path) -> None:
        self.agents = {name: Agent(Place(folder / name / "dags", GROUP)) for name in HOSTS}
        self.faults: dict[tuple[str, str], BaseException] = {}

    def open(self, hosts: Iterable[Host]) -> None:
        """They are there."""

    def ask_each(self, args: Mapping[str, Mapping[str, Any]], verb: str) -> Outcome:
        outcome = Outcome()
        for name, own in args.items():
            outcome.add(name, lambda name=name, own=own: self.answer(name, verb, own))  # type: ignore[misc]
        return outcome

    def answer(self, name: str, verb: str, own: Mapping[str, Any]) -> dict[str, Any]:
        if fault := self.faults.get((name, verb)):
            raise fault
        result = self.agents[name].answer({"verb": verb, "args": own})
        if "error" in result:
            raise HostFailed(result["error"])
        return result

    def deliver(self, release: str) -> str:
        """Stage a release everywhere and return its digest."""
        for agent in self.agents.values():
            agent.place.dags.parent.mkdir(exist_ok=True)
            agent.do_begin(release, size=0, count=0, files=[])
            (agent.place.staging(release) / "a.py").write_text(release)
            found = agent.do_verify(release)["digest"]
            agent.do_seal(release, {"id": release, "digest": found, "carried": []})
        return digest(scan(self.agents[SCHEDULER].place.release(release)))

    def live(self) -> list[str | None]:
        return [agent.place.live_id() for agent in self.agents.values()]

    def behind(self) -> dict[str, Any]:
        return behind.read(self.agents[SCHEDULER].place)


@pytest.fixture
def fleet(tmp_path: Path) -> HereFleet:
    made = HereFleet(tmp_path)
    switch(made, OLD)
    return made


def run_on(fleet: HereFleet) -> Run:
    hosts = {name: Host(name, name) for name in HOSTS}
    first = [hosts[name] for name in WORKERS]
    target = Target("dags", "airflow", GROUP, first, [hosts[SCHEDULER]], hosts[SCHEDULER])
    run = Run(target, fleet, lambda line: None)
    run.behind = fleet.behind()
    return run


def switch(fleet: HereFleet, release: str) -> None:
    found = fleet.deliver(release)
    run_on(fleet).switch(dict.fromkeys(HOSTS, release), dict.fromkeys(HOSTS, found))


def test_a_good_switch_leaves_no_record(fleet: HereFleet) -> None:
    switch(fleet, NEW)
    assert fleet.live() == [NEW] * 3
    assert fleet.behind() == {}


@pytest.mark.parametrize("verb", ["activate", "look"])
@pytest.mark.parametrize("name", [WORKERS[1], SCHEDULER])
def test_a_host_that_fails_puts_all_back(fleet: HereFleet, name: str, verb: str) -> None:
    fleet.faults[name, verb] = HostFailed("read-only file system")
    with pytest.raises(ReleaseError, match=rf"{name} failed .*; every host is back on what it had, repeat"):
        switch(fleet, NEW)
    assert fleet.live() == [OLD] * 3


def test_a_host_that_cannot_be_put_back_is_named_with_the_reason(fleet: HereFleet) -> None:
    fleet.faults = {(SCHEDULER, "activate"): HostFailed("full"), (WORKERS[0], "back"): HostFailed("read-only")}
    with pytest.raises(ReleaseError, match=r"every host is back on what it had \(dn01p is not: read-only\)"):
        switch(fleet, NEW)
    assert set(fleet.behind()) == {WORKERS[0]}


def test_a_host_that_is_lost_as_the_switch_becomes_final_is_recorded(fleet: HereFleet) -> None:
    fleet.faults[WORKERS[1], "commit"] = Unreachable("no route")
    with pytest.raises(ReleaseError, match=rf"{NEW} is live, but dn02p was lost .*; recorded as behind"):
        switch(fleet, NEW)
    assert {name: one["why"] for name, one in fleet.behind().items()} == {"dn02p": "was lost in the switch: no route"}


def test_a_run_that_is_killed_between_two_hosts_has_recorded_those_that_go_back(fleet: HereFleet) -> None:
    fleet.faults[WORKERS[1], "commit"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        switch(fleet, NEW)
    for agent in fleet.agents.values():
        agent.end()
    assert fleet.live() == [NEW, OLD, OLD]
    assert {"dn02p", "mn02p"} <= fleet.behind().keys()


def test_nothing_becomes_final_without_the_record(fleet: HereFleet) -> None:
    fleet.faults[SCHEDULER, "behind"] = Unreachable("no route")
    with pytest.raises(ReleaseError, match="every host is back on what it had"):
        switch(fleet, NEW)
    assert fleet.live() == [OLD] * 3


def test_the_limit_leaves_out_only_those_that_differ(fleet: HereFleet) -> None:
    run = run_on(fleet)
    run.target = replace(run.target, left_out=[Host(name, name) for name in WORKERS])
    assert run.left_out_notes(OLD) == []
    fleet.agents[WORKERS[0]].place.dags.unlink()
    fleet.faults[WORKERS[1], "look"] = Unreachable("no route")
    assert run.left_out_notes(OLD) == [
        f"The limit leaves out dn01p, dn02p: not on {OLD} until this playbook runs there too."
    ]


def test_what_could_not_be_put_back_is_tried_once_more_at_the_end(
    fleet: HereFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.faults[SCHEDULER, "activate"] = HostFailed("full")
    with monkeypatch.context() as broken:
        broken.setattr(live, "link", failing_after(len(WORKERS)))
        with pytest.raises(ReleaseError, match=r"dn01p is not: .*dn02p is not: "):
            switch(fleet, NEW)
        assert fleet.live() == [NEW, NEW, OLD]
    for agent in fleet.agents.values():
        agent.end()
    assert fleet.live() == [OLD] * 3


def failing_after(good: int) -> Callable[[Place, str], None]:
    """Return a link that can be made so many times, and then the disk is full."""
    real, calls = live.link, iter(range(good))

    def link(place: Place, release: str) -> None:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        real(place, release)

    return link
