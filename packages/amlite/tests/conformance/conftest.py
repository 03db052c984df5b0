"""The real Azure clients against amlite, by the fixtures of its own pytest plugin."""

from __future__ import annotations

import pytest

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import amlite, cluster, registry
from amlite_fixtures.scoring import empty, make_deployment, make_model, serving_environment, shared

__all__ = [
    "amlite", "cluster", "empty", "make_deployment", "make_model", "registry", "serving_environment", "shared",
]  # fmt: skip


@pytest.fixture(scope="session")
def identity_workspace(amlite: LocalAzure) -> Workspace:
    """Return a workspace whose datastores sign in by identity, on an account that refuses keys."""
    return Workspace.create(amlite, "mlw-identity", identity=True)
