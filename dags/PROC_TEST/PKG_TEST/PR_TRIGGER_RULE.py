"""TRIGGER_RULE_TEST: every trigger rule above one task that succeeds, one that fails and one that is skipped.

The failure is meant: it shows the rules and the mail of a failed task.
"""

from __future__ import annotations

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.empty import EmptyOperator

from NGIOS_UTIL.dag_defaults import D_CATCHUP, D_OWNER, D_START_DATE, d_failure_callback

default_args = {
    "start_date": D_START_DATE,
    "owner": D_OWNER,
    "on_failure_callback": d_failure_callback,
}

# rule -> the tasks above it; with these it is met
MET = {
    "all_success": ["ok"],
    "all_failed": ["bad"],
    "all_done": ["ok", "bad", "skipped"],
    "one_failed": ["ok", "bad"],
    "one_success": ["ok", "bad"],
    "none_failed": ["ok", "skipped"],
    "none_failed_min_one_success": ["ok", "skipped"],
    "none_skipped": ["ok", "bad"],
    "always": ["ok", "bad", "skipped"],
}
# and with these it is not
NOT_MET = {
    "all_success": ["ok", "bad"],
    "all_failed": ["ok", "bad"],
    "one_failed": ["ok"],
    "one_success": ["bad"],
    "none_failed": ["ok", "bad"],
    "none_failed_min_one_success": ["skipped"],
    "none_skipped": ["ok", "skipped"],
}

with DAG(
    dag_id="TRIGGER_RULE_TEST",
    default_args=default_args,
    schedule=None,
    catchup=D_CATCHUP,
    tags=["TEST", "trigger_rule"],
) as dag:
    above = {
        "ok": EmptyOperator(task_id="ok"),
        "bad": BashOperator(task_id="bad", bash_command="echo 일부러 실패합니다; exit 1"),
        "skipped": BashOperator(task_id="skipped", bash_command="exit 99"),  # 99 means: skip this task
    }
    # The only task at the end, so the run succeeds in spite of the failure above.
    end = EmptyOperator(task_id="end", trigger_rule="all_done")
    for prefix, rules in (("met", MET), ("not_met", NOT_MET)):
        for rule, names in rules.items():
            [above[name] for name in names] >> EmptyOperator(task_id=f"{prefix}_{rule}", trigger_rule=rule) >> end
