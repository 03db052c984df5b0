"""The Pulumi program: the platform, a Kubernetes cluster that is attached to it, and what the pipeline needs there."""

from pathlib import Path

from cluster import settings
from cluster.kubernetes import Cluster, ClusterArgs
from cluster.objects import Objects, ObjectsArgs

from infra import program
from infra.platform import Platform

here = settings.read()
platform = Platform(program.read(Path(__file__).parent))
cluster = Cluster("cluster", ClusterArgs(platform=platform, settings=here))
objects = Objects("objects", ObjectsArgs(cluster=cluster, settings=here))
assets = platform.deploy(requires=[objects])
platform.export(assets)
objects.export()
