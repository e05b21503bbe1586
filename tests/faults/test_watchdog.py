"""What can befall a scheduler, really done to one: the watchdog acts when it should, and only then.

The first tests leave cron and the default limits alone; from then on cron is stopped, so that the tests run each check
themselves, with short limits.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.dag_release.test_clock import SOURCE as CLOCK
from tests.faults.watchdog import DOOR, KEPT, SHORT, STATE, UNIT, Watchdog, wait
from tests.integration.sample_services import mails

TIMER = "airflow-watchdog.timer"
CFG = "/usr/hmg/2.2.1.0-552/airflow/airflow.cfg"
DAGS = "/usr/hmg/2.2.1.0-552/airflow/dags"
# The default threshold of a heartbeat, a minute of cron and three looks; then the start, on a machine that is busy.
HUNG_BAR, GAVE_UP_BAR, SYSTEMD_BAR = 120, 90, 15
SLACK = 2.0  # the machine is shared
# Seconds without database; 300 is what the documentation promises, and what a run by hand takes.
OUTAGE = float(os.environ.get("WATCHDOG_OUTAGE", "25"))


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[Watchdog]:
    """Return the watchdog of the cluster, with a mail server; the scheduler is healthy afterwards."""
    cluster.playbook("lab/services/services.yml")
    watchdog = Watchdog(cluster)
    yield watchdog
    watchdog.sh(
        f"sudo systemctl start cron; sudo systemctl reset-failed {UNIT}; sudo systemctl start {UNIT}", check=False
    )
    watchdog.wait_until_healthy()
    watchdog.clear()


@pytest.fixture
def watchdog(installed: Watchdog) -> Watchdog:
    """Return the watchdog without a memory, and a healthy scheduler."""
    installed.sh(f"sudo systemctl reset-failed {UNIT}; sudo systemctl start {UNIT}", check=False)
    installed.wait_until_healthy()
    installed.clear()
    return installed


@pytest.fixture
def alone(watchdog: Watchdog) -> Iterator[Watchdog]:
    """Return the watchdog with cron stopped and short limits."""
    watchdog.sh("sudo systemctl stop cron")
    with watchdog.limits(**SHORT, probe_spacing=0.5, progress_interval=0):
        yield watchdog
    watchdog.sh("sudo systemctl start cron")


def figure(name: str, seconds: float) -> None:
    """Print a figure; pytest shows it with -rP, and the log of a run keeps it."""
    print(f"\n{name}: {seconds:.0f} s")


# With cron and the default limits.


def test_a_hung_scheduler_is_restarted_also_while_a_broken_dag_arrives(watchdog: Watchdog) -> None:
    wait(
        lambda: watchdog.uptime() > 60, 90, "the scheduler is not up"
    )  # the grace period after a start is another matter
    before, start = watchdog.pid(), time.monotonic()
    watchdog.sh(f"echo 'import nothing_at_all' | sudo -u airflow tee {DAGS}/broken_by_a_test.py")
    try:
        watchdog.sh(f"sudo kill -STOP {before}")
        detected = wait(lambda: watchdog.restarts() > 0, 2 * HUNG_BAR, "nobody noticed the hang")
        watchdog.wait_until_healthy(other_than=before)
        took = time.monotonic() - start
    finally:
        watchdog.sh(f"sudo rm -f {DAGS}/broken_by_a_test.py")
    figure("SIGSTOP, default limits: detected", detected)
    figure("SIGSTOP, default limits: healthy again", took)
    assert took < HUNG_BAR * 1.25
    assert watchdog.restarts() == 1
    (entry,) = [entry for entry in watchdog.history() if entry["action"] == "restart"]
    assert entry["verdict"] == "hung"
    evidence = watchdog.sh(f"sudo sh -c 'cd {entry['evidence']} && cat *'")
    assert "T (stopped)" in evidence
    assert f"{UNIT}[{before}]" in evidence  # its last lines in the journal
    assert watchdog.cluster.secrets()["metadata_db_password"] not in evidence


def test_a_killed_main_process_is_systemd_s_business(watchdog: Watchdog) -> None:
    before, start = watchdog.pid(), time.monotonic()
    watchdog.sh(f"sudo kill -9 {before}")
    verdicts = [watchdog.check()]
    watchdog.wait_until_healthy(other_than=before)
    took = time.monotonic() - start
    figure("kill -9 of the main process, healthy again", took)
    assert took < SYSTEMD_BAR * SLACK
    assert not {"dead", "hung"} & {*verdicts, watchdog.check()}
    assert watchdog.restarts() == 0


def test_a_killed_child_is_the_scheduler_s_business(watchdog: Watchdog) -> None:
    before = watchdog.pid()
    child = watchdog.sh(f"pgrep -P {before} -f DagFileProcessorManager")
    start = time.monotonic()
    watchdog.sh(f"sudo kill -9 {child}")
    verdict = watchdog.check()
    other = f"pgrep -P {before} -f DagFileProcessorManager | grep -vx {child}"
    wait(lambda: bool(watchdog.sh(other, check=False)), 60, "there is no new parser")
    figure("kill -9 of a child, replaced", time.monotonic() - start)
    assert (verdict, watchdog.pid(), watchdog.restarts()) == ("healthy", before, 0)


def test_a_scheduler_that_systemd_gave_up_is_back_once_cron_is(watchdog: Watchdog) -> None:
    before = watchdog.pid()
    watchdog.sh("sudo systemctl stop cron")
    with watchdog.unit_with(r"[Unit]\nStartLimitIntervalSec=300\nStartLimitBurst=1\n"):
        watchdog.sh(f"while systemctl is-active -q {UNIT}; do sudo systemctl kill -s KILL {UNIT}; sleep 12; done")
        assert watchdog.state() == "failed"
        start = time.monotonic()
        watchdog.sh("sudo systemctl start cron")
        watchdog.wait_until_healthy(other_than=before)
    took = time.monotonic() - start
    figure("given up by systemd, from the start of cron to healthy", took)
    assert took < GAVE_UP_BAR * 1.5
    assert [entry["verdict"] for entry in watchdog.history() if entry["action"] == "restart"] == ["dead"]


# With cron stopped and short limits.


def test_a_pause_holds_it_and_mails_come_when_the_server_is_back(alone: Watchdog) -> None:
    cluster, marker = alone.cluster, f"watchdog-{time.time():.0f}@ngios.example"
    cluster.ssh("mn01p", "sudo systemctl stop exim4")
    try:
        with alone.limits(mail_to=[marker], grace=0):  # no check comes before it is healthy
            alone.sh("watchdog pause --reason 'a test' --minutes 5")
            alone.sh(f"sudo systemctl stop {UNIT}")
            assert (alone.check(), alone.state(), alone.restarts()) == ("paused", "inactive", 0)
            alone.sh("watchdog resume")
            start = time.monotonic()
            assert alone.check() == "dead"
            figure("stopped without a pause, mail server down, one check", time.monotonic() - start)
            assert (alone.state(), alone.restarts()) == ("active", 1)
            assert alone.sh(f"sudo ls {STATE}/outbox")
            cluster.ssh("mn01p", "sudo systemctl start exim4")
            alone.wait_until_healthy()
            assert alone.check() == "healthy"
            wait(lambda: not alone.sh(f"sudo ls {STATE}/outbox") or (bool(alone.check()) and False), 60, "mail is left")
    finally:
        cluster.ssh("mn01p", "sudo systemctl start exim4")
    wait(lambda: len([mail for mail in mails(cluster) if marker in mail["to"]]) > 1, 30, "the mails did not arrive")
    assert {mail["subject"] for mail in mails(cluster) if marker in mail["to"]} == {
        "[airflow] airflow-scheduler on mn02p was restarted",
        "[airflow] airflow-scheduler on mn02p is healthy again",
    }


def test_a_scheduler_that_dies_at_every_start_is_given_up_and_told_once(alone: Watchdog) -> None:
    dies = r"[Service]\nExecStart=\nExecStart=/bin/false\nRestart=no\n"
    with alone.limits(max_restarts=3, mail_to=["nobody@ngios.example"]), alone.unit_with(dies):
        alone.sh(f"sudo systemctl restart {UNIT}", check=False)
        told, verdicts = alone.told("02"), []
        for _ in range(6):
            wait(lambda: alone.state() == "failed", 30, "the unit has not failed")
            verdicts.append(alone.check())
    assert verdicts == ["dead"] * 3 + ["gave up"] * 3
    assert alone.restarts() == 3
    assert len(alone.told("02")) == len(told) + 1


def test_a_hundred_checks_at_once_are_one(alone: Watchdog) -> None:
    alone.sh(f"sudo systemctl stop {UNIT}")
    alone.sh(f"for i in $(seq 100); do {DOOR} & done; wait")
    assert (alone.restarts(), alone.state()) == (1, "active")


def test_what_hangs_is_ended_and_the_next_check_works(alone: Watchdog) -> None:
    alone.sh(f"sudo systemctl stop {UNIT}")
    start = time.monotonic()
    with alone.limits(probe_spacing=60, time_limit=2):
        assert alone.cluster.ssh(alone.cluster.scheduler, DOOR, check=False).returncode == 1
    with alone.limits(restart_command=["/bin/sh", "-c", "sleep 600 & wait"], restart_timeout=2):
        assert alone.check() == "dead"
    figure("a check and a restart that hang, ended", time.monotonic() - start)
    assert not alone.sh("pgrep -fx 'sleep 600'", check=False)
    assert alone.check() == "dead"
    assert alone.state() == "active"


@pytest.fixture(scope="module")
def wrong_clock(installed: Watchdog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Put a library on the host that shifts the clock of a process by an hour; return what goes before a command."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK)
    command = [
        "gcc",
        "-shared",
        "-fPIC",
        "-O1",
        "-DSHIFT=(3600)",
        "-o",
        str(folder / "clock.so"),
        str(folder / "clock.c"),
    ]
    subprocess.run(command, check=True)
    library = base64.b64encode(Path(folder / "clock.so").read_bytes()).decode()
    installed.cluster.ssh("mn02p", "base64 -d | sudo tee /opt/watchdog-clock.so >/dev/null", stdin=library)
    yield "sudo -u airflow env LD_PRELOAD=/opt/watchdog-clock.so "
    installed.sh("sudo rm /opt/watchdog-clock.so")


def test_a_clock_that_jumps_neither_restarts_nor_prevents_a_restart(alone: Watchdog, wrong_clock: str) -> None:
    door = DOOR.removeprefix("sudo -u airflow ")
    assert alone.check() == "healthy"
    alone.sh(f"{wrong_clock}{door}")  # an hour later by the clock
    assert (alone.check(), alone.restarts()) == ("healthy", 0)  # and an hour back
    alone.sh(f"sudo systemctl stop {UNIT}")
    alone.sh(f"{wrong_clock}{door}")
    assert (alone.restarts(), alone.state()) == (1, "active")


def test_a_full_disk_prevents_nothing(alone: Watchdog) -> None:
    alone.sh(f"sudo systemctl stop {UNIT}")
    subprocess.run(["lab", "fill", "mn02p"], check=True)
    try:
        alone.sh(DOOR)
        restarted = alone.restarts()
    finally:
        subprocess.run(["lab", "free", "mn02p"], check=True)
    assert restarted == 1
    alone.wait_until_healthy()


def test_a_restart_by_a_playbook_is_left_alone(alone: Watchdog) -> None:
    before, stop, verdicts = alone.pid(), threading.Event(), []

    def look() -> None:
        while not stop.wait(0.3):
            verdicts.append(alone.check())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        alone.cluster.playbook("playbooks/restart.yml", "-l", "mn02p", "-e", "{airflow_services_names: [scheduler]}")
    finally:
        stop.set()
        thread.join()
    assert len(verdicts) > 3
    assert (alone.pid() != before, alone.restarts()) == (True, 0), verdicts
    assert alone.sh(f"ls {KEPT}/pause.json", check=False) == ""


def test_without_broker_or_database_nothing_is_restarted_until_it_would_help(alone: Watchdog) -> None:
    database = alone.cluster.database
    alone.cluster.ssh(database, "sudo systemctl stop rabbitmq-server")
    try:
        assert {alone.check() for _ in range(3)} == {"healthy"}
        alone.cluster.ssh(database, "sudo systemctl stop mariadb")
        until, verdicts = time.monotonic() + OUTAGE, []
        while time.monotonic() < until:
            verdicts.append(alone.check())
            time.sleep(3)
    finally:
        alone.cluster.ssh(database, "sudo systemctl start mariadb rabbitmq-server")
    start = time.monotonic()
    assert "database down" in verdicts
    assert alone.restarts() == 0, verdicts
    wait(lambda: alone.check() == "healthy", 90, "the scheduler did not come back with its database")
    figure("database back, healthy again", time.monotonic() - start)
    assert alone.restarts() <= 1


def test_a_scheduler_that_queues_nothing_is_told(alone: Watchdog) -> None:
    cluster, run = alone.cluster, f"stalled-{time.time():.0f}"
    cluster.sql("update slot_pool set slots = 0 where pool = 'default_pool'")
    try:
        cluster.trigger(("airflow_ops_check", run, {}))
        wait(lambda: {task.state for task in cluster.tasks(run)} == {"scheduled"}, 60, "no task is due")
        with alone.limits(progress_interval=6, stall=5):
            time.sleep(6)
            assert alone.check() == "stalled"
        assert "nothing runs and nothing is queued" in alone.last()["message"]
        assert alone.restarts() == 0
    finally:
        cluster.sql("update slot_pool set slots = 128 where pool = 'default_pool'")
    cluster.wait([("airflow_ops_check", run)])


def test_after_a_power_cut_it_watches_again(alone: Watchdog) -> None:
    start = time.monotonic()
    subprocess.run(["lab", "kill", "mn02p"], check=True)
    subprocess.run(["lab", "up", "mn02p"], check=True)
    alone.wait_until_healthy()
    figure("power cut, healthy again", time.monotonic() - start)
    assert (alone.check(), alone.restarts()) == ("healthy", 0)


@pytest.fixture
def without_page_and_sql(alone: Watchdog) -> Iterator[Watchdog]:
    """Return the watchdog of a scheduler without a health page, whose database URL only Airflow finds out."""
    url = "s/^sql_alchemy_conn = /sql_alchemy_conn_cmd = echo /"
    no_page = r"[Service]\nEnvironment=AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK=False\n"
    try:
        with alone.unit_with(no_page):
            alone.sh(f"sudo cp -p {CFG} {CFG}.before && sudo sed -i '{url}' {CFG} && sudo systemctl restart {UNIT}")
            wait(lambda: alone.check() == "healthy", 120, "the scheduler has no heartbeat")
            yield alone
    finally:
        alone.sh(f"sudo mv {CFG}.before {CFG} && sudo systemctl restart {UNIT}")
    alone.wait_until_healthy()


def test_where_neither_page_nor_sql_answers_airflow_itself_is_asked(without_page_and_sql: Watchdog) -> None:
    watchdog, asked = without_page_and_sql, "(airflow jobs check)"
    assert watchdog.check() == "healthy"
    assert asked in watchdog.last()["message"]
    watchdog.clear()
    watchdog.sh(f"sudo systemctl kill -s STOP {UNIT}")
    wait(lambda: watchdog.check() == "hung", 90, "the hung scheduler is not seen")
    assert asked in watchdog.history()[-1]["message"]
    assert watchdog.restarts() == 1
    wait(lambda: watchdog.check() == "healthy", 120, "not healthy after the restart")
    watchdog.cluster.ssh("mn01p", "sudo systemctl stop mariadb")
    try:
        with watchdog.limits(grace=0):
            verdict = watchdog.check()
    finally:
        watchdog.cluster.ssh("mn01p", "sudo systemctl start mariadb")
    assert (verdict, watchdog.restarts()) == ("not to be seen", 1)


def test_a_timer_checks_and_mails_as_cron_does(watchdog: Watchdog) -> None:
    cluster, marker = watchdog.cluster, f"timer-{time.time():.0f}@ngios.example"
    by_timer = json.dumps({"watchdog_trigger": "timer", "watchdog_mail_to": [marker]})
    cluster.playbook("site.yml", "--tags", "watchdog", "-e", by_timer)
    try:
        assert "serviceCheckAndRun" not in watchdog.sh("sudo crontab -u airflow -l || true")
        before = watchdog.pid()
        start = time.monotonic()
        watchdog.sh(f"sudo systemctl kill -s STOP {UNIT}")
        watchdog.wait_until_healthy(other_than=before, seconds=HUNG_BAR * SLACK)
        figure("stopped process, by the timer, from the signal to healthy", time.monotonic() - start)
        subject = "[airflow] airflow-scheduler on mn02p was restarted"
        wait(lambda: any(marker in m["to"] and m["subject"] == subject for m in mails(cluster)), 90, "no mail came")
    finally:
        cluster.playbook("site.yml", "--tags", "watchdog")
    assert watchdog.sh(f"systemctl is-active {TIMER}", check=False) == "inactive"
    assert watchdog.sh("sudo crontab -u airflow -l | grep -c serviceCheckAndRun") == "1"


# A worker, whose watchdog is there for these tests alone.


@pytest.fixture
def worker(cluster: Cluster) -> Iterator[Watchdog]:
    """Return the watchdog of a worker, with cron stopped and short limits."""
    watchdog = Watchdog(cluster, "dn01p", "airflow-worker")
    watch(watchdog, "scheduler", "worker")
    try:
        watchdog.sh("sudo systemctl stop cron")
        watchdog.clear()
        with watchdog.limits(**SHORT, probe_spacing=0.5):
            yield watchdog
    finally:
        watchdog.sh("sudo systemctl start cron airflow-worker")
        watch(watchdog, "scheduler")


def watch(watchdog: Watchdog, *units: str) -> None:
    """Install the watchdog of a host for these units, or remove it where the host runs none of them."""
    variables = json.dumps({"watchdog_units": units})
    watchdog.cluster.playbook("molecule/watchdog/converge.yml", "-l", watchdog.host, "-e", variables)


def test_a_worker_that_hangs_or_is_dead_is_restarted_where_that_is_wanted(worker: Watchdog) -> None:
    assert worker.check() == "healthy"
    assert worker.last()["message"] == "the heartbeat is fresh (celery ping)"
    before, start = worker.pid(), time.monotonic()
    worker.sh(f"sudo kill -STOP {before}")
    assert worker.check() == "healthy"  # its log server, another process, answers; the next ping will tell
    with worker.limits(progress_interval=1):
        assert worker.check() == "hung"
        assert (worker.restarts(), worker.state(), worker.pid() != before) == (1, "active", True)
        wait(lambda: worker.check() == "healthy", 90, "the worker does not answer")
    figure("SIGSTOP of a worker, from the stop to a ping that is answered", time.monotonic() - start)
    worker.sh("sudo systemctl stop airflow-worker")
    assert worker.check() == "dead"
    assert (worker.restarts(), worker.state()) == (2, "active")


def test_a_worker_that_a_playbook_stopped_is_left_alone_until_it_is_started(worker: Watchdog) -> None:
    worker.cluster.playbook("playbooks/stop.yml", "-l", worker.host)
    assert (worker.check(), worker.state(), worker.restarts()) == ("paused", "inactive", 0)
    worker.cluster.playbook("playbooks/start.yml", "-l", worker.host)
    assert (worker.check(), worker.restarts()) == ("healthy", 0)
    assert worker.sh(f"ls {KEPT}/pause.json", check=False) == ""
