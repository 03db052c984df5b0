"""Assets by the hundred, in an Azure 100 ms away: the first update, nothing changed, one file changed, growth."""

from __future__ import annotations

import json
import math
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amlite.testing import LocalAzure
from azureml_fixtures.engine import GROUP, WORKSPACE
from tests.bench.far_azure import assets, far_azure, project, write_components
from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground
from tests.bench.preview import trivial
from tests.checkout import Checkout

COUNT = 200
GROWTH = (50, COUNT, 800)
# Enough to see the range: the script alone takes five minutes.
_RUNS = 3
_UP = "pulumi up --yes --skip-preview -s bench"
_PREVIEW = "pulumi preview --expect-no-changes -s bench"
_TOUCHED = re.compile(r"^ +[+~±-] (\d+) ", re.MULTILINE)


def measure(ground: Ground) -> list[Figure]:
    """Time `pulumi up` of 200 components beside a plain script with azure-ai-ml, then what follows."""
    with far_azure(ground.folder()) as azure, _folder(ground) as scripted, _folder(ground) as ours:
        write_components(scripted, "scripted", COUNT)
        script = [_script(azure, scripted) for _ in range(2)]
        first: dict[int, float] = {}
        noop: dict[int, list[float]] = {}
        program = assets(ours, azure, "ours", COUNT)
        first[COUNT] = _seconds(program, _UP)
        again, asked = _again(azure, program, min(ground.runs, _RUNS))
        noop[COUNT], bare, laden = _previews(ground, azure, program)
        changed = _one_file(azure, program, ours / "ml" / "ours_000" / "src" / "main.py")
        for count in GROWTH:
            if count != COUNT:
                with _folder(ground) as other:
                    program = assets(other, azure, f"of{count}", count)
                    first[count] = _seconds(program, _UP)
                    noop[count] = [_seconds(program, _PREVIEW)]
    loop = "azure-ai-ml, one by one"
    medians = {count: statistics.median(samples) for count, samples in noop.items()}
    return [
        Figure(f"first up of {COUNT} components", [first[COUNT]], "<= 0.17 x", loop, script[:1]),
        Figure("the same again", again, "<= 0.05 x", f"{loop}, again", script[1:]),
        Figure("  requests", asked, "0", unit="requests"),
        Figure(f"no-op preview, {COUNT} assets", noop[COUNT], "<= 1.2 x", f"{COUNT} trivial resources", bare),
        Figure("  the same", noop[COUNT], "", f"{COUNT} trivial ones with an asset's inputs", laden),
        Figure("one file changed: resources touched", [changed[0]], "2 (it, its schedule)", unit="resources"),
        Figure("  requests", [changed[1]], unit="requests"),
        Figure(f"first up of {GROWTH[0]}, {COUNT}, {GROWTH[-1]}: exponent", [_exponent(first)], "<= 1.1", unit=""),
        Figure("no-op preview: exponent", [_exponent(medians)], "<= 1.1", unit=""),
        *(Figure(f"  first up of {count}", [first[count]]) for count in GROWTH if count != COUNT),
        *(Figure(f"  no-op preview of {count}", noop[count]) for count in GROWTH if count != COUNT),
    ]


@contextmanager
def _folder(ground: Ground) -> Iterator[Path]:
    folder = ground.folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _script(azure: LocalAzure, folder: Path) -> float:
    command = [sys.executable, str(Path(__file__).with_name("one_by_one.py")), GROUP, WORKSPACE, str(folder)]
    took: list[float] = []
    with timed(took):
        subprocess.run(command, env=azure.environment(), check=True, capture_output=True)
    return took[0]


def _seconds(program: Checkout, command: str) -> float:
    took: list[float] = []
    with timed(took):
        program.run(command)
    return took[0]


def _again(azure: LocalAzure, program: Checkout, runs: int) -> tuple[list[float], list[float]]:
    took: list[float] = []
    asked: list[float] = []
    for _ in range(runs):
        before = len(azure.requests())
        took.append(_seconds(program, _UP))
        asked.append(float(len(azure.requests()) - before))
    return took, asked


def _previews(ground: Ground, azure: LocalAzure, program: Checkout) -> tuple[list[float], list[float], list[float]]:
    """Preview it in turns with as many trivial resources, and with as many that have the inputs of an asset."""
    exported = json.loads(program.run("pulumi stack export -s bench"))
    asset = next(each for each in exported["deployment"]["resources"] if "::component-" in each["urn"])
    inputs = {key: value for key, value in asset["inputs"].items() if not key.startswith("__")}
    ours: list[float] = []
    bare: list[float] = []
    laden: list[float] = []
    with _folder(ground) as one, _folder(ground) as other:
        of_bare = project(one, trivial(COUNT), azure.environment())
        of_laden = project(other, trivial(COUNT, inputs), azure.environment())
        of_bare.run(_UP)
        of_laden.run(_UP)
        for _ in range(min(ground.runs, _RUNS)):
            bare.append(_seconds(of_bare, _PREVIEW))
            laden.append(_seconds(of_laden, _PREVIEW))
            ours.append(_seconds(program, _PREVIEW))
    return ours, bare, laden


def _one_file(azure: LocalAzure, program: Checkout, file: Path) -> tuple[float, float]:
    """Change a file; return how many resources an update touches, and how many requests it sends."""
    file.write_text("print('changed')\n")
    before = len(azure.requests())
    printed = program.run(_UP)
    return float(sum(map(int, _TOUCHED.findall(printed)))), float(len(azure.requests()) - before)


def _exponent(seconds: dict[int, float]) -> float:
    """Return k of the power law count**k that fits best."""
    fit = statistics.linear_regression([math.log(count) for count in seconds], [*map(math.log, seconds.values())])
    return fit.slope
