"""What a task writes below the dags folder stays as it is, whatever becomes of releases; nobody's release goes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.plain_cluster import HOME
from tests.faults.dag_release import source
from tests.faults.dag_release.fleet import Fleet, wait_for

VICTIM = "x03"
WRITER = Path(__file__).with_name("writer.py")
BESIDE = f"{HOME}/dags/PROC_0"
UNIT = f"""\
[Service]
User=airflow
StateDirectory=writer
ExecStart=/usr/bin/python3 -B /opt/writer.py {HOME}/dags {BESIDE} /var/lib/writer/wrong
"""
NOW = ("-e", "dag_release_keep=1", "-e", "dag_release_min_age=0")


class Writer:
    """The task on the victim."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.root = fleet, fleet.root(VICTIM)

    def start(self) -> None:
        (self.root / "opt/writer.py").write_bytes(WRITER.read_bytes())
        (self.root / "etc/systemd/system/writer.service").write_text(UNIT)
        self.fleet.cluster.ssh(VICTIM, "sudo systemctl daemon-reload && sudo systemctl start writer")
        self.goes_on()

    def turns(self) -> int:
        turns = self.root / "var/lib/writer/turns"
        return int(turns.read_text() or "0") if turns.exists() else 0

    def goes_on(self) -> None:
        """Wait until it has done more of its work."""
        before = self.turns()
        wait_for(lambda: self.turns() > before + 2, 30, "the task goes on")

    def stop(self) -> None:
        self.fleet.cluster.ssh(VICTIM, "sudo systemctl stop writer")
        self.fleet.cluster.ssh(VICTIM, f"sudo rm -rf {HOME}/dags/state {BESIDE}/open.log {BESIDE}/ticks.txt")

    def demand_all(self) -> None:
        """Demand that every line is there."""
        self.fleet.cluster.ssh(VICTIM, "sudo systemctl stop writer")
        wrong = self.root / "var/lib/writer/wrong"
        assert not wrong.exists(), wrong.read_text()
        live = self.fleet.home(VICTIM) / "dag_releases" / str(self.fleet.live_on(VICTIM))
        for name in ("state/open.log", "state/ticks.txt", "PROC_0/open.log", "PROC_0/ticks.txt"):
            lines = [int(line) for line in (live / name).read_text().splitlines()]
            assert lines == [*range(len(lines))], name
            assert len(lines) > self.turns(), name
        assert len([*(live / "state").iterdir()]) == 4, "what it removed stays removed"


@pytest.fixture
def writer(fleet: Fleet) -> Iterator[Writer]:
    fleet.deliver_well()
    writer = Writer(fleet)
    writer.start()
    yield writer
    writer.stop()


def failed(fleet: Fleet) -> str:
    """Deliver while the scheduler, which comes last, cannot switch; return what the run said."""
    scheduler, in_the_way = fleet.cluster.scheduler, f"{HOME}/.dags.new"
    fleet.cluster.ssh(scheduler, f"sudo -u airflow mkdir {in_the_way}")
    source.renew(fleet.tree)
    run = fleet.deliver()
    fleet.cluster.ssh(scheduler, f"sudo rmdir {in_the_way}")
    assert run.process.returncode != 0
    return run.text


def test_a_task_that_writes_all_the_time_loses_nothing(fleet: Fleet, writer: Writer) -> None:
    first = fleet.live_on(VICTIM)
    source.renew(fleet.tree)
    run = fleet.deliver_well()
    assert f"{VICTIM}: runtime files of the host" in run.text
    assert "state/ticks.txt" in run.text
    writer.goes_on()
    before = fleet.live()
    assert "every host is back on what it had" in failed(fleet)
    assert fleet.live() == before
    writer.goes_on()
    fleet.cluster.playbook("playbooks/rollback_dags.yml", "-e", f"dag_release_id={first}")
    assert fleet.live_on(VICTIM) == first
    writer.goes_on()
    for _ in range(2):
        source.renew(fleet.tree)
        fleet.deliver_well(*NOW)
    assert not (fleet.home(VICTIM) / "dag_releases" / str(first)).exists()
    listed = fleet.cluster.playbook("playbooks/dag_releases.yml").stdout
    assert f"{VICTIM}: runtime files of the host" in " ".join(listed.split())
    writer.goes_on()
    writer.demand_all()


def test_a_source_that_holds_what_is_named_as_the_hosts_own_is_refused(fleet: Fleet) -> None:
    before = fleet.live()
    run = fleet.deliver("-e", '{"dag_release_runtime": ["CONFIG/"]}')
    assert "settings.json is each host's own by dag_release_runtime" in run.text
    run = fleet.deliver("-e", '{"dag_release_runtime": ["!"]}')
    assert "dag_release_runtime has !, which is no pattern of gitignore" in run.text
    assert fleet.live() == before


def test_a_release_in_which_a_process_of_any_account_stands_is_not_removed(fleet: Fleet) -> None:
    fleet.deliver_well()
    name, stands = str(fleet.live_on(VICTIM)), {VICTIM: "nobody", "x02": "airflow"}
    folder = f"{HOME}/dag_releases/{name}/PROC_0"
    for host, account in stands.items():
        run = f"sudo systemd-run -q --unit stands -p User={account} -p Group=hadoop --working-directory={folder}"
        fleet.cluster.ssh(host, f"{run} sleep infinity")
    try:
        for _ in range(2):
            source.renew(fleet.tree)
            text = fleet.deliver_well(*NOW).text
        for host in stands:
            assert f"{host}: {name} stays until a later run: processes stand in it" in text
        there = {host for host in fleet.hosts if (fleet.home(host) / "dag_releases" / name).exists()}
        assert there == {*stands}
    finally:
        fleet.cluster.everywhere("sudo systemctl stop stands", (*stands,))
    source.renew(fleet.tree)
    fleet.deliver_well(*NOW)
    assert not any((fleet.home(host) / "dag_releases" / name).exists() for host in fleet.hosts)


def test_a_process_that_stands_in_an_old_release_writes_to_the_live_tree(fleet: Fleet) -> None:
    fleet.deliver_well()
    old = f"{HOME}/dag_releases/{fleet.live_on(VICTIM)}"
    fleet.cluster.ssh(VICTIM, f"sudo -u airflow sh -c 'mkdir {old}/state; echo 1 >{old}/state/f'")
    source.renew(fleet.tree)
    fleet.deliver_well()
    fleet.cluster.ssh(VICTIM, f"sudo -u airflow sh -c 'cd {old}; echo 2 >>state/f; mkdir -p later; echo 3 >later/g'")
    assert fleet.cluster.ssh(VICTIM, f"sudo cat {HOME}/dags/state/f").stdout == "1\n2\n"
    source.renew(fleet.tree)
    fleet.deliver_well()
    assert fleet.cluster.ssh(VICTIM, f"sudo cat {HOME}/dags/later/g").stdout == "3\n"
    fleet.cluster.ssh(VICTIM, f"sudo rm -r {HOME}/dags/state {HOME}/dags/later")
