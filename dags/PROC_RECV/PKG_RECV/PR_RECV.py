"""RECV_DAG: wait for the file of an inbound interface, then read it."""

from __future__ import annotations

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import PythonOperator
from airflow.sensors.python import PythonSensor  # not airflow.sensor.python

from NGIOS_UTIL.dag_defaults import D_CATCHUP, D_OWNER, D_START_DATE, D_TRIGGER_RULE_DEFAULT, d_failure_callback
from PROC_RECV.PKG_RECV import recv

# Seconds. Short, so that a demo shows both endings; where a file may come hours later, add mode="reschedule": it frees
# the worker's slot between two looks.
T_POKE_INTERVAL = 3
T_TIMEOUT = 15

default_args = {
    "start_date": D_START_DATE,
    "owner": D_OWNER,
    "on_failure_callback": d_failure_callback,
    "trigger_rule": D_TRIGGER_RULE_DEFAULT,
}
conf_fname = "receive_sales.json"
op_kwargs = {
    "conf_fname": conf_fname,
    "P_YYYYMMDD": '{{ dag_run.conf.get("P_YYYYMMDD") }}',
}

with DAG(
    dag_id="RECV_DAG",
    default_args=default_args,
    schedule=None,
    catchup=D_CATCHUP,
    tags=["RECV", "sftp", "ftp"],
) as dag:
    wait_for_input_file = PythonSensor(
        task_id="wait_for_input_file",
        python_callable=recv.sftp_sensor,
        op_kwargs=op_kwargs,
        poke_interval=T_POKE_INTERVAL,
        timeout=T_TIMEOUT,
    )
    read_input_file = PythonOperator(task_id="read_input_file", python_callable=recv.sftp_read, op_kwargs=op_kwargs)
    list_ftp = PythonOperator(task_id="list_ftp", python_callable=recv.ftp_list, op_args=[conf_fname])
    # Runs only when the wait was in vain: the place for a task that asks the sender.
    file_missing = EmptyOperator(task_id="file_missing", trigger_rule="one_failed")

    wait_for_input_file >> [read_input_file, file_missing]
    read_input_file >> list_ftp
