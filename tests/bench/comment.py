"""The comment of a pull request that changes assets by the hundred, from the engine's events to the text."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pulumi.automation import events

from release.comment.body import body
from release.markdown.cutting import length
from release.preview.document import read
from release.preview.plan import Plan
from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground
from tests.checkout import ROOT, clean_environment

COUNT = 200
_LIMITS = {"GitHub": 65_536, "Azure DevOps": 150_000}
_COMPONENT = "pulumi-python:dynamic/azureml:Component"


def measure(ground: Ground) -> list[Figure]:
    """Time 200 changed components with their files and keys: as functions, and as the command."""
    folder = ground.folder()
    path = folder / "bench.json"
    rendering: list[float] = []
    copying: list[float] = []
    command: list[float] = []
    importing: list[float] = []
    received = list(_events())
    try:
        for _ in range(ground.runs):
            with timed(rendering):
                plan = Plan()
                for event in received:
                    plan(event)
                path.write_text(plan.document("bench").model_dump_json(indent=2))
                texts = {host: body([read(path)], None, limit) for host, limit in _LIMITS.items()}
            with timed(copying):
                path.write_text(json.dumps(json.loads(path.read_text()), indent=2))
            with timed(command):
                _python("-m", "release.cli", "comment", "--dry-run", str(path))
            with timed(importing):
                _python("-c", "import release.cli")
        for host, text in texts.items():
            if length(text) > _LIMITS[host] or f"{COUNT} to update" not in text:
                raise RuntimeError(f"the comment for {host} has {length(text)} characters")
    finally:
        shutil.rmtree(folder)
    sizes = ", ".join(f"{host} {length(text):,}" for host, text in texts.items())
    return [
        Figure(f"comment of {COUNT} assets, events to text", _ms(rendering), "<= 1000 ms", "its JSON, read and written",
               _ms(copying), "ms"),
        Figure(f"  as a command (characters: {sizes})", command, "", "importing the command", importing),
    ]  # fmt: skip


def _ms(seconds: list[float]) -> list[float]:
    return [each * 1000 for each in seconds]


def _python(*arguments: str) -> None:
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=ROOT, env=clean_environment(), check=True, stdout=subprocess.DEVNULL)


def _events() -> Iterator[events.EngineEvent]:
    """Yield the engine's events: each component has a changed, a new and a gone file, and the next one uses it."""
    for number in range(COUNT):
        metadata = {
            "op": "update",
            "urn": f"urn:pulumi:bench::azureml-platform::{_COMPONENT}::component-{number:03d}",
            "type": _COMPONENT,
            "old": {"inputs": _component(number, "old")},
            "new": {"inputs": _component(number, "new")},
        }
        yield events.EngineEvent.from_json(
            {"sequence": number, "timestamp": 0, "resourcePreEvent": {"metadata": metadata}}
        )


def _component(number: int, state: str) -> dict[str, object]:
    previous = max(0, number - 1)
    folder = Path(f"ml/component_{number:03d}/src")
    return {
        "name": f"of_{number:03d}",
        "version": f"{state}-{number:012x}",
        "files": {str(folder / "main.py"): state, str(folder / f"{state}.py"): "same"},
        "definition": {
            "command": f"python main.py --{state}",
            "description": f"Component {number} " + "with a long description " * 5 + state,
            "jobs": {"previous": {"component": f"azureml:of_{previous:03d}:{state}-{previous:012x}"}},
        },
        "metadata": {"tags": {"state": state}},
    }
