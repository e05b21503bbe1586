"""ctrl-C during a delivery by airflow-ops: Ansible stops, no host is left alone on a release, the command says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import process_tree
from lab.plain_cluster import environment
from tests.faults.dag_release.fleet import PROGRESS, Fleet, wait_for

INTERRUPTED, LOCKED = 130, 6
PUT_BACK = 90  # seconds in which hosts that the run has left agree again


def variables_of(fleet: Fleet, state: Path) -> dict[str, str]:
    """Return the environment in which airflow-ops knows the hosts; their environment is named after the inventory."""
    folder = fleet.cluster.inventory.parent
    return environment() | {
        "AIRFLOW_OPS_INVENTORIES": str(folder), "AIRFLOW_OPS_STATE": str(state), "ANSIBLE_INVENTORY": "",
    }  # fmt: skip


class Command:
    """airflow-ops deploy as a process of its own, without a terminal."""

    def __init__(self, fleet: Fleet, state: Path) -> None:
        argv = [sys.executable, "-m", "airflow_ops.cli", "-e", fleet.cluster.inventory.stem]
        self.process = subprocess.Popen(
            [*argv, "deploy", "--source", str(fleet.tree), "--no-parse"],
            env=variables_of(fleet, state), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.output = ""

    def until(self, phase: str) -> None:
        """Wait for the moment in which the run says that a phase begins."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if f"{PROGRESS}{phase}" in line:
                return
        raise AssertionError(f"the run never came to {phase!r}:\n{self.output}")

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        self.output += self.process.communicate()[0]
        return self.process.returncode


@pytest.mark.parametrize("phase", ["lock", "stage", "activate"])
def test_an_interrupted_delivery_leaves_no_host_alone(fleet: Fleet, tmp_path: Path, phase: str) -> None:
    before = fleet.live()
    command = Command(fleet, tmp_path)
    command.until(phase)
    family = process_tree.family(command.process.pid)
    os.kill(command.process.pid, signal.SIGINT)
    assert command.end() == INTERRUPTED, command.output
    assert "Interrupted in: dag_release : deliver | Bring the tree to all hosts or to none" in command.output
    assert "What the hosts say now:" in command.output
    assert all(host in command.output.partition("What the hosts say now:")[2] for host in fleet.hosts)
    wait_for(lambda: len(set(fleet.live().values())) == 1, PUT_BACK, "the hosts agree")
    if phase != "activate":
        assert fleet.live() == before
    wait_for(lambda: not any(map(runs_ansible, family)), PUT_BACK, "Ansible ends")
    (record,) = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("runs/*/record.json")]
    assert (record["outcome"], record["exit_code"]) == ("interrupted", INTERRUPTED)
    fleet.deliver_well()


def runs_ansible(pid: int) -> bool:
    """Tell whether a process still is one of Ansible's."""
    try:
        return b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_resumed_delivery_is_the_whole_one(fleet: Fleet, tmp_path: Path) -> None:
    command = Command(fleet, tmp_path)
    command.until("stage")
    os.kill(command.process.pid, signal.SIGINT)
    assert command.end() == INTERRUPTED, command.output
    resumed = subprocess.run(
        [sys.executable, "-m", "airflow_ops.cli", "runs", "resume", "last", "--json"],
        env=variables_of(fleet, tmp_path), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert json.loads(resumed.stdout)["outcome"] == "done"
    assert {fleet.release_on(host) for host in fleet.hosts} == {
        json.loads((fleet.tree / "COUNT.json").read_text("utf-8"))["release"]
    }


def test_a_second_delivery_has_an_exit_code_of_its_own(fleet: Fleet, tmp_path: Path) -> None:
    first = fleet.start()
    first.until("stage")
    with first.stopped():
        second = Command(fleet, tmp_path)
        assert second.end() == LOCKED, second.output
    assert "holds the lock of DAG releases since" in second.output
    assert first.end() == 0, first.output
