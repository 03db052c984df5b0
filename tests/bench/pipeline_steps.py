"""What a pipeline step costs beside its own work: Azure ML pipelines on amlite, kfp's local runner, bare processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground
from tests.checkout import clean_environment

STEPS = 6
# The fixed cost of a pipeline (submission, compilation) drops out: (six steps - one step) / 5.
_KFP = """
import json, logging, tempfile, time, warnings
warnings.filterwarnings("ignore")
from kfp import dsl, local
logging.disable(logging.CRITICAL)
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=tempfile.mkdtemp(dir="."))

@dsl.component(install_kfp_package=False)
def step(number: int) -> int:
    return number

def seconds(steps):
    @dsl.pipeline
    def chain():
        number = 0
        for _ in range(steps):
            number = step(number=number).output
    began = time.perf_counter()
    chain()
    return time.perf_counter() - began

seconds(1)
print(json.dumps([(seconds(STEPS) - seconds(1)) / (STEPS - 1) for _ in range(RUNS)]))
"""


def measure(ground: Ground) -> list[Figure]:
    """Time chains of steps that do nothing, in the stack's two environments; both have run before."""
    clone = ground.deployed.clone
    kfp = _kfp(ground)
    bare: list[float] = []
    for _ in range(ground.runs * STEPS):
        with timed(bare):
            subprocess.run([sys.executable, "-c", "pass"], check=True)
    figures = []
    for environment, where in (("training", "the stack's image"), ("serving", "a conda file")):
        command = f"python -m tests.bench.chain {environment} {STEPS} {ground.runs}"
        ours = json.loads(clone.run(f".venv/bin/amlite run -- {command}").splitlines()[-1])
        what = f"a pipeline step, environment from {where}"
        figures += [
            Figure(what, ours, "<= 0.3 s", "kfp.local SubprocessRunner, a step", kfp),
            Figure("", ours, "", "a bare process", bare),
        ]
    return figures


def _kfp(ground: Ground) -> list[float]:
    folder = ground.folder()
    program = _KFP.replace("STEPS", str(STEPS)).replace("RUNS", str(ground.runs))
    (folder / "chain.py").write_text(program)  # kfp reads a component's source from its file
    done = subprocess.run(
        [str(ground.peer("kfp") / "python"), "chain.py"],
        cwd=folder, env=clean_environment(), check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    shutil.rmtree(folder)
    return list(json.loads(done.stdout.splitlines()[-1]))
