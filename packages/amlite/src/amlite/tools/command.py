"""`amlite tools`: install every missing tool, side by side, and list all of them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import click

from amlite.core import runtime
from amlite.tools import azurite, base_image, container_registry, docker_engine, kubernetes, node, uv
from amlite.tools.base import Tool, ToolError, Unavailable

# A tool comes after the one that it needs.
TOOLS = (uv.TOOL, node.TOOL, azurite.TOOL, docker_engine.TOOL, container_registry.TOOL, base_image.TOOL)
# Only those who ask for them get these.
EXTRA_TOOLS = {kubernetes.TOOL.name: kubernetes.TOOL}

_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Row:
    """The state of one tool: its path or address, or the reason why it is missing."""

    tool: str
    purpose: str
    state: Literal["found", "installed", "off", "failed"]
    version: str = ""
    where: str | None = None
    reason: str = ""
    optional: bool = False

    @property
    def missing(self) -> bool:
        """Whether amlite lacks a tool that it requires."""
        return self.where is None and not self.optional


def show(output: str, extra: Sequence[str] = ()) -> None:
    """Install all tools and print their states. Exit with code 1 if a required one is missing.

    `extra` names more tools, which are required then.
    """
    if (wrong := runtime.foreign_cache()) is not None:
        raise click.ClickException(wrong)
    rows = install([*TOOLS, *(EXTRA_TOOLS[name] for name in extra)])
    if output == "json":
        click.echo(json.dumps({"tools": [asdict(row) for row in rows]}, indent=2))
    else:
        click.echo(f"{'TOOL':<19} {'VERSION':<16} {'STATE':<8} WHERE")
        for row in rows:
            first, *rest = (row.where or row.reason).splitlines()
            click.echo(f"{row.tool:<19} {row.version:<16} {row.state:<8} {first}")
            for line in rest:
                click.echo(f"{'':<45}{line}")
    if any(row.missing for row in rows):
        sys.exit(1)


def prepare_start() -> None:
    """Install the blob storage, which every workspace needs, in the foreground. Without it, amlite starts anyway."""
    if azurite.TOOL.find() is not None:
        return
    for row in install((node.TOOL, azurite.TOOL)):
        if row.missing:
            click.echo(f"amlite starts without {row.purpose}: {row.reason}", err=True)


def install(wanted: Sequence[Tool]) -> list[Row]:
    """Install these tools side by side, show progress, and return their states in the same order."""
    return _run(_install(wanted))


async def _install(wanted: Sequence[Tool]) -> list[Row]:
    found = await asyncio.gather(*(_found(tool) for tool in wanted))
    if all(found):
        return [row for row in found if row is not None]
    from amlite.tools.progress import ToolProgress  # its import takes a third of a second

    settled: dict[str, asyncio.Task[Row]] = {}
    with ToolProgress() as progress:
        async with asyncio.TaskGroup() as group:
            for tool, row in zip(wanted, found, strict=True):
                settled[tool.name] = group.create_task(_settle(tool, row, settled, progress))
    return [task.result() for task in settled.values()]


async def _found(tool: Tool) -> Row | None:
    try:
        where = await asyncio.to_thread(tool.find)
    except ToolError:
        return None  # the installation raises the same error
    return None if where is None else await _there(tool, "found", where)


async def _settle(tool: Tool, found: Row | None, settled: dict[str, asyncio.Task[Row]], progress: Any) -> Row:
    if found is not None:
        return found
    missing = partial(Row, tool.name, tool.purpose, optional=tool.optional)
    if tool.needs is not None and (await settled[tool.needs.name]).where is None:
        return missing("off", reason=f"needs {tool.needs.name}")
    try:
        row = await _there(tool, "installed", await tool.ensure(partial(progress.say, tool.name)))
    except Unavailable as error:
        row = missing("off", reason=str(error))
    except ToolError as error:
        row = missing("failed", reason=str(error))
    progress.end(tool.name, row.state)
    return row


async def _there(tool: Tool, state: Literal["found", "installed"], where: str) -> Row:
    version = await asyncio.to_thread(tool.version, where)
    return Row(tool.name, tool.purpose, state, version, where, optional=tool.optional)


def _run(main: Coroutine[Any, Any, list[Row]]) -> list[Row]:
    """Run until the end. SIGTERM interrupts as cleanly as Ctrl-C."""

    async def ended_by_signal() -> list[Row]:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    try:
        return asyncio.run(ended_by_signal())
    except asyncio.CancelledError:
        sys.exit(_TERMINATED)
