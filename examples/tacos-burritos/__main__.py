"""The Pulumi program: the platform, a Kubernetes cluster that is attached to it, and the pipeline."""

from pathlib import Path

from cluster import settings
from cluster.kubernetes import Cluster, ClusterArgs
from cluster.objects import CLAIM, Objects, ObjectsArgs
from declared_runs import declare
from stored.pipelines import Pipelines, PipelinesArgs

from infra import program
from infra.platform import Platform

root = Path(__file__).parent
here = settings.read()
platform = Platform(program.read(root))
# What the pipeline needs: a cluster, its identities, a service account and a volume.
cluster = Cluster("cluster", ClusterArgs(platform=platform, settings=here))
objects = Objects("objects", ObjectsArgs(cluster=cluster, settings=here))
# An image for each step, the environment of the model server, and the endpoint.
assets = platform.deploy(requires=[objects])
# The compiled pipeline with these images, and its recurring runs.
pipelines = Pipelines(
    "pipelines",
    PipelinesArgs(
        platform=platform,
        compiled=root / "kubeflow" / "tacos-burritos.yaml",
        claims=[CLAIM],
        runs=here.runs,
        recurring=here.recurring_runs,
    ),
)
declare(here.runs, cluster, objects, assets, pipelines)
platform.export(assets)
objects.export()
pipelines.export()
