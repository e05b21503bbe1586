"""MONTHLY_REPORT: a DAG in a folder whose name has a space and Korean letters, reading a file beside it."""

from __future__ import annotations

import json
from pathlib import Path

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

from NGIOS_UTIL.config import DAGS_FOLDER
from NGIOS_UTIL.dag_defaults import D_CATCHUP, D_OWNER, D_START_DATE, D_TRIGGER_RULE_DEFAULT, d_failure_callback

FORM = Path(__file__).parent / "보고서 양식.json"

default_args = {
    "start_date": D_START_DATE,
    "owner": D_OWNER,
    "on_failure_callback": d_failure_callback,
    "trigger_rule": D_TRIGGER_RULE_DEFAULT,
}


def write_report(ti, P_YYYYMMDD: str) -> str:
    """Return the report as text."""
    form = json.loads(FORM.read_text(encoding="utf-8"))
    checked = ti.xcom_pull(task_ids="check_form")
    return f"{form['title']} ({P_YYYYMMDD})\n{checked}\n{form['footer']}"


with DAG(
    dag_id="MONTHLY_REPORT",
    default_args=default_args,
    schedule=None,
    catchup=D_CATCHUP,
    tags=["REPORT"],
) as dag:
    # The script runs by its own executable bit. Without the argument the command would end in ".sh", and Airflow
    # would look for a template file of that name.
    check_form = BashOperator(
        task_id="check_form",
        bash_command='"$UTIL/check_file.sh" "$FORM"',
        env={"UTIL": str(DAGS_FOLDER / "NGIOS_UTIL"), "FORM": str(FORM), "LC_ALL": "C.UTF-8"},
        output_encoding="utf-8",
    )
    report = PythonOperator(
        task_id="write_report",
        python_callable=write_report,
        op_kwargs={"P_YYYYMMDD": '{{ dag_run.conf.get("P_YYYYMMDD") }}'},
    )
    check_form >> report
