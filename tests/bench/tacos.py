"""The example tacos-burritos: its time, its endpoint, what a step costs in the runner, and its accuracy."""

from __future__ import annotations

import json

from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground
from tests.checkout import checkout

EXAMPLE = "examples/tacos-burritos"
STEPS = 6
_REQUESTS = 40  # for every run
# The fixed cost of a run drops out: (six steps - one step) / 5.
_STEPS = f"""
import json, os, sys, tempfile, time
from pathlib import Path
sys.path[:0] = ["{EXAMPLE}", "."]
import docker
from pipeline_runner import document
from pipeline_runner.cluster import LocalCluster
from pipeline_runner.containers import DockerEngine
from pipeline_runner.execution import Place, execute
from tests.unit.examples.tacos_burritos.conftest import compiled

class Silent:
    def started(self, run): pass
    def said(self, text): pass
    def changed(self, task): pass
    def ended(self, run): pass

image, runs = sys.argv[1], int(sys.argv[2])
place = Place(DockerEngine(lambda _: None), LocalCluster(), Path(tempfile.mkdtemp()), {{}}, {{}})
nothing = {{"image": image, "command": ["true"], "args": []}}

def seconds(count):
    tasks = {{f"step-{{n}}": {{"args": [], "container": nothing}} for n in range(count)}}
    began = time.perf_counter()
    execute(document.read(compiled(tasks)), {{}}, place, Silent())
    return time.perf_counter() - began

client = docker.from_env()
def bare():
    began = time.perf_counter()
    client.containers.run(image, ["true"], remove=True, network_mode="host")
    return time.perf_counter() - began

seconds(1), bare()
ours = [(seconds({STEPS}) - seconds(1)) / ({STEPS} - 1) for _ in range(runs)]
print(json.dumps([ours, [bare() for _ in range(runs)]]))
"""
_ASK = f"""
import json, sys, time
from pathlib import Path
sys.path[:0] = ["{EXAMPLE}", "."]
from endpoint import Endpoint
from release.scoring.requests import key
from release.stack import PulumiStack
outputs = PulumiStack("dev").deployed()
endpoint = Endpoint(outputs.endpoints["tacos-burritos"].scoring_uri, key(outputs, "tacos-burritos"))
picture = Path("{EXAMPLE}/page/taco.png").read_bytes()
endpoint.post(picture)
took = []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    assert endpoint.post(picture).status == 200
    took.append(1000 * (time.perf_counter() - began))
print(json.dumps(took))
"""


def measure(ground: Ground) -> list[Figure]:
    """Run the example in a clone, ask its endpoint, and run steps that do nothing."""
    clone = ground.undo.enter_context(checkout(ground.folder()))
    took: list[float] = []
    with timed(took):
        clone.run("make example NAME=tacos-burritos")
    ground.undo.callback(clone.run, "make example-down NAME=tacos-burritos")
    folder = clone.state / "examples" / "tacos-burritos"
    [metrics] = [json.loads(each.read_text("utf-8")) for each in folder.glob("runs/*/outputs/train/metrics")]
    accuracy = list(metrics["accuracy_by_held_out_style"].values())
    for name, program in (("ask", _ASK), ("steps", _STEPS)):
        (clone.root / f"bench_{name}.py").write_text(program, "utf-8")
    run = ".venv/bin/amlite run --"
    asked = clone.run(f"PULUMI_OPTION_CWD={folder} {run} python bench_ask.py {_REQUESTS * ground.runs}")
    milliseconds = sorted(json.loads(asked.splitlines()[-1]))
    p95 = milliseconds[int(0.95 * len(milliseconds))]
    images = clone.run(f"{run} docker images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'").splitlines()
    image = next(line for line in images if "/environments/profile:" in line)
    steps = clone.run(f"{run} python bench_steps.py {image} {ground.runs}")
    ours, bare = json.loads(steps.splitlines()[-1])
    rate = 1000 * len(milliseconds) / sum(milliseconds)
    return [
        Figure("make example NAME=tacos-burritos, cached", took, "<= 240 s"),
        Figure("a picture through its endpoint", milliseconds, unit="ms"),
        Figure("a picture through its endpoint, p95", [p95], unit="ms"),
        Figure("pictures a second, one after the other", [rate], unit=""),
        Figure("a step that does nothing, in the runner", ours, "<= 0.5 s", "a bare container", bare),
        Figure("accuracy on held-out styles", accuracy, unit=""),
    ]
