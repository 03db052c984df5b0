"""The summary at the end of `release up`: the deployed resources, and the next commands."""

from __future__ import annotations

import json
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.outputs import StackOutputs
from release.endpoints import original
from release.project import program_folder
from release.samples import sample_of
from release.terminal.tables import grid, number
from release.training.outcome import GATE, Training

# The environment of the repository's own pipelines, whose image the stack can build.
_TRAINING = "training"


def show(
    console: Console,
    stack: str,
    outputs: StackOutputs,
    trainings: list[Training],
    predictions: dict[str, Any],
    phases: list[tuple[str, float]],
) -> None:
    """Print the platform, the training, the endpoints with their predictions, the phases' times, and next commands."""
    console.rule(Text(f"stack {stack}", "bold"))
    console.print(_platform(outputs))
    for training in trainings:
        console.print(_training(training))
    for name, endpoint in outputs.endpoints.items():
        model = outputs.models.get(name)
        console.print(_endpoint(name, endpoint, model, predictions.get(name)))
    times = grid("time")
    for title, seconds in phases:
        times.add_row(title, f"{seconds:6.1f} s")
    times.add_row("total", f"{sum(seconds for _, seconds in phases):6.1f} s")
    console.print(times)
    _next(console, stack, outputs, trainings)


def _platform(outputs: StackOutputs) -> Table:
    table = grid("platform")
    table.add_row("resource group", outputs.resource_group)
    table.add_row("workspace", outputs.workspace)
    table.add_row("container registry", outputs.login_server)
    if outputs.registry:
        table.add_row("registry", outputs.registry)
    if _TRAINING in outputs.assets.get("environment", {}):
        table.add_row("training image", outputs.environment_image or "built by Azure Machine Learning")
    table.add_row("compute", ", ".join(outputs.compute))
    for kind, assets in outputs.assets.items():
        table.add_row(
            f"{kind}s" if kind != "data" else kind, "  ".join(f"{name}:{version}" for name, version in assets.items())
        )
    for name, schedule in outputs.schedules.items():
        coming = ", ".join(schedule.next_fire_times[:2]) or "see the studio"
        when = f"next: {coming}" if schedule.is_enabled else "paused"
        table.add_row("schedule", f"{name}  {schedule.trigger} ({schedule.time_zone})  {when}")
    return table


def _training(training: Training) -> Table:
    table = grid("training")
    table.add_row("job", training.job)
    for step in training.steps:
        table.add_row(f"  {step.name}", f"{step.status:<10} {step.seconds:6.1f} s")
    for name, value in training.metrics.items():
        table.add_row(f"  {name}", number(value))
    gate = (
        f"accepted: {training.model} version {training.version}"
        if training.registered
        else "refused; no model was registered"
        if training.model is not None
        else "none"
    )
    table.add_row("gate", gate)
    table.add_row("", training.reason)
    return table


def _endpoint(name: str, endpoint: Any, model: Any, prediction: Any) -> Table:
    table = grid(f"endpoint {name}")
    table.add_row("name in Azure", endpoint.name)
    table.add_row("scoring URI", endpoint.scoring_uri)
    waiting = "none promoted yet" if endpoint.serves else "the one in the file of its deployment"
    table.add_row("model", f"{model.name} version {model.version}" if model else waiting)
    # A batch endpoint can have deployments without a default one.
    none = "none yet" if endpoint.serves or endpoint.kind == "online" else "none by default: each call names one"
    table.add_row("deployment", endpoint.deployment or none)
    if prediction is not None:
        table.add_row("prediction", json.dumps(prediction))
    return table


def _trains() -> bool:
    """Whether a pipeline of the project has a gate, so that `release train` trains it."""
    files = sorted((program_folder() / "pipelines").glob("*.yml"))
    definitions = (yaml.safe_load(file.read_text("utf-8")) or {} for file in files)
    return any(set(GATE) <= set(each.get("outputs") or {}) for each in definitions)


def _next(console: Console, stack: str, outputs: StackOutputs, trainings: list[Training]) -> None:
    console.print("\nnext", style="bold")
    lines = []
    for name, endpoint in outputs.endpoints.items():
        sample = sample_of(original(outputs, name), program_folder())
        if endpoint.deployment and endpoint.kind == "online" and sample is not None:
            lines.append(
                f'curl -H "Authorization: Bearer $(release key {name} --stack {stack})" '
                f"-H 'Content-Type: application/json' -d @{sample} {endpoint.scoring_uri}"
            )
    lines += [f"release show {training.job} --stack {stack}" for training in trainings]
    lines.append(f"release preview --stack {stack}    # after a change under ml/ or pipelines/")
    if _trains():
        lines.append(f"release train --stack {stack}      # train, gate, promote")
    lines.append(f"pulumi stack output --json --stack {stack}")
    for line in lines:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
