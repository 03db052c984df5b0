"""The commands `release deploy` and `release rollback`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from release.actor import actor
from release.deploying.approvals import approver
from release.deploying.checks import deployable
from release.deploying.deployment import Deployment
from release.deploying.earlier import check_readable, earlier
from release.deploying.origin import check_run
from release.history.reason import Reason
from release.history.served import served
from release.publishing.metadata import Release
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import stack_option
from release.terminal.progress import Phases

Command = Callable[..., None]


def _rollout_options(command: Command) -> Command:
    """Add the options that both commands have."""
    approved_by = click.option(
        "--approved-by", metavar="NAME", default=None,
        help="Approver, for the history. Default: the one that GitHub or Azure DevOps reports in a CI job.",
    )  # fmt: skip
    seconds = click.option(
        "--smoke-seconds", type=click.FloatRange(min=0.1), default=60.0, show_default=True,
        help="Time in which an endpoint must answer its sample request at the end.",
    )  # fmt: skip
    return approved_by(seconds(command))


@click.command()
@click.argument("release_file", metavar="RELEASE.JSON", type=click.Path(dir_okay=False, path_type=Path))
@stack_option
@click.option("--endpoint", default=None, help="Endpoint to deploy to. Default: all endpoints of the release.")
@click.option(
    "--run", metavar="ID", default=None,
    help="CI run that published the release. In a CI job: refuse a run for another branch or a pull request.",
)  # fmt: skip
@_rollout_options
def deploy(
    release_file: Path, stack: str, endpoint: str | None, run: str | None, approved_by: str | None, smoke_seconds: float
) -> None:
    """Deploy a published release to a stack.

    Checks that the gate accepted the model, that the stack can read it, and that the registry has the files that were
    published. Then writes the version to Pulumi.<stack>.yaml, updates the stack, and sends the sample request to each
    endpoint. If anything fails, the stack file and the traffic are restored.
    """
    if run is not None:
        check_run(run)
    release = Release.read(release_file)
    console = new_console()
    phases = Phases(console)
    target = PulumiStack(stack, create=True)
    with target.exclusively():
        with phases.phase("Checks"):
            approved_by = approved_by or approver(stack, lambda line: console.print(f"  {line}", highlight=False))
            models = deployable(
                release, target, endpoint, lambda line: console.print(f"  {line}", highlight=False, soft_wrap=True)
            )
        model = f"{release.model.name} version {release.model.version} of registry {release.model.registry}"
        reason = Reason(
            f"Deploy {model}",
            approved_by=approved_by,
            deployed_by=actor(),
            commit=release.commit,
            job=release.training.name,
        )
        with phases.phase("Rollout"):
            Deployment(target, models, reason, at_once=False, seconds=smoke_seconds, console=console).run()
    console.print(f"\n{', '.join(models)} of stack {stack} serves {model}.", highlight=False, soft_wrap=True)
    _say_commit(console.print, stack)


@click.command()
@click.argument("endpoint")
@stack_option
@click.option("--to", "version", required=True, metavar="VERSION", help="Version of the model that served before.")
@click.option(
    "--canary", is_flag=True, help="Use the stack's steps and checks. Default: all traffic after a smoke test."
)
@_rollout_options
def rollback(
    endpoint: str, stack: str, version: str, canary: bool, approved_by: str | None, smoke_seconds: float
) -> None:
    """Let an endpoint serve an earlier version of its model again.

    Finds the version in the stack's history, writes it to Pulumi.<stack>.yaml and updates the stack. The new deployment
    gets all traffic after its smoke test, because the version passed the stack's checks before. If anything fails, the
    stack file and the traffic are restored.
    """
    console = new_console()
    target = PulumiStack(stack)
    with target.exclusively():
        found = earlier(stack, served(target.history()), endpoint, version)
        check_readable(target.deployed(), found.reference)
        approved_by = approved_by or approver(stack, lambda line: console.print(f"  {line}", highlight=False))
        place = f" of registry {found.registry}" if found.registry else ""
        model = f"{found.model} version {found.version}{place}"
        reason = Reason(
            f"Roll {endpoint} back to {model}",
            approved_by=approved_by,
            deployed_by=actor(),
            commit=found.commit,
            job=found.job,
        )
        with Phases(console).phase(f"Rollback to {model}"):
            Deployment(
                target, {endpoint: found.reference}, reason, at_once=not canary, seconds=smoke_seconds, console=console
            ).run()
    console.print(f"\n{endpoint} of stack {stack} serves {model} again.", highlight=False, soft_wrap=True)
    _say_commit(console.print, stack)


def _say_commit(say: Callable[..., None], stack: str) -> None:
    say(f"Commit Pulumi.{stack}.yaml, so that the next update from the repository keeps this version.", soft_wrap=True)
