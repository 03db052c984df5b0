"""The command line of set-up."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bootstrap import stack_files
from bootstrap.actionlint import Actionlint
from bootstrap.errors import SetupError
from bootstrap.files import link
from bootstrap.layout import OWN_FOLDERS, Layout
from bootstrap.local_azure import LocalAzure
from bootstrap.locking import exclusive, run_exclusively
from bootstrap.phases import Found, Phase, SideBySide, Toolchain, pending
from bootstrap.processes import Processes
from bootstrap.progress import Progress, duration
from bootstrap.pulumi_cli import PulumiCli
from bootstrap.python_environment import PythonEnvironment, Uv
from bootstrap.stack_files import Project

PHASES: tuple[Phase, ...] = (Uv(), PythonEnvironment(), PulumiCli(), LocalAzure())
LINTERS: tuple[Phase, ...] = (Actionlint(),)
"""The phases that only `make lint` needs."""
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Set the machine up, or run a command that must not run twice at once.

    Returns:
        The exit code: 0 on success, 1 after a failure, 130 after an interruption. With `--exclusive`, the command's.
    """
    parser = argparse.ArgumentParser(
        prog="python3 -m bootstrap", description="Install the tools of this project. With --exclusive, run a command."
    )
    parser.add_argument("--exclusive", metavar="FILE", type=Path, help="lock FILE while COMMAND runs")
    parser.add_argument("--linters", action="store_true", help="also install the programs that only `make lint` needs")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="command to run with --exclusive, after --")
    options = parser.parse_args(arguments)
    if options.exclusive is not None:
        return run_exclusively(options.exclusive, "another make of this project", options.command)
    if options.command:
        parser.error("a command needs --exclusive")
    os.umask(os.umask(0) | 0o022)  # nobody else may change the programs
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, _interrupt)
    try:
        layout = Layout.of(Path(__file__).resolve().parent.parent)
        layout.check()
        set_up(layout, (*PHASES, *LINTERS) if options.linters else PHASES)
        project = Project.of(stack_files.LOCAL, layout.repository)
        print(*stack_files.write(stack_files.LOCAL, project), sep="\n", end="", flush=True)
    except SetupError as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"Set-up failed: you may not use {error.filename}\n  fix: {OWN_FOLDERS}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def set_up(layout: Layout, phases: Sequence[Phase] = PHASES) -> None:
    """Run each phase that is not complete yet, then link its programs into `.venv/bin`.

    Raises:
        SetupError: A phase failed.
    """
    started = time.monotonic()
    results = pending(phases, layout, Toolchain(layout.toolchain))
    ready = {name: found for name, found in results.items() if found is not None}
    if len(ready) == len(results):
        link_tools(layout, ready)
        print(f"Set-up: everything is there ({duration(time.monotonic() - started)})", flush=True)
        return
    with exclusive(layout.cache / "setup.lock", "another set-up"), Progress(sys.stdout) as progress:
        missing = ", ".join(phase.title for phase in phases if results[phase.name] is None)
        progress.say(f"Set-up: {missing}")
        found = SideBySide(phases, layout, Toolchain(layout.toolchain), progress, Processes()).run()
        link_tools(layout, found)
        progress.say(f"Set-up: done in {duration(time.monotonic() - started)}")


def link_tools(layout: Layout, results: dict[str, Found]) -> None:
    """Give every program a link in `.venv/bin`."""
    for found in results.values():
        for name, path in found.tools.items():
            link(layout.bin / name, Path(path))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
