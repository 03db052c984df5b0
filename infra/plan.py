"""Between the settings and the catalogue: what the catalogue must know of the stack, and what the outputs say of it."""

import difflib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pulumi

from infra.configuration import NAMESPACE, Configuration, ConfigurationError
from infra.naming import Names
from infra.outputs import Schedule
from infra.rollout_settings import Rollout as RolloutSettings
from infra.settings import Assets as AssetSettings
from infra.settings import Settings
from pulumi_azureml.kinds import KINDS
from pulumi_azureml.kinds.batch_endpoint import default_deployment
from pulumi_azureml.kinds.endpoint import AutoscaleArgs, ChecksArgs, RolloutArgs
from pulumi_azureml.planning import Asset, Catalogue, CatalogueErrors, CatalogueSettings, ModelChoice, load
from pulumi_azureml.planning.triggers import next_fire_times

TRAINING_ENVIRONMENT = "ml/environments/training/environment.yml"
_VERSIONED = [name for name, kind in KINDS.items() if kind.versioned]


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
        catalogue = load(
            root,
            KINDS,
            settings=CatalogueSettings(
                computes=frozenset(cluster.name for cluster in settings.compute),
                datastores=frozenset(settings.assets.datastores),
                build_images=settings.image.build,
                # Known before the registry exists, which is why the plan needs no output of it.
                login_server=f"{names.container_registry}.azurecr.io",
                registry=settings.sharing.registry,
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


def runs(settings: AssetSettings) -> dict[str, int]:
    """Pipelines that an update runs, and how many minutes it waits for each."""
    return dict.fromkeys(settings.run, settings.run_timeout_minutes)


def _problems(settings: Settings, catalogue: Catalogue, stack: str) -> Iterator[str]:
    """Yield what the settings name and no file defines, or Azure does not scale; each with its fix."""
    online, batch, pipelines = (
        [asset.name for asset in catalogue.of(kind)] for kind in ("endpoint", "batch_endpoint", "pipeline")
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
        if name in online and "compute" in catalogue["endpoint", name].definition:
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


def rollout(settings: RolloutSettings) -> RolloutArgs:
    """How new deployments take over."""
    checks = ChecksArgs(**settings.checks.model_dump(mode="json"))
    return RolloutArgs(tuple(settings.steps), settings.bake_seconds, checks)


def autoscale(settings: RolloutSettings) -> dict[str, AutoscaleArgs]:
    """How each endpoint's deployments scale."""
    return {endpoint: AutoscaleArgs(**rules.model_dump()) for endpoint, rules in settings.autoscale.items()}


def versions(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Planned versions of the assets that have one in Azure Machine Learning: kind, then name, to version."""
    return {
        kind: {asset.name: asset.version for asset in sorted(assets, key=lambda asset: asset.name)}
        for kind in _VERSIONED
        if (assets := catalogue.of(kind))
    }


def endpoints(catalogue: Catalogue, resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Endpoints as the stack outputs have them; `resources` by kind and name."""
    serves = {
        asset.name.partition("/")[0]: asset.serves
        for kind in ("deployment", "batch_deployment")
        for asset in catalogue.of(kind)
        if asset.serves is not None
    }
    online = {
        asset.name: {
            "kind": "online",
            "auth_mode": asset.definition.get("auth_mode", "key"),
            "scoring_uri": resources[asset.kind][asset.name].scoring_uri,
            "deployment": resources[asset.kind][asset.name].live.apply(lambda live: live or None),
            "serves": serves.get(asset.name),
        }
        for asset in catalogue.of("endpoint")
    }
    batch = {
        asset.name: {
            "kind": "batch",
            "auth_mode": "aad_token",
            "scoring_uri": resources[asset.kind][asset.name].scoring_uri,
            "deployment": _default_deployment(asset, resources.get("batch_deployment", {})),
            "serves": serves.get(asset.name),
        }
        for asset in catalogue.of("batch_endpoint")
    }
    return online | batch


def _default_deployment(endpoint: Asset, deployments: Mapping[str, Any]) -> pulumi.Output[str] | None:
    """Return the name in Azure of the deployment that an invocation begins by default; None when there is none yet."""
    default = default_deployment(endpoint.definition)
    for name, made in deployments.items():
        of, _, deployment = name.partition("/")
        if of == endpoint.name and default in (None, deployment):
            return cast("pulumi.Output[str]", made.live)
    return None


def jobs(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Jobs as the stack outputs have them; `resources` by kind and name."""
    return {
        name: {
            "name": made.job,
            **{each: getattr(made, each) for each in ("status", "studio_url", "metrics", "outputs")},
            "model": made.model.apply(lambda model: model or None),
        }
        for name, made in resources.get("pipeline_job", {}).items()
    }


def schedules(catalogue: Catalogue, now: datetime) -> dict[str, Schedule]:
    """When each schedule fires after `now`, an aware moment."""
    return {
        asset.name: _schedule(asset.definition["trigger"], asset.definition.get("is_enabled", True), now)
        for asset in sorted(catalogue.of("schedule"), key=lambda asset: asset.name)
    }


def _schedule(trigger: dict[str, Any], is_enabled: bool, now: datetime) -> Schedule:
    times = next_fire_times(trigger, now) if is_enabled else []
    return Schedule(
        trigger=trigger.get("expression") or f"every {trigger['interval']} {trigger['frequency']}",
        time_zone=trigger.get("time_zone", "UTC"),
        is_enabled=is_enabled,
        next_fire_times=[time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times],
    )
