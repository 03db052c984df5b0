"""The plan of a stack's assets, from the files under ml/ and pipelines/ and the stack's settings."""

import difflib
import functools
from collections.abc import Iterator
from pathlib import Path

import pulumi

from infra import NAMESPACE, naming
from infra.settings.assets import CONFIG_KEYS
from infra.settings.configuration import Configuration, ConfigurationError
from infra.settings.stack import Settings
from pulumi_azureml import Catalogue, CatalogueErrors, CatalogueSettings, ModelChoice, load_catalogue


class PlanError(pulumi.RunError):
    """Asset files have problems. The message has the file, line and fix of each. Nothing was changed."""


def plan(root: Path, configuration: Configuration, names: naming.Names) -> Catalogue:
    """Plan all assets below `root` for a stack.

    Raises:
        PlanError: An asset file has a problem.
        ConfigurationError: A setting names an endpoint or pipeline that no file defines, or an endpoint that Azure
            Monitor cannot scale. The message has each key and its fix.
    """
    settings = configuration.settings
    try:
        catalogue = load_catalogue(
            root,
            CatalogueSettings(
                computes=frozenset(cluster.name for cluster in settings.compute),
                datastores=frozenset(settings.assets.datastores),
                build_images=settings.image.build,
                # The name is known before the registry exists, so the plan does not depend on the resource.
                login_server=f"{names.container_registry}.azurecr.io",
                registry=settings.sharing.registry,
                config_keys=CONFIG_KEYS,
                models={
                    endpoint: ModelChoice(model.name, model.version, model.registry)
                    for endpoint, model in settings.models.items()
                },
                endpoint_name=functools.partial(naming.endpoint, settings.naming, configuration.stack),
            ),
        )
    except CatalogueErrors as errors:
        raise PlanError(str(errors)) from errors
    if problems := list(_problems(settings, catalogue, configuration.stack)):
        raise ConfigurationError("\n".join(problems))
    return catalogue


def _problems(settings: Settings, catalogue: Catalogue, stack: str) -> Iterator[str]:
    """Yield an error, with its fix, for each undefined endpoint or pipeline and each endpoint that cannot scale."""
    online, batch, pipelines = (
        [asset.name for asset in catalogue.of(kind)] for kind in ("online_endpoint", "batch_endpoint", "pipeline_job")
    )
    promoted = [(f'models["{name}"]', name, "promotes a model to", online + batch) for name in settings.models]
    scaled = [(f'rollout.autoscale["{name}"]', name, "scales", online) for name in settings.rollout.autoscale]
    named = [(f'naming.endpoints["{name}"]', name, "names", online + batch) for name in settings.naming.endpoints]
    for key, name, does, known in [*promoted, *scaled, *named]:
        if name not in known:
            yield (
                f"{NAMESPACE}:{key} {does} an endpoint that no file under ml/ defines; "
                f"{_hint(name, 'endpoints', known)}\n"
                f"      fix: pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}"
            )
    for key, name, _, _ in scaled:
        if name in online and "compute" in catalogue["online_endpoint", name].definition:
            yield (
                f"{NAMESPACE}:{key} scales a Kubernetes endpoint, which Azure Monitor cannot scale\n"
                f"      fix: use `scale_settings` with `type: target_utilization` in the deployment's YAML, and run\n"
                f"           pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}"
            )
    for number, name in enumerate(settings.assets.run):
        if name not in pipelines:
            key = f"{NAMESPACE}:assets.run[{number}]"
            yield (
                f"{key} runs pipelines/{name}.yml, which does not exist; {_hint(name, 'pipelines', pipelines)}\n"
                f"      fix: pulumi config rm --path '{key}' -s {stack}"
            )


def _hint(name: str, what: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"defined {what}: {', '.join(known) or 'none'}"
