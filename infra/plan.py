"""The plan of a stack's assets, from the files under ml/ and pipelines/ and the stack's settings."""

import difflib
import functools
from collections.abc import Iterator
from pathlib import Path

import pulumi

from infra import NAMESPACE, gates, naming
from infra.settings.assets import CONFIG_KEYS
from infra.settings.configuration import Configuration, ConfigurationError
from infra.settings.network import Isolation
from infra.settings.stack import Settings
from pulumi_azureml import Catalogue, CatalogueErrors, CatalogueSettings, Folders, ModelChoice, load_catalogue


class PlanError(pulumi.RunError):
    """Asset files have problems. The message has the file, line and fix of each. Nothing was changed."""


def plan(root: Path, configuration: Configuration, names: naming.Names) -> Catalogue:
    """Plan all assets below `root` for a stack.

    Raises:
        PlanError: An asset file has a problem.
        ConfigurationError: A setting names an endpoint or pipeline that no file defines or that the stack leaves out,
            an endpoint that does not take a promoted model, or one that Azure Monitor cannot scale. The message has
            each key and its fix.
    """
    settings = configuration.settings
    gate_problems = gates.problems(root)
    try:
        catalogue = load_catalogue(
            root,
            CatalogueSettings(
                computes=frozenset(settings.compute_targets),
                datastores=frozenset({*settings.assets.datastores, naming.COLLECTED_DATASTORE}),
                build_images=settings.image.build,
                # The name is known before the registry exists, so the plan does not depend on the resource.
                login_server=f"{names.container_registry}.azurecr.io",
                registry=settings.sharing.registry,
                folders=Folders(files=tuple(settings.assets.files)),
                config_keys=CONFIG_KEYS,
                overrides=settings.overrides.planned,
                models={
                    endpoint: ModelChoice(model.name, model.version, model.registry)
                    for endpoint, model in settings.models.items()
                },
                public_endpoints=settings.network.endpoints_are_public,
                endpoint_name=functools.partial(naming.endpoint, settings.naming, configuration.stack),
            ),
        )
    except CatalogueErrors as errors:
        raise PlanError(str(CatalogueErrors([*errors.problems, *gate_problems]))) from errors
    if gate_problems:
        raise PlanError(str(CatalogueErrors(gate_problems)))
    for pipeline in catalogue.of("pipeline_job"):
        if wrong := list(gates.override_problems(root, catalogue, pipeline.definition)):
            raise PlanError("\n".join(f"{pipeline.path}: {each}" for each in wrong))
    if problems := list(_problems(settings, catalogue, configuration.stack)):
        raise ConfigurationError("\n".join(problems))
    for warning in catalogue.warnings:
        pulumi.warn(str(warning))
    for asset in catalogue.of("schedule"):
        if "create_monitor" in asset.definition:
            pulumi.warn(
                f"{asset.path}: a monitor of Azure Machine Learning reads datastores with credentials only, and those "
                "of this platform's workspace have none. See docs/monitoring.md."
            )
    return catalogue


def _problems(settings: Settings, catalogue: Catalogue, stack: str) -> Iterator[str]:
    """Yield an error, with its fix, for each setting that does not fit the files."""
    online, batch, pipelines = (
        [asset.name for asset in catalogue.of(kind)] for kind in ("online_endpoint", "batch_endpoint", "pipeline_job")
    )
    promoted = [(f'models["{name}"]', name, "promotes a model to", online + batch) for name in settings.models]
    scaled = [(f'rollout.autoscale["{name}"]', name, "scales", online) for name in settings.rollout.autoscale]
    excluded = {each.id.name: each.option for each in catalogue.excluded}
    # A name in Azure may stay in the stack file while the endpoint is left out.
    names = [*online, *batch, *excluded]
    named = [(f'naming.endpoints["{name}"]', name, "names", names) for name in settings.naming.endpoints]
    for key, name, does, known in [*promoted, *scaled, *named]:
        if name in excluded and name not in known:
            yield (
                f"{NAMESPACE}:{key} {does} an endpoint that the stack leaves out, because {excluded[name]} is true\n"
                f"      fix: pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}, or remove `exclude`"
            )
        elif name not in known:
            yield (
                f"{NAMESPACE}:{key} {does} an endpoint that no file under ml/ defines; "
                f"{_hint(name, 'endpoints', known)}\n"
                f"      fix: pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}"
            )
    for key, name, _, _ in promoted:
        fixed = _fixed_models(catalogue, name)
        if fixed:
            yield (
                f"{NAMESPACE}:{key} promotes a model to an endpoint whose deployment does not take one: its file names "
                f"the version, or it runs a pipeline component\n"
                f"      fix: write `model: azureml:NAME@latest` in {fixed}, or run\n"
                f"           pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}"
            )
    for key, name, _, _ in scaled:
        if name in online and "compute" in catalogue["online_endpoint", name].definition:
            yield (
                f"{NAMESPACE}:{key} scales a Kubernetes endpoint, which Azure Monitor cannot scale\n"
                f"      fix: use `scale_settings` with `type: target_utilization` in the deployment's YAML, and run\n"
                f"           pulumi config rm --path '{NAMESPACE}:{key}' -s {stack}"
            )
    yield from _unbuildable(settings, catalogue, stack)
    yield from _on_instances(settings, catalogue)
    if settings.monitoring.retrain is not None:
        yield from _without_schedule(settings.monitoring.retrain.schedule, catalogue, stack)
    for number, name in enumerate(settings.assets.run):
        if name not in pipelines:
            key = f"{NAMESPACE}:assets.run[{number}]"
            yield (
                f"{key} runs pipelines/{name}.yml, which does not exist; {_hint(name, 'pipelines', pipelines)}\n"
                f"      fix: pulumi config rm --path '{key}' -s {stack}"
            )


def _without_schedule(name: str, catalogue: Catalogue, stack: str) -> Iterator[str]:
    """Yield an error if the schedule that retraining starts does not exist, or starts no pipeline."""
    key = f"{NAMESPACE}:monitoring.retrain.schedule"
    schedules = {asset.name: "create_job" in asset.definition for asset in catalogue.of("schedule")}
    if not schedules.get(name):
        startable = [each for each, starts_job in schedules.items() if starts_job]
        hint = _hint(name, "schedules", startable)
        reason = "starts no pipeline" if name in schedules else f"does not exist in this stack; {hint}"
        yield (
            f"{key} names schedule {name}, which {reason}\n"
            f"      fix: pulumi config set --path '{key}' <the schedule of a training pipeline> -s {stack}"
        )


def _unbuildable(settings: Settings, catalogue: Catalogue, stack: str) -> Iterator[str]:
    """Yield an error if a cluster builds images that need packages and cannot reach a host that has them."""
    network = settings.network
    if not network.restricted or network.isolation is not Isolation.APPROVED_OUTBOUND or network.outbound.hosts:
        return
    files = [
        asset.path
        for asset in catalogue.of("environment")
        if asset.registry is None and not asset.build and asset.definition.keys() & {"build", "conda_file"}
    ]
    if files:
        yield (
            f"{NAMESPACE}:network.outbound.hosts is empty, and compute {settings.compute[0].name} builds the images of "
            f"{', '.join(files)} in the managed network, where it reaches no package repository\n"
            f"      fix: add the hosts that the builds need to network.outbound.hosts in Pulumi.{stack}.yaml,\n"
            "           or use build contexts and image.build: true, so that pulumi up builds the images;\n"
            "           docs/network/isolated.md says where Microsoft lists common hosts"
        )


def _on_instances(settings: Settings, catalogue: Catalogue) -> Iterator[str]:
    """Yield an error for each batch deployment that runs on a compute instance, which Azure refuses."""
    instances = {instance.name.lower() for instance in settings.instances}
    for asset in catalogue.of("batch_deployment"):
        wanted = asset.definition.get("compute") or (asset.definition.get("settings") or {}).get("default_compute")
        name = str(wanted or "").removeprefix("azureml:")
        if name.lower() in instances:
            yield (
                f"{asset.path} runs on {name}, which is a compute instance; batch deployments run on clusters\n"
                f"      fix: name one of {', '.join(cluster.name for cluster in settings.compute)} in {asset.path}"
            )


def _fixed_models(catalogue: Catalogue, endpoint: str) -> str:
    """Return the files of an endpoint's deployments if none takes a promoted model, or an empty string otherwise."""
    deployments = [
        each
        for kind in ("online_deployment", "batch_deployment")
        for each in catalogue.of(kind)
        if each.name.startswith(f"{endpoint}/")
    ]
    return "" if any(each.serves for each in deployments) else ", ".join(each.path for each in deployments)


def _hint(name: str, what: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"defined {what}: {', '.join(known) or 'none'}"
