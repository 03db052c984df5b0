"""Count the departures and the mean delay of each day and airport with Spark. Arguments: source, target."""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f


def main(source: str, target: str) -> None:
    """Read the raw flights, and write one small CSV file."""
    spark = SparkSession.builder.getOrCreate()
    flights = spark.read.parquet(source)
    departed = flights.where(f.col("dep_delay").isNotNull())
    daily = departed.groupBy("date", "origin").agg(
        f.count("*").alias("departures"), f.round(f.avg("dep_delay"), 2).alias("delay")
    )
    daily.orderBy("date", "origin").coalesce(1).write.mode("overwrite").csv(target, header=True)
    print(f"{departed.count()} departures on {daily.count()} days and airports")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
