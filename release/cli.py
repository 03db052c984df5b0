"""The `release` command: deploy a stack, train, promote, roll out and score."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from release.errors import ReleaseError, first_line
from release.interrupting import interruptible
from release.project import CWD_VARIABLE
from release.untrusted import guarded

# Each command, and where it is. A command imports what it needs, which is less than half of all.
_COMMANDS = {
    "adopt": "release.assets.command:adopt",
    "ci-login": "release.ci.command:ci_login",
    "comment": "release.comment.command:comment",
    "compare": "release.jobs.command:compare",
    "cost": "release.cost.command:cost",
    "deploy": "release.deploying.command:deploy",
    "doctor": "release.doctor.command:doctor",
    "down": "release.destroying.command:down",
    "gate": "release.gate.command:gate",
    "history": "release.history.command:history",
    "import": "release.importing.command:import_project",
    "jobs": "release.jobs.command:jobs",
    "key": "release.scoring.command:key",
    "logs": "release.jobs.command:logs",
    "metrics": "release.jobs.command:metrics",
    "new": "release.starting.command:new",
    "policy": "release.policy.command:policy",
    "preview": "release.preview.command:preview",
    "promote": "release.promotion.command:promote",
    "propose": "release.proposing.command:propose",
    "publish": "release.publishing.command:publish",
    "report-drift": "release.drift.command:report_drift",
    "rollback": "release.deploying.command:rollback",
    "run": "release.jobs.run_command:run",
    "score": "release.scoring.command:score",
    "share": "release.assets.command:share",
    "show": "release.jobs.command:show",
    "train": "release.training.command:train",
    "up": "release.updating.command:up",
}


class _Commands(click.Group):
    """Commands that are imported when they run. An error from Azure or a full disk is one message, without a traceback.

    What they print is no command for a CI host. A signal to end interrupts them.
    """

    def main(self, *arguments: Any, **options: Any) -> Any:
        with guarded(), interruptible():
            try:
                return super().main(*arguments, **options)
            except Exception:
                sys.excepthook = _print_error  # the interpreter prints it later, without the guard
                raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                where = f" at {error.filename}" if error.filename else ""
                raise ReleaseError(f"the disk is full{where}", fix="free space there, and run it again") from error
            from azure.core.exceptions import AzureError  # only needed here, and slow to import

            if not isinstance(error, AzureError):
                raise
            raise ReleaseError(f"a request to Azure failed: {first_line(error)}") from error


def _print_error(*error: Any) -> None:
    with guarded():
        sys.__excepthook__(*error)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C", "--cwd", envvar=CWD_VARIABLE, show_envvar=True, type=click.Path(exists=True, file_okay=False),
    help="Folder with Pulumi.yaml and the stack files. Default: this repository.",
)  # fmt: skip
def main(cwd: str | None) -> None:
    """Train, promote and serve models on a deployed platform. Every command works on any stack."""
    if cwd is not None:
        os.environ[CWD_VARIABLE] = str(Path(cwd).resolve())
    found = shutil.which("pulumi")
    if found is None or not Path(found).is_absolute():
        # Called by its path, or found by a relative one, which is another in other folders: Pulumi is beside it.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


if __name__ == "__main__":
    main()
