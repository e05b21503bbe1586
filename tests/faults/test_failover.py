"""The scheduler moves to a standby and back: never two of them, and never when the old one cannot be proven dead."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.watchdog import DOOR, UNIT, Watchdog

OLD, NEW = "mn02p", "dn01p"
INVENTORY = f"""\
airflow_scheduler:
  hosts: {{{NEW}: {{}}}}
prod:
  vars: {{airflow_active_scheduler: {{active}}}}
"""
PARTS = "airflow,airflow_config,airflow_services,watchdog"
FORCE = ("-e", "{airflow_services_failover_force: true}")
VERBS = ("playbooks/config", "playbooks/stop")


@dataclass(frozen=True)
class Pair:
    """Two hosts for schedulers, and an inventory that names the active one."""

    cluster: Cluster
    inventory: Path

    def playbook(self, name: str, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a playbook with the standby in the inventory."""
        return self.cluster.playbook(name, "-i", str(self.inventory), *args, check=check)

    def name_active(self, host: str) -> None:
        """Write into the inventory which host is active."""
        self.inventory.write_text(INVENTORY.replace("{active}", host))

    def move(self, host: str, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run failover.yml."""
        return self.playbook("playbooks/failover.yml", "-e", f"airflow_services_failover_to={host}", *args, check=check)

    def states(self) -> dict[str, str]:
        """Return the state of the unit on both hosts."""
        show = f"systemctl is-active {UNIT}"
        return {host: self.cluster.ssh(host, show, check=False).stdout.strip() for host in (OLD, NEW)}


@pytest.fixture(scope="module")
def pair(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Make a worker the standby; afterwards it is a worker alone again."""
    pair = Pair(cluster, tmp_path_factory.mktemp("failover") / "standby.yml")
    pair.name_active(OLD)
    pair.playbook("site.yml", "-l", NEW, "--tags", PARTS)
    yield pair
    if pair.states()[OLD] != "active":
        pair.move(OLD)
    cluster.playbook("site.yml", "-l", NEW, "--tags", PARTS)
    assert pair.states() == {OLD: "active", NEW: "inactive"}


def test_a_standby_is_installed_and_stopped(pair: Pair) -> None:
    assert pair.states() == {OLD: "active", NEW: "inactive"}
    pair.cluster.ssh(NEW, DOOR)
    assert "not watched, this host is the standby" in pair.cluster.ssh(NEW, "watchdog status").stdout
    assert pair.states()[NEW] == "inactive"
    lines = [line.split() for line in pair.playbook("playbooks/status.yml", "-l", f"{OLD},{NEW}").stdout.splitlines()]
    assert [NEW, "scheduler", "standby"] in [line[:3] for line in lines]


def test_a_host_that_cannot_be_fenced_is_not_replaced(pair: Pair) -> None:
    subprocess.run(["lab", "cut", OLD], check=True)
    try:
        run = pair.move(NEW, check=False)
    finally:
        subprocess.run(["lab", "heal", OLD], check=True)
    assert run.returncode
    assert f"{OLD} cannot be reached" in " ".join(run.stdout.split())
    assert "tasks run twice" in " ".join(run.stdout.split())
    assert pair.states() == {OLD: "active", NEW: "inactive"}


def test_the_scheduler_moves_and_its_old_host_stays_out(pair: Pair) -> None:
    start = time.monotonic()
    said = " ".join(pair.move(NEW).stdout.split())
    print(f"\nfailover, with the playbook: {time.monotonic() - start:.0f} s")
    assert f"airflow_active_scheduler: {NEW}" in said
    assert pair.states() == {OLD: "inactive", NEW: "active"}
    pair.cluster.ssh(OLD, f"sudo systemctl start {UNIT}; {DOOR}", check=False)
    assert pair.states() == {OLD: "inactive", NEW: "active"}
    refused = pair.playbook("playbooks/start.yml", "-l", f"{OLD},{NEW}", check=False)
    assert refused.returncode
    assert f"The scheduler moved away from {OLD}" in " ".join(refused.stdout.split())
    run = f"failover-{time.time():.0f}"
    pair.cluster.trigger(("airflow_ops_check", run, {}))
    assert pair.cluster.wait([("airflow_ops_check", run)]) == {("airflow_ops_check", run): "success"}


def test_it_moves_back(pair: Pair) -> None:
    pair.name_active(NEW)
    pair.move(OLD)
    pair.name_active(OLD)
    assert pair.states() == {OLD: "active", NEW: "inactive"}
    watchdog = Watchdog(pair.cluster)
    watchdog.clear()
    assert watchdog.check() == "healthy"


def test_a_forced_move_is_not_undone_by_a_limited_run_nor_by_the_old_host(pair: Pair) -> None:
    subprocess.run(["lab", "kill", OLD], check=True)
    try:
        left_out = pair.move(NEW, "-l", NEW, check=False)
        said = " ".join(pair.move(NEW, *FORCE, check=False).stdout.split())  # the old host is unreachable
        state = pair.cluster.ssh(NEW, f"systemctl is-active {UNIT}").stdout.strip()
        limited = [pair.playbook(f"{verb}.yml", "-l", NEW, check=False) for verb in VERBS]
        after = pair.cluster.ssh(NEW, f"systemctl is-active {UNIT}").stdout.strip()
    finally:
        subprocess.run(["lab", "up", OLD], check=True)
    assert left_out.returncode
    assert f"{OLD} cannot be reached, or -l leaves it out" in " ".join(left_out.stdout.split())
    assert f"{OLD} was not fenced: its scheduler starts at boot" in said
    assert [run.returncode for run in limited] == [2] * len(VERBS)
    assert all(f"The scheduler of {NEW} is active" in " ".join(run.stdout.split()) for run in limited)
    assert (state, after) == ("active", "active")
    pair.move(NEW)  # the old host is back with a scheduler of its own: now it is fenced
    assert pair.states() == {OLD: "inactive", NEW: "active"}
    pair.name_active(NEW)
    pair.move(OLD)
    pair.name_active(OLD)
    assert pair.states() == {OLD: "active", NEW: "inactive"}


def test_a_scheduler_that_lives_is_not_replaced_by_force(pair: Pair) -> None:
    """The controller does not reach its host, but it writes heartbeats."""
    run = pair.move(NEW, *FORCE, "-l", NEW, check=False)
    assert run.returncode
    assert f"that of {OLD} writes heartbeats" in " ".join(run.stdout.split())
    assert pair.states() == {OLD: "active", NEW: "inactive"}
