"""The catalogue: every asset's YAML and code, read, resolved, hashed and validated before anything is registered.

Plain Python, and a pure function of the working tree and the settings: see `docs/assets.md`.
"""

from infra.catalogue.assets import Asset, AssetId, BuildPlan, reference
from infra.catalogue.catalogue import Catalogue, load, plan_given
from infra.catalogue.changes import Change, explain
from infra.catalogue.problems import CatalogueErrors, Problem
from infra.catalogue.settings import CatalogueSettings, ModelChoice

__all__ = [
    "Asset",
    "AssetId",
    "BuildPlan",
    "Catalogue",
    "CatalogueErrors",
    "CatalogueSettings",
    "Change",
    "ModelChoice",
    "Problem",
    "explain",
    "load",
    "plan_given",
    "reference",
]
