"""Between the settings and the catalogue: what the catalogue must know of the stack, and what the outputs say of it."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from infra.catalogue import Catalogue, CatalogueErrors, CatalogueSettings, ModelChoice, load
from infra.configuration import Configuration, ConfigurationError
from infra.kinds import KINDS
from infra.naming import Names
from infra.outputs import Schedule

TRAINING_ENVIRONMENT = "ml/environments/training/environment.yml"
_VERSIONED = [name for name, kind in KINDS.items() if kind.versioned]


class PlanError(pulumi.RunError):
    """The asset files cannot be planned. The message names every wrong file, line and fix. Nothing was changed."""


def plan(root: Path, configuration: Configuration, names: Names) -> Catalogue:
    """Plan every asset below `root` for a stack.

    Raises:
        PlanError: an asset file is wrong.
        ConfigurationError: a model is promoted to an endpoint that does not exist.
    """
    settings = configuration.settings
    try:
        catalogue = load(
            root,
            KINDS,
            settings=CatalogueSettings(
                computes=frozenset(cluster.name for cluster in settings.compute),
                build_images=settings.image.build,
                # Known before the registry exists, which is why the plan needs no output of it.
                login_server=f"{names.container_registry}.azurecr.io",
                models={
                    endpoint: ModelChoice(model.name, model.version) for endpoint, model in settings.models.items()
                },
            ),
        )
    except CatalogueErrors as errors:
        raise PlanError(str(errors)) from errors
    endpoints = [asset.name for asset in catalogue.of("endpoint")]
    for endpoint in settings.models:
        if endpoint not in endpoints:
            near = difflib.get_close_matches(endpoint, endpoints, n=1)
            hint = f"did you mean {near[0]}?" if near else f"endpoints are: {', '.join(endpoints) or 'none'}"
            key = f'azureml-platform:models["{endpoint}"]'
            raise ConfigurationError(
                f"{key} promotes a model to an endpoint that no file under ml/ defines; {hint}\n"
                f"      fix: pulumi config rm --path '{key}' -s {configuration.stack}"
            )
    return catalogue


def versions(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Planned versions of the assets that have one in Azure Machine Learning: kind, then name, to version."""
    return {
        kind: {asset.name: asset.version for asset in sorted(assets, key=lambda asset: asset.name)}
        for kind in _VERSIONED
        if (assets := catalogue.of(kind))
    }


def endpoints(catalogue: Catalogue, resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Endpoints as the stack outputs have them; `resources` by kind and name."""
    return {
        asset.name: {
            "kind": "online",
            "auth_mode": asset.definition.get("auth_mode", "key"),
            "scoring_uri": resources[asset.kind][asset.name].scoring_uri,
            "deployment": resources[asset.kind][asset.name].live.apply(lambda live: live or None),
        }
        for asset in catalogue.of("endpoint")
    }


def schedules(catalogue: Catalogue) -> dict[str, Schedule]:
    """When each schedule fires."""
    triggers = {asset.name: asset.definition["trigger"] for asset in catalogue.of("schedule")}
    return {
        name: Schedule(
            trigger=trigger.get("expression") or f"every {trigger['interval']} {trigger['frequency']}",
            time_zone=trigger.get("time_zone", "UTC"),
        )
        for name, trigger in sorted(triggers.items())
    }
