"""The plan of a stack's assets: every file under ml/ and pipelines/, as the stack's settings have it."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import pulumi

from infra import NAMESPACE
from infra.naming import Names
from infra.settings.assets import CONFIG_KEYS
from infra.settings.configuration import Configuration, ConfigurationError
from infra.settings.stack import Settings
from pulumi_azureml import Catalogue, CatalogueErrors, CatalogueSettings, ModelChoice, load_catalogue


class PlanError(pulumi.RunError):
    """The asset files cannot be planned. The message names every wrong file, line and fix. Nothing was changed."""


def plan(root: Path, configuration: Configuration, names: Names) -> Catalogue:
    """Plan every asset below `root` for a stack.

    Raises:
        PlanError: an asset file is wrong.
        ConfigurationError: an endpoint or pipeline is configured that no file defines, or what Azure does not scale.
            The message names every such key and its fix.
    """
    settings = configuration.settings
    try:
        catalogue = load_catalogue(
            root,
            CatalogueSettings(
                computes=frozenset(cluster.name for cluster in settings.compute),
                datastores=frozenset(settings.assets.datastores),
                build_images=settings.image.build,
                # Known before the registry exists, which is why the plan needs no output of it.
                login_server=f"{names.container_registry}.azurecr.io",
                registry=settings.sharing.registry,
                config_keys=CONFIG_KEYS,
                models={
                    endpoint: ModelChoice(model.name, model.version) for endpoint, model in settings.models.items()
                },
            ),
        )
    except CatalogueErrors as errors:
        raise PlanError(str(errors)) from errors
    if problems := list(_problems(settings, catalogue, configuration.stack)):
        raise ConfigurationError("\n".join(problems))
    return catalogue


def _problems(settings: Settings, catalogue: Catalogue, stack: str) -> Iterator[str]:
    """Yield what the settings name and no file defines, or Azure does not scale; each with its fix."""
    online, batch, pipelines = (
        [asset.name for asset in catalogue.of(kind)] for kind in ("online_endpoint", "batch_endpoint", "pipeline_job")
    )
    promoted = [(f'models["{name}"]', name, "promotes a model to", online + batch) for name in settings.models]
    scaled = [(f'rollout.autoscale["{name}"]', name, "scales", online) for name in settings.rollout.autoscale]
    for key, name, does, known in [*promoted, *scaled]:
        if name not in known:
            yield (
                f"{NAMESPACE}:{key} {does} an endpoint that no file under ml/ defines; "
                f"{_hint(name, 'endpoints', known)}\n"
                f"      fix: pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}"
            )
    for key, name, _, _ in scaled:
        if name in online and "compute" in catalogue["online_endpoint", name].definition:
            yield (
                f"{NAMESPACE}:{key} scales a Kubernetes endpoint, which Azure Monitor does not scale\n"
                f"      fix: write `scale_settings` with `type: target_utilization` in its deployment's YAML, and\n"
                f"           pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}"
            )
    for number, name in enumerate(settings.assets.run):
        if name not in pipelines:
            key = f"{NAMESPACE}:assets.run[{number}]"
            yield (
                f"{key}: there is no pipelines/{name}.yml; {_hint(name, 'pipelines', pipelines)}\n"
                f"      fix: pulumi config rm --path '{key}' -s {stack}"
            )


def _hint(name: str, what: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"{what} are: {', '.join(known) or 'none'}"
