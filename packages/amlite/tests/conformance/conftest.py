"""The real Azure clients against amlite, by the fixtures of its own pytest plugin."""

from amlite_fixtures.azure import amlite, cluster, identity_workspace, registry
from amlite_fixtures.scoring import empty, make_deployment, make_model, serving_environment, shared

__all__ = [
    "amlite", "cluster", "empty", "identity_workspace", "make_deployment", "make_model", "registry",
    "serving_environment", "shared",
]  # fmt: skip
