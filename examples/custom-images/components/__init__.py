"""The parts that this example adds to the platform: a data lake, Databricks, and Data Factory."""
