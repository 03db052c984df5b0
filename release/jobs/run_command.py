"""The commands `release run component` and `release run pipeline`."""

from __future__ import annotations

import click

from infra.outputs import StackOutputs
from release.jobs.inputs import pairs
from release.jobs.measurements import measured
from release.jobs.planning import JobPlan, plan_component, plan_pipeline
from release.jobs.records import find
from release.jobs.watching import JobEndedError, watch
from release.stack import PulumiStack
from release.terminal.console import progress_console
from release.terminal.options import inputs_option, output_option, rerun_option, stack_option
from release.terminal.progress import Phases
from release.terminal.tables import to_json
from release.workspace import client

_wait = click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the job ends.")


@click.group("run")
def run() -> None:
    """Run a component or a pipeline as a job, without reading a gate or promoting a model."""


@run.command("component")
@stack_option
@inputs_option
@output_option
@rerun_option
@_wait
@click.option("--compute", default=None, help="Cluster to run on. Default: the only cluster of the stack.")
@click.argument("name")
def run_component(
    stack: str,
    inputs: tuple[str, ...],
    output: str,
    force_rerun: bool,
    wait: bool,
    compute: str | None,
    name: str,
) -> None:
    """Run one component as a job, with the asset versions that the stack deployed.

    The job is a pipeline with this component as its only step. A data input accepts a data asset
    (azureml:NAME:VERSION), a path on this machine, or a URI.
    """
    outputs = PulumiStack(stack).deployed()
    plan = plan_component(outputs, name, pairs(inputs), compute)
    _run(outputs, stack, plan, output, force_rerun=force_rerun, wait=wait)


@run.command("pipeline")
@stack_option
@inputs_option
@output_option
@rerun_option
@_wait
@click.argument("name")
def run_pipeline(stack: str, inputs: tuple[str, ...], output: str, force_rerun: bool, wait: bool, name: str) -> None:
    """Run a pipeline as a job, with the asset versions that the stack deployed.

    A data input accepts a data asset (azureml:NAME:VERSION), a path on this machine, or a URI. To read the gate's
    decision and promote the model too, use `release train`.
    """
    outputs = PulumiStack(stack).deployed()
    plan = plan_pipeline(outputs, name, pairs(inputs))
    _run(outputs, stack, plan, output, force_rerun=force_rerun, wait=wait)


def _run(outputs: StackOutputs, stack: str, plan: JobPlan, output: str, *, force_rerun: bool, wait: bool) -> None:
    console = progress_console(output)
    failure: JobEndedError | None = None
    with Phases(console).phase(f"Job of {plan.kind} {plan.name}"):
        job = plan.submit(client(outputs), force_rerun=force_rerun)
        console.print(f"  job {job.name}", highlight=False)
        if wait:
            try:
                watch(outputs, stack, job.name, lambda line: console.print(f"  {line}", highlight=False))
            except JobEndedError as error:
                failure = error
    if output == "json":
        found = measured(find(outputs, stack, job.name))
        click.echo(
            to_json(
                {
                    "job": job.name,
                    plan.kind: plan.name,
                    "studio_url": job.studio_url,
                    "status": found.job.status,
                    "metrics": dict(found.metrics),
                }
            )
        )
    elif wait and failure is None:
        console.print(f"\nMetrics and outputs: release show {job.name} -s {stack}", highlight=False)
    elif not wait:
        console.print(f"\nFollow it: release logs {job.name} --follow -s {stack}", highlight=False)
    if failure is not None:
        raise failure
