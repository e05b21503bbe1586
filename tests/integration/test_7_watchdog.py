"""The watchdog that site.yml installed: it runs every minute, costs little, and shows itself in status.yml."""

import re
import time

from lab.airflow_cluster import Cluster
from tests.faults.watchdog import DOOR, KEPT, Watchdog, wait

MANUAL = "sh /usr/hmg/2.2.1.0-552/airflow/dags/NGIOS_UTIL/serviceCheckAndRun.sh"
COST = """
import resource, subprocess, sys
for name, command in (
    ("watchdog", ["sh", "/usr/hmg/2.2.1.0-552/airflow/bin/serviceCheckAndRun.sh"]),
    ("jobs check", ["/usr/hmg/2.2.1.0-552/airflow/venv/bin/airflow", "jobs", "check", "--job-type", "SchedulerJob"]),
):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name}: {cpu:.3f} s of CPU, {after.ru_maxrss / 1024:.0f} MB")
"""


def test_cron_runs_it_every_minute(cluster: Cluster) -> None:
    watchdog = Watchdog(cluster)
    assert watchdog.sh("sudo crontab -l -u airflow | grep -v '^#'") == (
        "* * * * * sh /usr/hmg/2.2.1.0-552/airflow/bin/serviceCheckAndRun.sh"
    )
    wait(lambda: time.time() - watchdog.last().get("at", 0) < 90, 75, "cron did not run it")
    assert watchdog.last()["verdict"] == "healthy"


def test_the_manual_s_line_works_from_the_dags_folder(cluster: Cluster) -> None:
    watchdog = Watchdog(cluster)
    before = watchdog.last().get("at", 0)
    watchdog.sh(f"sudo -u airflow {MANUAL}")
    assert watchdog.last()["at"] > before


def test_building_and_delivering_never_made_it_act(cluster: Cluster) -> None:
    watchdog = Watchdog(cluster)
    assert watchdog.restarts() == 0, watchdog.history()


def test_a_check_costs_a_fraction_of_airflow_jobs_check(cluster: Cluster) -> None:
    watchdog = Watchdog(cluster)
    watchdog.sh(DOOR)
    done = cluster.ssh(cluster.scheduler, "sudo -iu airflow python3 -", stdin=COST)
    print(f"\n{done.stdout}")
    figures = re.findall(r"([\d.]+) s of CPU, (\d+) MB", done.stdout)
    (cpu, memory), (jobs_cpu, _) = [(float(cpu), int(memory)) for cpu, memory in figures]
    assert memory <= 30
    assert cpu < jobs_cpu / 5


def test_playbooks_pause_resume_and_show_it(cluster: Cluster) -> None:
    cluster.playbook("playbooks/watchdog_pause.yml", "-e", "watchdog_pause_reason=maintenance")
    status = cluster.playbook("playbooks/status.yml").stdout
    assert "paused by mbsadmin" in " ".join(status.split())
    assert "maintenance" in status
    assert "airflow-scheduler.service: healthy" in status
    cluster.playbook("playbooks/watchdog_resume.yml")
    assert Watchdog(cluster).sh(f"ls {KEPT}/pause.json", check=False) == ""
    assert "not paused" in cluster.playbook("playbooks/watchdog_status.yml").stdout
