"""Twenty minutes without database, then without broker: every service comes back by itself (OUTAGE_SECONDS=1200)."""

from __future__ import annotations

import os

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.outages import BROKER, DATABASE, nobody_helps, outage, wait_until_all_run

SECONDS = float(os.environ.get("OUTAGE_SECONDS", "1200"))


@pytest.mark.parametrize("server", [DATABASE, BROKER])
def test_all_services_come_back_after_a_long_outage(server: str) -> None:
    cluster = Cluster.standing("prod")
    with nobody_helps(cluster):
        outage(cluster, [server], SECONDS)
        wait_until_all_run(cluster)
