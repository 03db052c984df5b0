"""The command `release train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from infra.outputs import ModelOutput, StackOutputs
from release import json_file
from release.endpoints import chosen, serving
from release.history.served import served
from release.jobs.inputs import pairs
from release.stack import PulumiStack
from release.terminal.console import progress_console
from release.terminal.options import inputs_option, output_option, rerun_option, stack_option
from release.terminal.progress import Phases
from release.terminal.tables import to_json
from release.training.outcome import NO_GATE, Training, report, untrained
from release.training.run import Trainer, TrainingEndedError, choose_pipeline, with_gate


@click.command()
@stack_option
@inputs_option
@output_option
@rerun_option
@click.option(
    "--promote/--no-promote", default=True, show_default=True,
    help="Write the version of an accepted model to the stack file.",
)  # fmt: skip
@click.option(
    "--if-changed", is_flag=True,
    help="Skip the training if the pipeline, its assets and its inputs are those of an earlier completed job, or if no "
    "pipeline of the project has a gate and none is named.",
)  # fmt: skip
@click.option(
    "--output-file", type=click.Path(dir_okay=False, path_type=Path), default=None,
    help="Also write the JSON to this file.",
)  # fmt: skip
@click.option("--endpoint", default=None, help="Endpoint to promote to. Default: all endpoints that serve the model.")
@click.argument("pipeline", required=False)
def train(
    stack: str,
    inputs: tuple[str, ...],
    output: str,
    force_rerun: bool,
    promote: bool,
    if_changed: bool,
    output_file: Path | None,
    endpoint: str | None,
    pipeline: str | None,
) -> None:
    """Run a training pipeline and promote an accepted model.

    PIPELINE is the name of a file in pipelines/, without its extension. You can omit it if only one pipeline has a
    gate. The command submits the pipeline and waits until the job ends. It fails if the job does not complete. If the
    gate accepts the model, the pipeline registers it, and the command writes the version to Pulumi.<stack>.yaml. The
    next `pulumi up` rolls the version out.

    The command converts each input from text to the type that the pipeline or its components declare. A data input
    accepts a data asset (azureml:NAME:VERSION), a path on this machine, or a URI.
    """
    if force_rerun and if_changed:
        raise click.UsageError("--force-rerun trains in any case: leave out --if-changed, or --force-rerun")
    console = progress_console(output)
    given = pairs(inputs)
    target = PulumiStack(stack)
    outputs = target.deployed()
    candidates = [chosen(outputs.endpoints, endpoint)] if endpoint else list(outputs.endpoints)

    def write(outcome: dict[str, Any]) -> None:
        if output == "json":
            click.echo(to_json(outcome))
        if output_file is not None:
            json_file.write(output_file, to_json(outcome))

    if if_changed and pipeline is None and not with_gate(outputs):
        console.print(f"Not trained: {NO_GATE}", highlight=False, soft_wrap=True)
        write(untrained())
        return
    name = choose_pipeline(outputs, pipeline, stack)
    trainer = Trainer(outputs, stack, console, Phases(console))
    earlier = trainer.earlier(name, given) if if_changed else None
    if earlier is not None:
        line = f"Not trained: nothing that the pipeline uses has changed since job {earlier.job}."
        console.print(line, highlight=False, soft_wrap=True)
        candidates = _never_served(target, earlier, candidates)
    try:
        trained = earlier or trainer.train(name, given, force_rerun=force_rerun)
    except TrainingEndedError as error:
        failed = {"pipeline": name, "job": error.job, "studio_url": error.studio_url, "status": error.status}
        write({"trained": True, **failed, "registered": False, "reason": error.message})
        raise
    promoted = _promote(target, outputs, trained, candidates) if promote else []
    write(report(trained, promoted, trained=earlier is None))
    if earlier is not None and not promoted:
        return
    for line in _told(trained, promoted, candidates, stack, promote=promote):
        console.print(line, highlight=False, soft_wrap=True)


def _never_served(target: PulumiStack, earlier: Training, candidates: list[str]) -> list[str]:
    """Return the endpoints that never had the version of an earlier job, because its run was interrupted.

    An endpoint that had the version was set back to an older one on purpose.
    """
    got = {each.endpoint for each in served(target.history()) if each.version == earlier.version}
    return [name for name in candidates if name not in got]


def _promote(target: PulumiStack, outputs: StackOutputs, trained: Training, candidates: list[str]) -> list[str]:
    """Write an accepted version to the stack file. Return the endpoints that it was promoted to."""
    if trained.model is None or trained.version is None:
        return []
    promoted = serving(outputs, trained.model, candidates)
    for name in promoted:
        target.promote(name, ModelOutput(name=trained.model, version=trained.version))
    return promoted


def _told(trained: Training, promoted: list[str], candidates: list[str], stack: str, *, promote: bool) -> list[str]:
    """Return the lines that a user sees at the end."""
    if trained.model is None:
        more = f"Metrics and outputs: release show {trained.job} -s {stack}"
        return [f"\nNo model was promoted: {trained.reason}", more]
    if trained.version is None:
        return [f"\nThe gate refused the model: {trained.reason}", "No model was registered or promoted."]
    lines = [f"\nRegistered {trained.model} version {trained.version}: {trained.reason}"]
    if not promote:
        return lines
    lines += [f"Promoted to endpoint {name} in Pulumi.{stack}.yaml" for name in promoted]
    checked = ", ".join(candidates) or "none"
    return [
        *lines,
        f"Roll it out with: pulumi up --stack {stack}"
        if promoted
        else f"Nothing was promoted: no endpoint serves {trained.model} (checked: {checked}).",
    ]
