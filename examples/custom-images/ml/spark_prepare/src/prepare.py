"""Count the departures of each day and airport, with Spark. Runs on serverless Spark and on Databricks."""

import argparse

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f


def daily(flights: DataFrame) -> DataFrame:
    """Return date, origin, departures and mean_delay. A flight without a delay was cancelled."""
    # pandas writes a missing number as NaN, which is not NULL in Spark.
    departed = flights.where(f.col("dep_delay").isNotNull() & ~f.isnan("dep_delay"))
    found = departed.groupBy("date", "origin").agg(
        f.count("*").alias("departures"), f.round(f.avg("dep_delay"), 2).alias("mean_delay")
    )
    return found.orderBy("date", "origin")


def main() -> None:
    """Read the arguments and write one CSV file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flights", required=True)
    parser.add_argument("--daily", required=True)
    given = parser.parse_args()
    spark = SparkSession.builder.getOrCreate()
    table = daily(spark.read.parquet(given.flights)).coalesce(1)
    table.write.mode("overwrite").option("header", "true").csv(given.daily)
    print(f"{table.count()} rows")


if __name__ == "__main__":
    main()
