"""MAIN_DAG: decides in Python whether today is a working day of the pipeline, then runs its DAGs one after the other.

cron says "every day at seven"; _check_schedule says which of these days. So switching the DAG on at any other time
runs nothing: Airflow starts the last missed schedule at once, and the check ends it. A run that somebody triggers by
hand is meant, and runs.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone

from airflow import DAG
from airflow.operators.python import ShortCircuitOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator

from NGIOS_UTIL.config import load_config
from NGIOS_UTIL.dag_defaults import D_CATCHUP, D_OWNER, D_START_DATE, D_TRIGGER_RULE_DEFAULT, d_failure_callback
from NGIOS_UTIL.schedule_rule import Rule, reason_to_skip

default_args = {
    "start_date": D_START_DATE,
    "owner": D_OWNER,
    "on_failure_callback": d_failure_callback,
    "trigger_rule": D_TRIGGER_RULE_DEFAULT,
}


def _check_schedule(ti, dag_run, data_interval_end) -> bool:
    """Return whether this run may go on; hand the business date on as P_YYYYMMDD."""
    rule = Rule.from_config(load_config("schedule.json")["MAIN_DAG"])
    day = dag_run.conf.get("P_YYYYMMDD") or data_interval_end.astimezone(rule.timezone).strftime("%Y%m%d")
    ti.xcom_push(key="P_YYYYMMDD", value=day)
    if dag_run.run_type == "manual":
        return True
    reason = reason_to_skip(due=data_interval_end, now=datetime.now(timezone.utc), rule=rule)
    if reason:
        logging.getLogger(__name__).info("이번 실행은 건너뜁니다: %s", reason)
    return reason is None


def run_dag(dag_id: str) -> TriggerDagRunOperator:
    """Run another DAG for the business date and wait for it; the same date again clears and repeats its run."""
    day = "{{ ti.xcom_pull(task_ids='check_schedule', key='P_YYYYMMDD') }}"
    return TriggerDagRunOperator(
        task_id=f"run_{dag_id}",
        trigger_dag_id=dag_id,
        trigger_run_id=f"MAIN_DAG__{day}",
        conf={"P_YYYYMMDD": day},
        wait_for_completion=True,
        reset_dag_run=True,
        poke_interval=5,
    )


with DAG(
    dag_id="MAIN_DAG",
    default_args=default_args,
    schedule="0 7 * * *",
    catchup=D_CATCHUP,
    max_active_runs=1,
    tags=["MAIN", "schedule"],
) as dag:
    check_schedule = ShortCircuitOperator(task_id="check_schedule", python_callable=_check_schedule)
    check_schedule >> run_dag("RECV_DAG") >> run_dag("FORECAST_DAG") >> run_dag("MONTHLY_REPORT")
