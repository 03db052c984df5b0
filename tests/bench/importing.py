"""`release import` of a project with a hundred files, with nothing cached, beside importing azure-ai-ml."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.ground import Ground
from tests.checkout import ROOT, clean_environment

_SETS = 20  # of five files
_S = "$schema: https://azuremlschemas.azureedge.net/latest/{}.schema.json\n"
# In a process of its own, as the command is.
_SURVEY = """
import json, pathlib, sys, time
began = time.perf_counter()
from release.importing.survey import survey
found = survey(pathlib.Path(sys.argv[1]), "foreign")
seconds = time.perf_counter() - began
managed = {asset.path.partition("#")[0] for asset in found.managed}
print(json.dumps([seconds, len(managed), len(found.left)]))
"""
_FLOOR = "import time; began = time.perf_counter(); import azure.ai.ml; print([time.perf_counter() - began, 0, 0])"


def measure(ground: Ground) -> list[Figure]:
    """Time the survey of the files, which azure-ai-ml checks too."""
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(ground.runs):
        root = ground.folder()
        _write(root / "foreign")
        seconds, managed, left = _timed(root, _SURVEY)
        if (managed, left) != (5 * _SETS, 0):
            raise RuntimeError(f"{managed} files are managed, and {left} left")
        ours.append(seconds)
        floor.append(_timed(root, _FLOOR)[0])
        shutil.rmtree(root)
    return [Figure("import of 100 files, nothing cached", ours, "<= 5 s", "importing azure-ai-ml", floor)]


def _timed(root: Path, script: str) -> tuple[float, int, int]:
    environment = {**clean_environment(), "XDG_CACHE_HOME": str(root / "cache")}
    # Of interest is not how long Python compiles azure-ai-ml for the first time.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", script, str(root)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    seconds, managed, left = json.loads(done.stdout.splitlines()[-1])
    return seconds, managed, left


def _write(folder: Path) -> None:
    """Write environments, data, components, pipelines and their schedules, each referring to the others."""
    for number in range(_SETS):
        files = {
            f"src/step_{number}.py": "print('it runs')\n",
            f"environments/e{number}.yml": f"{_S.format('environment')}name: e{number}\nimage: python:3.11\n",
            f"data/d{number}.yml": f"{_S.format('data')}name: d{number}\ntype: uri_file\n"
            f"path: https://example.com/{number}.csv\n",
            f"components/c{number}.yml": f"{_S.format('commandComponent')}name: c{number}\ntype: command\n"
            "inputs:\n  rows: {type: uri_file}\n  rate: {type: number, default: 0.1}\n"
            f"code: ../src\ncommand: python step_{number}.py --rows ${{{{inputs.rows}}}}\n"
            f"environment: azureml:e{number}@latest\n",
            f"pipelines/p{number}.yml": f"{_S.format('pipelineJob')}type: pipeline\n"
            f"settings: {{default_compute: azureml:cpu}}\ninputs:\n  rows:\n    type: uri_file\n"
            f"    path: azureml:d{number}@latest\njobs:\n  train:\n    type: command\n"
            f"    component: ../components/c{number}.yml\n    inputs: {{rows: '${{{{parent.inputs.rows}}}}'}}\n"
            f"  report:\n    type: command\n    command: echo done\n    environment: azureml:e{number}@latest\n",
            f"schedules/s{number}.yml": f"{_S.format('schedule')}name: s{number}\n"
            f"trigger: {{type: cron, expression: '0 5 * * *'}}\ncreate_job: ../pipelines/p{number}.yml\n",
        }
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
