"""A preview that finds nothing to do, beside one of as many trivial dynamic resources."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground
from tests.checkout import Checkout, clean_environment

_TRIVIAL = """
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("id", props)

class Trivial(Resource):
    def __init__(self, name):
        super().__init__(Provider(), name, {"value": name, **INPUTS})

for number in range(COUNT):
    Trivial(f"trivial-{number}")
"""


def trivial(count: int, inputs: Mapping[str, object] | None = None) -> str:
    """Return a program of `count` dynamic resources that do nothing, each with its name and `inputs`."""
    return _TRIVIAL.replace("INPUTS", repr(dict(inputs or {}))).replace("COUNT", str(count))


def measure(ground: Ground) -> list[Figure]:
    """Preview the platform's stack and a trivial one of the same size in turns."""
    clone = ground.deployed.clone
    exported = json.loads(clone.run(".venv/bin/amlite run -- pulumi stack export -s local"))
    resources = exported["deployment"]["resources"]
    count = sum(not item["type"].startswith(("pulumi:", "azureml-platform:")) for item in resources)
    beside = _trivial(ground.folder(), clone, count)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ground.runs):
        with timed(ours):
            clone.run(".venv/bin/amlite run -- pulumi preview --expect-no-changes -s local")
        with timed(theirs):
            beside.run("pulumi preview --expect-no-changes -s trivial")
    shutil.rmtree(beside.root)
    peer = f"{count} trivial dynamic resources"
    return [Figure(f"no-op pulumi preview, {count} resources", ours, "<= 1.3 x", peer, theirs)]


def _trivial(folder: Path, clone: Checkout, count: int) -> Checkout:
    virtualenv = clone.root / ".venv"
    runtime = f"name: python\n  options:\n    toolchain: pip\n    virtualenv: {virtualenv}\n"
    (folder / "Pulumi.yaml").write_text(f"name: trivial\nruntime:\n  {runtime}")
    (folder / "__main__.py").write_text(trivial(count))
    (folder / "state").mkdir()
    environment = clean_environment()
    environment |= {
        "PATH": f"{virtualenv / 'bin'}{os.pathsep}{environment['PATH']}",
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "trivial",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    project = Checkout(folder, environment)
    project.run("pulumi stack init trivial")
    project.run("pulumi up --yes --skip-preview -s trivial")
    return project
