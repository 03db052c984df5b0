"""The gate part of a preview: why the models that its rollouts bring were accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from pulumi_azureml.operations import deployed_model
from release.assets.sharing import ORIGIN_TAG
from release.planned import PlannedResource
from release.preview.document import GateResult

# Tags of a registered version: see ml/register.
_REASON, _JOB = "gate", "pipeline_job"
_LONGEST_NUMBER = 15  # digits of a hash are longer


def part(planned: Iterable[PlannedResource]) -> list[GateResult] | None:
    """Return the gate's decision about each model that a deployment would serve instead of another one.

    The tags of its version say it, in the workspace and in a registry. None if a version cannot be read. A version that
    no gate accepted is left out. Sends no request if no deployment serves another model.
    """
    from azure.core.exceptions import AzureError  # slow to import

    found: dict[str, GateResult] = {}
    for each in planned:
        before, after = dict(each.before or {}), dict(each.after or {})
        reference = after.get("existing_model")
        if not reference or reference == before.get("existing_model") or reference in found:
            continue
        try:
            model = deployed_model(after)
        except AzureError:
            return None
        if model is not None and _REASON in model[2]:
            name, version, tags = model
            found[reference] = GateResult(
                model=f"{name}:{version}",
                deploy_flag=True,  # only accepted models are registered
                reason=tags[_REASON],
                metrics=_metrics(tags),
                report=_report(tags, after["workspace"]),
            )
    return list(found.values())


def _metrics(tags: Mapping[str, str]) -> dict[str, float]:
    numbers = {}
    for name, text in tags.items():
        try:
            value = float(text) if len(text) <= _LONGEST_NUMBER else math.nan
        except ValueError:
            continue
        if math.isfinite(value):
            numbers[name] = value
    return numbers


def _report(tags: Mapping[str, str], workspace: Mapping[str, str]) -> str | None:
    """Return the page of the job, which has the report."""
    job = tags.get(_JOB)
    place = tags.get(ORIGIN_TAG) or _workspace_id(
        [workspace.get(part) for part in ("subscription_id", "resource_group", "name")]
    )
    return f"https://ml.azure.com/runs/{job}?wsid={place}" if job and place else None


def _workspace_id(parts: Sequence[str | None]) -> str | None:
    if None in parts:
        return None
    subscription, group, name = parts
    provider = "providers/Microsoft.MachineLearningServices/workspaces"
    return f"/subscriptions/{subscription}/resourcegroups/{group}/{provider}/{name}"
