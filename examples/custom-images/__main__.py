"""Azure Machine Learning pipelines in custom Docker images."""

from pathlib import Path

from infra import program
from infra.platform import Platform

# The stack's settings, names and plan: all assets under ml/ and pipelines/, checked before anything is registered.
this = program.read(Path(__file__).parent)
# The same platform as the main project's, with a compute instance beside the cluster.
platform = Platform(this)
# An image for each language, components, the pipeline, its schedule, and its endpoint.
assets = platform.deploy()
platform.export(assets)
