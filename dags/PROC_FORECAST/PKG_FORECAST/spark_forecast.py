"""The forecast of all shops as a Spark program: spark-submit spark_forecast.py YYYYMMDD."""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def main(day: str) -> None:
    spark = SparkSession.builder.appName(f"forecast_{day}").enableHiveSupport().getOrCreate()
    sales = spark.table("ngios.sales").where(F.col("yyyymmdd") == day)
    forecast = sales.groupBy("shop").agg((F.sum("amount") * 1.05).alias("forecast"))
    forecast.write.mode("overwrite").saveAsTable("ngios.sales_forecast")
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
