"""The Pulumi program of an Azure Machine Learning platform."""

from pathlib import Path

from infra import program
from infra.platform import Platform
from infra.reactions import react

# The stack's settings, names and plan: all assets under ml/ and pipelines/, checked before anything is registered.
this = program.read(Path(__file__).parent)
# Resource group, monitoring, storage, vault, registry, identities, roles, workspace, network, compute and sharing.
platform = Platform(this)
# Environments with their images, components, data, models, schedules, endpoints.
assets = platform.deploy()
# Alerts, and retraining after drift.
react(platform, assets)
# docs/stack-outputs.schema.json describes the outputs.
platform.export(assets)
