"""WORK_TEST: a TaskGroup, a message from conf, and XCom; TRIGGER_TEST runs it with a message."""

from __future__ import annotations

from airflow import DAG
from airflow.operators.bash import BashOperator  # not airflow.operator.bash_operator
from airflow.operators.empty import EmptyOperator  # was DummyOperator, which Airflow 3 no longer has
from airflow.operators.python import PythonOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.utils.task_group import TaskGroup

from NGIOS_UTIL.dag_defaults import (
    D_CATCHUP,
    D_OWNER,
    D_START_DATE,
    D_TRIGGER_RULE_DEFAULT,
    d_failure_callback,
    d_success_callback,
)

# They apply to every task of the DAG: each one that succeeds sends a mail.
default_args = {
    "start_date": D_START_DATE,
    "owner": D_OWNER,
    "on_success_callback": d_success_callback,
    "on_failure_callback": d_failure_callback,
    "trigger_rule": D_TRIGGER_RULE_DEFAULT,
}


def count_letters(ti) -> int:
    """Return how long the line was that bash_task printed last."""
    return len(ti.xcom_pull(task_ids="bash_task"))


with DAG(
    dag_id="WORK_TEST",
    default_args=default_args,
    schedule=None,
    catchup=D_CATCHUP,
    max_active_runs=1,
    tags=["TEST"],
) as work_test:
    with TaskGroup("section_1", tooltip="Tasks for section_1") as section_1:
        task_1 = EmptyOperator(task_id="task_1")
        task_2 = BashOperator(task_id="task_2", bash_command="echo 1")
        task_3 = EmptyOperator(task_id="task_3")
        task_1 >> task_2 >> task_3

    # conf reaches the shell as a variable, never as a part of the command: nobody can smuggle a command in.
    bash_task = BashOperator(
        task_id="bash_task",
        bash_command='echo "here is the message: $message"',
        env={"message": '{{ dag_run.conf.get("message", "") }}'},
        output_encoding="utf-8",
    )
    count = PythonOperator(task_id="count_letters", python_callable=count_letters)
    section_1 >> bash_task >> count

with DAG(
    dag_id="TRIGGER_TEST",
    default_args={**default_args, "on_success_callback": None},
    schedule=None,
    catchup=D_CATCHUP,
    tags=["TEST", "trigger"],
) as trigger_test:
    TriggerDagRunOperator(
        task_id="test_trigger_dagrun",
        trigger_dag_id="WORK_TEST",
        # One run a day, or one for the date of conf: the second time, reset_dag_run clears it and repeats it.
        trigger_run_id="TRIGGER_TEST__{{ dag_run.conf.get('P_YYYYMMDD', ds_nodash) }}",
        conf={"message": "Hello World, 안녕하세요"},
        wait_for_completion=True,
        reset_dag_run=True,
        poke_interval=5,
    )
