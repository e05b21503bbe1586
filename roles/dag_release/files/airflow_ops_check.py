"""The DAG of playbooks/check.yml: one task on each worker, through the worker's own queue.

It is part of every DAG release. The workers come from AIRFLOW_HOME/cluster.json, which the installation writes.
"""

import json
import os
import socket
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow import DAG
from airflow.operators.python import PythonOperator

CLUSTER = json.loads((Path(os.environ["AIRFLOW_HOME"]) / "cluster.json").read_text(encoding="utf-8"))


def say_where() -> None:
    """Print the line that check.yml looks for in the log."""
    print(f"airflow_ops_check ran on {socket.gethostname()}")


with DAG(
    dag_id="airflow_ops_check",
    description="One task on each worker, started by playbooks/check.yml",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=4,
    # A run that waits for a worker that is down ends by itself, also when check.yml was interrupted.
    dagrun_timeout=timedelta(minutes=10),
    default_args={"owner": "airflow_ops", "retries": 0, "priority_weight": 100},
    tags=["airflow_ops"],
) as dag:
    for worker in CLUSTER["workers"]:
        PythonOperator(task_id=worker, queue=worker, python_callable=say_where)
