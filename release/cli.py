"""The `release` command: deploy a stack, train, promote, roll out and score."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from release.assets.command import adopt, share
from release.ci.command import ci_login
from release.comment.command import comment
from release.cost.command import cost
from release.deploying.command import deploy, rollback
from release.destroying.command import down
from release.doctor.command import doctor
from release.drift.command import report_drift
from release.errors import ReleaseError, first_line
from release.gate.command import gate
from release.history.command import history
from release.importing.command import import_project
from release.jobs.command import compare, jobs, logs, metrics, show
from release.jobs.run_command import run
from release.policy.command import policy
from release.preview.command import preview
from release.promotion.command import promote
from release.proposing.command import propose
from release.publishing.command import publish
from release.scoring.command import key, score
from release.stack import CWD_VARIABLE
from release.starting.command import new
from release.training.command import train
from release.updating.command import up


class _Commands(click.Group):
    """Commands that print an error from Azure as one message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from azure.core.exceptions import AzureError  # only needed here, and slow to import

            if not isinstance(error, AzureError):
                raise
            raise ReleaseError(f"a request to Azure failed: {first_line(error)}") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C", "--cwd", envvar=CWD_VARIABLE, show_envvar=True, type=click.Path(exists=True, file_okay=False),
    help="Folder with Pulumi.yaml and the stack files. Default: this repository.",
)  # fmt: skip
def main(cwd: str | None) -> None:
    """Train, promote and serve models on a deployed platform. Every command works on any stack."""
    if cwd is not None:
        os.environ[CWD_VARIABLE] = str(Path(cwd).resolve())
    if shutil.which("pulumi") is None:
        # Called by its path: Pulumi is in the same folder.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


main.add_command(adopt)
main.add_command(ci_login)
main.add_command(comment)
main.add_command(compare)
main.add_command(deploy)
main.add_command(cost)
main.add_command(doctor)
main.add_command(down)
main.add_command(gate)
main.add_command(history)
main.add_command(import_project)
main.add_command(jobs)
main.add_command(key)
main.add_command(logs)
main.add_command(metrics)
main.add_command(new)
main.add_command(policy)
main.add_command(preview)
main.add_command(promote)
main.add_command(propose)
main.add_command(publish)
main.add_command(report_drift)
main.add_command(rollback)
main.add_command(run)
main.add_command(score)
main.add_command(share)
main.add_command(show)
main.add_command(train)
main.add_command(up)


if __name__ == "__main__":
    main()
