#!/usr/bin/env bash
# Submit one PySpark program to YARN: run_spark.sh PROGRAM [ARGUMENT...]
set -euo pipefail

: "${SPARK_HOME:?SPARK_HOME is not set; it belongs in the environment file of the Airflow services}"
exec "$SPARK_HOME/bin/spark-submit" --master yarn --deploy-mode cluster "$@"
