"""An hour of heavy load: the scheduler parses 500 DAGs while all cores are busy, and the watchdog must leave it alone.

SOAK_SECONDS says how long (default: 3600), SOAK_DAGS how many DAGs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.watchdog import Watchdog

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
DAGS = int(os.environ.get("SOAK_DAGS", "500"))
FOLDER = "/usr/hmg/2.2.1.0-552/airflow/dags/soak"
# One file for each DAG, which computes for a moment, as files do that read their tables while they are parsed.
WRITE = f"""
from pathlib import Path
for number in range({DAGS}):
    Path("{FOLDER}", f"soak_{{number:03}}.py").write_text(f'''
from datetime import datetime, timezone
from airflow import DAG
from airflow.operators.bash import BashOperator
sum(range(300_000))
with DAG("soak_{{number:03}}", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
    BashOperator(task_id="a", bash_command="true") >> BashOperator(task_id="b", bash_command="true")
''')
"""
OLDEST = """
select timestampdiff(second, max(latest_heartbeat), utc_timestamp()) from job
where job_type = 'SchedulerJob' and state = 'running'
"""
LOOK = 15.0  # seconds between two looks


@pytest.fixture
def loaded() -> Iterator[Watchdog]:
    """Return the watchdog of a cluster under load."""
    watchdog = Watchdog(Cluster.standing("prod"))
    watchdog.wait_until_healthy()
    watchdog.clear()
    cores = os.cpu_count() or 1
    watchdog.sh(f"sudo -u airflow mkdir -p {FOLDER}")
    watchdog.cluster.ssh(watchdog.cluster.scheduler, "sudo -u airflow python3 -", stdin=WRITE)
    for core in range(cores):
        watchdog.sh(f"sudo systemd-run -q --unit soak-load-{core} sh -c 'while :; do :; done'")
    try:
        yield watchdog
    finally:
        watchdog.sh(f"sudo systemctl stop 'soak-load-*'; sudo rm -rf {FOLDER}", check=False)


def test_heavy_load_is_no_reason_to_restart(loaded: Watchdog) -> None:
    before, until = loaded.pid(), time.monotonic() + SECONDS
    ages: list[float] = []
    while time.monotonic() < until:
        ages += [float(age) for row in loaded.cluster.sql(OLDEST) for age in row]
        time.sleep(LOOK)
    verdicts = [entry["verdict"] for entry in loaded.history()]
    parsed = loaded.cluster.sql("select count(*) from dag where dag_id like 'soak_%' and is_active")[0][0]
    print(f"\n{SECONDS:.0f} s, {parsed} of {DAGS} DAGs, oldest heartbeat {max(ages):.0f} s, verdicts {verdicts}")
    assert int(parsed) > 0, "no load"
    assert (loaded.restarts(), loaded.pid()) == (0, before), loaded.history()
