"""A scheduler that somebody started by hand: nothing of ours starts a second one, and everything says who it is.

What dies and is started again by systemd is told, too.
"""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.watchdog import SHORT, UNIT, Watchdog, wait

HOME = "/usr/hmg/2.2.1.0-552/airflow"
OTHER_HOME = "/tmp/airflow-by-hand"
BY_HAND = "by-hand"  # a unit of systemd that keeps together what a test starts, so that all of it ends with the test
FAR = "dn03p"
ENDS = "/var/lib/airflow-ends/scheduler.jsonl"
ONLY = ("-e", "{airflow_services_names: [scheduler]}")
TOLD = "journalctl -t airflow-watchdog MESSAGE_ID=6d1f0a1be9c84a4e9a8a1c27c4f6a106 -o cat"
# How somebody may start one: account, and what he types.
WAYS = {
    "nohup": ("airflow", "nohup airflow scheduler >/dev/null 2>&1 & sleep infinity"),
    "daemon": ("airflow", f"airflow scheduler -D --pid {OTHER_HOME}.pid -l /dev/null; sleep infinity"),
    "another home, as root": ("root", f"AIRFLOW_HOME={OTHER_HOME} exec {HOME}/venv/bin/python -m airflow scheduler"),
}


@contextmanager
def by_hand(cluster: Cluster, host: str, way: str) -> Iterator[str]:
    """Start a scheduler by hand on a host, and yield its process."""
    account, command = WAYS[way]
    shell = f". {OTHER_HOME}.env; {command}"
    begin = f"sudo rm -rf {OTHER_HOME} {OTHER_HOME}.pid; sudo install -d -o {account} {OTHER_HOME}"
    cfg = f"sudo install -o {account} -m 600 {HOME}/airflow.cfg {OTHER_HOME}/airflow.cfg"
    env = f"sudo sed 's/^/export /' /etc/airflow/airflow.env | sudo tee {OTHER_HOME}.env >/dev/null"
    run = f"sudo systemd-run -q --collect --unit {BY_HAND} --uid {account} sh -c '{shell}'"
    cluster.ssh(host, f"{begin}; {cfg}; {env}; {run}")
    try:
        wait(lambda: bool(mains(cluster, host)), 60, "no scheduler was started by hand")
        yield mains(cluster, host)[0]
    finally:
        cluster.ssh(host, f"sudo systemctl stop {BY_HAND}", check=False)
        cluster.ssh(host, f"sudo rm -rf {OTHER_HOME} {OTHER_HOME}.pid {OTHER_HOME}.env")


def mains(cluster: Cluster, host: str) -> list[str]:
    """Return the schedulers of the unit above: those whose parent is none."""
    group = f"/sys/fs/cgroup/systemd/system.slice/{BY_HAND}.service/cgroup.procs"
    pids = cluster.ssh(host, f"cat {group} || cat {group.replace('systemd/', '', 1)} || true").stdout.split()
    command = f"ps -o pid=,ppid=,args= -p {','.join(pids) or 0} || true"
    lines = [line.split(None, 2) for line in cluster.ssh(host, command).stdout.splitlines()]
    found = {pid: parent for pid, parent, args in lines if "airflow scheduler" in args and " -c " not in args}
    titles = {pid for pid, _parent, args in lines if args.startswith("airflow scheduler -")}
    return [pid for pid, parent in found.items() if pid not in titles and parent not in found]


def writes(cluster: Cluster, host: str, unlike: str = "0") -> str:
    """Return the newest job of a scheduler of this host that writes heartbeats, other than the given one."""
    rows = cluster.sql(
        "select max(id) from job where job_type = 'SchedulerJob' and state = 'running' and "
        f"hostname = '{host}' and id <> {unlike} and latest_heartbeat > utc_timestamp() - interval 15 second"
    )
    return rows[0][0].replace("NULL", "")


@pytest.fixture
def watchdog(cluster: Cluster) -> Iterator[Watchdog]:
    """Return the watchdog of a healthy scheduler, with cron stopped and short limits."""
    watchdog = Watchdog(cluster)
    watchdog.sh("sudo systemctl stop cron")
    watchdog.sh(f"sudo rm -f {ENDS}")
    watchdog.clear()
    with watchdog.limits(**SHORT, probe_spacing=1, progress_interval=0, report_after=0):
        yield watchdog
    watchdog.sh(f"sudo systemctl reset-failed {UNIT}; sudo systemctl start {UNIT}", check=False)
    watchdog.wait_until_healthy()
    watchdog.clear()
    watchdog.sh("sudo systemctl start cron")


def said(cluster: Cluster, playbook: str, *args: str) -> str:
    """Run a playbook that must fail, and return what it says."""
    done = cluster.playbook(playbook, *args, check=False)
    assert done.returncode, done.stdout
    return " ".join(done.stdout.split())


@pytest.mark.parametrize("way", WAYS)
def test_the_watchdog_starts_none_beside_one_by_hand(watchdog: Watchdog, way: str) -> None:
    watchdog.sh(f"sudo systemctl stop {UNIT}")
    with by_hand(watchdog.cluster, "mn02p", way) as pid:
        verdict, last = watchdog.check(), watchdog.last()["message"]
        assert (verdict, watchdog.restarts()) == ("runs elsewhere", 0)
        assert watchdog.state() in ("inactive", "failed")  # one that is stopped while it starts may fail
        assert f"process {pid} of {WAYS[way][0]} since 20" in last


def test_every_playbook_names_it_and_its_death_is_waited_for(watchdog: Watchdog) -> None:
    cluster = watchdog.cluster
    watchdog.sh(f"sudo systemctl stop {UNIT}")
    with by_hand(cluster, "mn02p", "nohup") as pid:
        wait(lambda: bool(writes(cluster, "mn02p")), 90, "it writes no heartbeat")
        who = f"process {pid} of airflow on mn02p since 20"
        for playbook, args in (("playbooks/start.yml", ONLY), ("site.yml", ("--tags", "airflow_services"))):
            assert f"Another scheduler runs, {who}" in said(cluster, playbook, *args)
        assert f"another scheduler runs, {who}" in said(cluster, "playbooks/status.yml")
        assert "!! another scheduler" in said(cluster, "playbooks/drift.yml", "-l", "mn02p")
        assert watchdog.state() in ("inactive", "failed")
        # Its page lives on, and is none of the unit's; its row is fresh for a while.
        watchdog.sh(f"sudo kill -9 {pid}")
        assert watchdog.sh("ss -Hltn 'sport = :8974'")
        assert (watchdog.check(), watchdog.state(), watchdog.restarts()) == ("dead", "active", 1)
        wait(lambda: watchdog.check() == "healthy", 90, "the unit is not healthy")
        assert "the heartbeat is fresh (database)" in watchdog.last()["message"]
    # Without what was left behind the unit has a page again.
    cluster.playbook("playbooks/restart.yml", "-l", "mn02p", *ONLY)
    wait(lambda: watchdog.check() == "healthy", 60, "the unit is not healthy")
    assert "the heartbeat is fresh (health page)" in watchdog.last()["message"]


def test_two_that_run_are_told_once_and_neither_is_stopped(watchdog: Watchdog) -> None:
    """The other one runs on a host that no run looks at, so it is known by its heartbeats alone."""
    cluster, own = watchdog.cluster, watchdog.pid()
    now = watchdog.sh("date +@%s")
    with by_hand(cluster, FAR, "nohup") as pid:
        wait(lambda: bool(writes(cluster, FAR)), 90, "it writes no heartbeat")
        wait(lambda: watchdog.check() == "two schedulers", 30, "the watchdog does not see it")
        assert watchdog.check() == "two schedulers"
        assert len(watchdog.sh(f"sudo {TOLD} --since {now}").splitlines()) == 1
        evidence = watchdog.history()[-1]["evidence"]
        assert f"that of {FAR} writes heartbeats (account airflow, since 20" in watchdog.sh(
            f"sudo cat {evidence}/why.txt"
        )
        who = f"Another scheduler runs, that of {FAR} writes heartbeats"
        assert who in said(cluster, "playbooks/restart.yml", "-l", "mn02p", *ONLY)
        assert who in said(cluster, "playbooks/failover.yml", "-e", "airflow_services_failover_to=mn02p")
        assert f"process {pid} of airflow on {FAR}" in said(cluster, "playbooks/status.yml")
        assert (watchdog.pid(), mains(cluster, FAR)) == (own, [pid])


@pytest.mark.parametrize("host", ["mn02p", FAR])
def test_systemd_starts_none_beside_one_by_hand(watchdog: Watchdog, host: str) -> None:
    """Somebody ends the unit's scheduler, whose one by hand still runs; systemd would start the unit again."""
    cluster, own = watchdog.cluster, writes(watchdog.cluster, "mn02p")
    with by_hand(cluster, host, "nohup") as pid:
        wait(lambda: bool(writes(cluster, host, unlike=own)), 90, "it writes no heartbeat")
        watchdog.sh(f"sudo kill {watchdog.pid()}")
        wait(lambda: watchdog.state() == "inactive", 60, "systemd has started the unit")
        who = f"process {pid} of airflow since 20" if host == "mn02p" else f"that of {host} writes heartbeats"
        assert f"Not started: another scheduler runs, {who}" in watchdog.sh(
            f"sudo journalctl -q -o cat -n 20 -u {UNIT}"
        )
        assert (watchdog.check(), watchdog.restarts()) == ("runs elsewhere", 0)
        watchdog.sh(f"sudo systemctl start {UNIT}")
        assert (watchdog.state(), mains(cluster, host)) == ("inactive", [pid])
        assert len(watchdog.sh(f"sudo cat {ENDS}").splitlines()) == 1  # its own; what was not started has not died
    wait(lambda: watchdog.check() == "healthy", 120, "the watchdog does not bring the unit back")
    assert watchdog.restarts() == 1


def test_a_start_waits_for_the_row_of_a_host_that_died_and_not_for_ever(watchdog: Watchdog) -> None:
    """As after a forced failover: nobody has called the old scheduler dead, and its heartbeat is seconds old."""
    cluster = watchdog.cluster
    with by_hand(cluster, FAR, "nohup") as pid:
        wait(lambda: bool(writes(cluster, FAR)), 90, "it writes no heartbeat")
        cluster.ssh(FAR, f"sudo kill -9 {pid}")
        begin = time.monotonic()
        watchdog.sh(f"sudo systemctl restart {UNIT}")
        print(f"\nstart beside a row that nobody writes: {time.monotonic() - begin:.0f} s")
        assert watchdog.state() == "active"
    watchdog.wait_until_healthy()


def test_a_start_asks_in_a_moment(watchdog: Watchdog) -> None:
    watchdog.sh(f"sudo systemctl stop {UNIT}")
    begin = time.monotonic()
    assert watchdog.sh(f"sudo -u airflow python3 -I -S /usr/local/lib/airflow-units alone {HOME}; echo $?") == "0"
    print(f"\nwhat a start asks first: {time.monotonic() - begin:.1f} s")
    assert time.monotonic() - begin < 5


def test_a_run_that_does_not_see_the_scheduler_host_does_not_call_its_scheduler_another_one(
    cluster: Cluster, tmp_path: Path
) -> None:
    away = tmp_path / "away.yml"
    away.write_text("prod: {hosts: {mn02p: {ansible_port: 1}}}\n")  # as one that ssh does not reach
    unknown = "obody can tell whether another scheduler runs, since this run did not look at mn02p"
    limited = " ".join(cluster.playbook("playbooks/status.yml", "-l", "dn01p").stdout.split())
    drift = " ".join(cluster.playbook("playbooks/drift.yml", "-l", "datanodes", check=False).stdout.split())
    unreachable = said(cluster, "playbooks/status.yml", "-i", str(away))
    assert "mn02p is unreachable" in unreachable
    for text in (limited, drift, unreachable):
        assert unknown in text
        assert "!! another scheduler" not in text
        assert "end that one" not in text


def test_the_row_of_a_killed_one_blocks_no_restart_of_its_own(watchdog: Watchdog) -> None:
    before = watchdog.pid()
    watchdog.sh(f"sudo kill -9 {before}")
    watchdog.cluster.playbook("playbooks/restart.yml", "-l", "mn02p", *ONLY)
    watchdog.wait_until_healthy(other_than=before)
    wait(lambda: watchdog.check() == "healthy", 60, "the unit is not healthy")
    assert "signal KILL" in watchdog.sh(f"sudo cat {ENDS}")
    assert "The scheduler of this host died " in watchdog.sh("watchdog status")


def test_a_restart_hides_no_crash(watchdog: Watchdog) -> None:
    cluster, marker = watchdog.cluster, "secret-marker"
    assert watchdog.check() == "healthy"
    broken = rf"[Service]\nEnvironment=AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=mysql//airflow:{marker}@mn01p/airflow\n"
    with watchdog.unit_with(broken):
        watchdog.sh(f"sudo systemctl restart {UNIT}")
        wait(lambda: bool(watchdog.sh(f"sudo cat {ENDS} || true")), 90, "nobody wrote down that it died")
        watchdog.check()
    watchdog.sh(f"sudo systemctl restart {UNIT}")
    watchdog.wait_until_healthy()
    error = "by exit code 1: sqlalchemy.exc.ArgumentError: Could not parse"
    table = " ".join(cluster.playbook("playbooks/status.yml").stdout.split())
    drift = said(cluster, "playbooks/drift.yml", "-l", "mn02p")
    status = watchdog.sh("watchdog status")
    for text in (table, drift, status):
        assert error in text
        assert marker not in text
    assert marker not in watchdog.sh(f"sudo cat {ENDS}")
    assert "! died" in drift


MARKER = """
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void mark(void) {
    FILE *file = fopen("/opt/loaded-by", "a");
    if (file) { fprintf(file, "%d\\n", getuid()); fclose(file); }
}
"""


def test_what_the_unit_s_environment_preloads_is_not_root_s(watchdog: Watchdog, tmp_path: Path) -> None:
    source, library = tmp_path / "marker.c", tmp_path / "marker.so"
    source.write_text(MARKER)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    encoded = base64.b64encode(library.read_bytes()).decode()
    watchdog.cluster.ssh("mn02p", "base64 -d | sudo tee /opt/marker.so >/dev/null", stdin=encoded)
    watchdog.sh("sudo install -m 666 /dev/null /opt/loaded-by")
    try:
        with watchdog.unit_with(r"[Service]\nEnvironment=LD_PRELOAD=/opt/marker.so\n"):
            watchdog.sh(f"sudo systemctl restart {UNIT}")
            watchdog.sh(f"sudo kill -9 {watchdog.pid()}")
            wait(lambda: "signal KILL" in watchdog.sh(f"sudo cat {ENDS} || true"), 30, "nobody wrote down that it died")
            assert {*watchdog.sh("cat /opt/loaded-by").splitlines()} == {watchdog.sh("id -u airflow")}
    finally:
        watchdog.sh("sudo rm -f /opt/marker.so /opt/loaded-by")
    folder = ENDS.rpartition("/")[0]
    assert watchdog.sh(f"sudo stat -c '%U:%G %a' {folder} {ENDS}").splitlines() == [
        "root:hadoop 750",
        "root:hadoop 640",
    ]
