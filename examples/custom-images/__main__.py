"""Azure ML pipelines in custom Docker images, with Databricks before them and Data Factory around them."""

from pathlib import Path

from components.data_factory import DataFactory, DataFactoryArgs
from components.databricks import Databricks, DatabricksArgs
from components.lake import Lake, LakeArgs

from infra import program
from infra.platform import Platform

# The stack's settings, names and plan: all assets under ml/ and pipelines/, checked before anything is registered.
this = program.read(Path(__file__).parent)
# The same platform as the main project's, with a compute instance beside the cluster.
platform = Platform(this)
# Where the flights arrive, and what prepares them.
lake = Lake("lake", LakeArgs(platform=platform))
databricks = Databricks("databricks", DatabricksArgs(platform=platform, lake=lake))
# An image for each language, components, the pipeline, its schedule, and its endpoints.
assets = platform.deploy(requires=lake.ready)
# Prepares what arrives, and trains on the result.
DataFactory(
    "factory",
    DataFactoryArgs(
        platform=platform,
        lake=lake,
        databricks=databricks,
        endpoint=assets.resources["batch_endpoint"]["departures-training"].scoring_uri,
        table_id=assets.resources["data"]["daily-departures"].resource_id,
        poll_seconds=10,
    ),
)
platform.export(assets)
