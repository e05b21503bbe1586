"""FORECAST_DAG: one task per shop, as many as a list says when the run starts; on Spark where there is one."""

from __future__ import annotations

import os

from airflow import DAG, XComArg
from airflow.operators.bash import BashOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator

from NGIOS_UTIL.config import DAGS_FOLDER, load_config
from NGIOS_UTIL.dag_defaults import D_CATCHUP, D_OWNER, D_START_DATE, D_TRIGGER_RULE_DEFAULT, d_failure_callback

default_args = {
    "start_date": D_START_DATE,
    "owner": D_OWNER,
    "on_failure_callback": d_failure_callback,
    "trigger_rule": D_TRIGGER_RULE_DEFAULT,
}


def choose_engine() -> str:
    """Return the task that follows: Spark where the service environment names one."""
    return "FORECAST_SPARK" if os.environ.get("SPARK_HOME") else "FORECAST_LIST"


def forecast_list() -> list[list[object]]:
    """Return the positional arguments of each mapped task."""
    config = load_config("forecast.json")
    return [[shop, config["growth_percent"]] for shop in config["shops"]]


def forecast(shop: str, growth_percent: int) -> str:
    """Return the forecast of one shop as text (a sample: every shop sold a hundred)."""
    name = load_config("code map.json")[shop]
    return f"{name} {100 + growth_percent}"


def summary(ti) -> str:
    """Return all forecasts in one line; empty after Spark, which writes a table."""
    return ", ".join(ti.xcom_pull(task_ids="FORECAST") or [])


with DAG(
    dag_id="FORECAST_DAG",
    default_args=default_args,
    schedule=None,
    catchup=D_CATCHUP,
    tags=["FORECAST", "mapping", "spark"],
) as dag:
    CHOOSE_ENGINE = BranchPythonOperator(task_id="CHOOSE_ENGINE", python_callable=choose_engine)
    FORECAST_LIST = PythonOperator(task_id="FORECAST_LIST", python_callable=forecast_list)
    FORECAST = PythonOperator.partial(
        task_id="FORECAST",
        python_callable=forecast,
    ).expand(op_args=XComArg(FORECAST_LIST))
    FORECAST_SPARK = BashOperator(
        task_id="FORECAST_SPARK",
        bash_command='"$UTIL/run_spark.sh" "$PROGRAM" "$P_YYYYMMDD"',
        env={
            "UTIL": str(DAGS_FOLDER / "NGIOS_UTIL"),
            "PROGRAM": str(DAGS_FOLDER / "PROC_FORECAST/PKG_FORECAST/spark_forecast.py"),
            "P_YYYYMMDD": '{{ dag_run.conf.get("P_YYYYMMDD") }}',
        },
        append_env=True,  # SPARK_HOME and HADOOP_CONF_DIR come from the service environment
    )
    # One of the two ways is always skipped, so all_success would skip the summary too.
    SUMMARY = PythonOperator(task_id="SUMMARY", python_callable=summary, trigger_rule="none_failed_min_one_success")

    CHOOSE_ENGINE >> [FORECAST_LIST, FORECAST_SPARK]
    [FORECAST, FORECAST_SPARK] >> SUMMARY
