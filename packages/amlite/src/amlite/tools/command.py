"""`amlite tools`: bring every tool now, side by side, and say where each one is."""

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

from amlite.tools import azurite, base_image, container_registry, docker_engine, node, uv
from amlite.tools.base import Tool, ToolError, Unavailable

# One that needs another comes after it.
TOOLS = (uv.TOOL, node.TOOL, azurite.TOOL, docker_engine.TOOL, container_registry.TOOL, base_image.TOOL)

_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Row:
    """What came of one tool: where it is, or the reason why it is not there."""

    tool: str
    purpose: str
    state: Literal["found", "brought", "off", "failed"]
    version: str = ""
    where: str | None = None
    reason: str = ""
    optional: bool = False

    @property
    def missing(self) -> bool:
        """Whether amlite lacks something that it cannot do without."""
        return self.where is None and not self.optional


def show(output: str) -> None:
    """Bring all tools and print what came of each; exit with 1 when one is missing that amlite cannot do without."""
    rows = bring(TOOLS)
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
    """Bring what every workspace needs while its user is watching; without it amlite starts all the same."""
    if azurite.TOOL.find() is not None:
        return
    for row in bring((node.TOOL, azurite.TOOL)):
        if row.missing:
            click.echo(f"amlite starts without {row.purpose}: {row.reason}", err=True)


def bring(wanted: Sequence[Tool]) -> list[Row]:
    """Bring these tools side by side, showing progress, and return what came of each, in their order."""
    return _run(_bring(wanted))


async def _bring(wanted: Sequence[Tool]) -> list[Row]:
    from amlite.tools.progress import ToolProgress  # half a second that most commands need not wait

    found = await asyncio.gather(*(_found(tool) for tool in wanted))
    if all(found):
        return [row for row in found if row is not None]
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
        return None  # bringing it says the same
    return None if where is None else await _there(tool, "found", where)


async def _settle(tool: Tool, found: Row | None, settled: dict[str, asyncio.Task[Row]], progress: Any) -> Row:
    if found is not None:
        return found
    missing = partial(Row, tool.name, tool.purpose, optional=tool.optional)
    if tool.needs is not None and (await settled[tool.needs.name]).where is None:
        return missing("off", reason=f"needs {tool.needs.name}")
    try:
        row = await _there(tool, "brought", await tool.ensure(partial(progress.say, tool.name)))
    except Unavailable as error:
        row = missing("off", reason=str(error))
    except ToolError as error:
        row = missing("failed", reason=str(error))
    progress.end(tool.name, row.state)
    return row


async def _there(tool: Tool, state: Literal["found", "brought"], where: str) -> Row:
    version = await asyncio.to_thread(tool.version, where)
    return Row(tool.name, tool.purpose, state, version, where, optional=tool.optional)


def _run(main: Coroutine[Any, Any, list[Row]]) -> list[Row]:
    """Run to the end; SIGTERM ends what is going on as cleanly as Ctrl-C does."""

    async def ended_by_signal() -> list[Row]:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    try:
        return asyncio.run(ended_by_signal())
    except asyncio.CancelledError:
        sys.exit(_TERMINATED)
