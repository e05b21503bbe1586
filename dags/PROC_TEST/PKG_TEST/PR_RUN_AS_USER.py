"""RUN_AS_USER_TEST: tasks that run as the account hmgetl, not as airflow; its accounts are in airflow_run_as_users."""

from __future__ import annotations

import getpass

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

from NGIOS_UTIL.dag_defaults import (
    D_CATCHUP,
    D_OWNER,
    D_RUN_AS_USER,
    D_START_DATE,
    D_TRIGGER_RULE_DEFAULT,
    d_failure_callback,
    d_success_callback,
)

default_args = {
    "start_date": D_START_DATE,
    "owner": D_OWNER,
    "run_as_user": D_RUN_AS_USER,
    "on_success_callback": d_success_callback,
    "on_failure_callback": d_failure_callback,
    "trigger_rule": D_TRIGGER_RULE_DEFAULT,
}

with DAG(
    dag_id="RUN_AS_USER_TEST",
    default_args=default_args,
    schedule=None,
    catchup=D_CATCHUP,
    tags=["TEST", "run_as_user"],
) as dag:
    bash_user = BashOperator(task_id="bash_user", bash_command="id -un")
    python_user = PythonOperator(task_id="python_user", python_callable=getpass.getuser)
    bash_user >> python_user
