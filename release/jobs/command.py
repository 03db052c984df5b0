"""The command `release logs`."""

from __future__ import annotations

import click

from pulumi_azureml.operations import job_log
from release.errors import ReleaseError
from release.stack import PulumiStack
from release.terminal.options import stack_option
from release.workspace import client


@click.command()
@stack_option
@click.argument("job")
def logs(stack: str, job: str) -> None:
    """Print the logs of a job's steps."""
    from azure.core.exceptions import ResourceNotFoundError

    ml = client(PulumiStack(stack).deployed())
    try:
        steps = list(ml.jobs.list(parent_job_name=job))
    except ResourceNotFoundError as error:
        raise ReleaseError(
            f"the workspace has no job '{job}'", fix="use a name that `az ml job list` prints"
        ) from error
    for step in steps:
        click.echo(f"==> {step.display_name or step.name} ({step.status})\n{job_log(ml, step.name)}")
    if not steps:
        click.echo(job_log(ml, job))
