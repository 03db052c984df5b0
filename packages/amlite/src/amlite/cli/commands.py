"""`amlite`: all its commands."""

from __future__ import annotations

import click

from amlite.cli import alerts, faults, pages, process, quota, state, use


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A local Azure Machine Learning.

    The real Azure clients work against it unchanged. You need no account, and nothing leaves this machine.

    The state is in .amlite/ in the working folder, or in the folder that AMLITE_STATE names.
    """


for command in (
    use.up, use.down, use.run, use.env, process.start, process.stop, process.status, process.tools, state.logs,
    state.reset, state.advance, alerts.alerts, faults.fault, quota.quota, pages.open_,
):  # fmt: skip
    main.add_command(command)
