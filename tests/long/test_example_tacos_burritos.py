"""The example tacos-burritos from a fresh clone: to its end, with a step that fails, and what its runner reports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import Checkout, checkout

EXAMPLE = "examples/tacos-burritos"
UP = "make example NAME=tacos-burritos"
DOWN = "make example-down NAME=tacos-burritos"
RUNS = f".venv/bin/amlite run -- python {EXAMPLE}/runs.py --cwd .amlite/examples/tacos-burritos"
STYLES = 7
# Ends some containers faster than the engine reports them, which is when kfp.local loses their exit codes.
FAILING = f"""
import sys
sys.path.insert(0, "{EXAMPLE}")
from pipeline_runner.containers import DockerEngine
from pipeline_runner.step import Step
engine, lines, codes = DockerEngine(lambda _: None), [], []
for code in [3] * 20 + [0] * 5:
    command = ("python", "-c", f"print('last words'); raise SystemExit({{code}})")
    codes.append(engine.run(Step("bake", "run", sys.argv[1], command, {{}}, {{}}), lines.append).code)
print(codes, len(lines))
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, str]]:
    """Run the example in a clone, and destroy it at the end."""
    with checkout(tmp_path_factory.mktemp("clone")) as clone:
        printed = clone.run(UP)
        yield clone, printed
        clone.run(DOWN)
        assert clone.leftovers() == []


def test_the_pipeline_ends_with_an_endpoint_that_answers(up: tuple[Checkout, str]) -> None:
    clone, printed = up
    for step in ("preprocess", "train", "register", "profile", "deploy"):
        assert re.search(rf"{step} +Succeeded", printed), printed
    assert f"in the mean of {STYLES} held-out styles" in printed
    assert re.search(r"instance size +Standard_\w+, the cheapest with a p95 below", printed)
    for method in ("GET", "POST"):
        for label in ("taco", "burrito"):
            assert re.search(rf'{method} {label} +{{"label": "(taco|burrito)", "probability": 0\.\d+', printed), printed
    assert "403 the host '169.254.169.254' is in a private network" in printed
    listed = clone.run(f"{RUNS} list -s dev")
    assert re.search(r"tacos-burritos-\d{8}-\d{6}-\w{4} +\w{12} +Succeeded", listed)


def test_a_step_that_fails_fails_the_run(up: tuple[Checkout, str]) -> None:
    clone, _ = up
    printed = clone.run(f"{RUNS} run -s dev -p held_out=tortilla -p pictures_per_drawing=2", expect=1)
    assert re.search(r"preprocess +Succeeded", printed)
    assert re.search(r"deploy +Skipped", printed)
    assert "the step train failed: ended with 1" in printed
    assert "train: there is no style 'tortilla'; there are: emojione" in printed
    assert "Traceback" not in printed
    folder = clone.state / "examples" / "tacos-burritos" / "runs"
    statuses = [json.loads(each.read_text("utf-8"))["status"] for each in folder.glob("*/run.json")]
    assert sorted(statuses) == ["Failed", "Succeeded"]


def test_a_compiled_pipeline_that_has_changed_does_not_run(up: tuple[Checkout, str]) -> None:
    clone, _ = up
    compiled = clone.root / EXAMPLE / "kubeflow" / "tacos-burritos.yaml"
    before = compiled.read_text("utf-8")
    compiled.write_text(before.replace("defaultValue: openmoji", "defaultValue: noto"), "utf-8")
    printed = clone.run(f"{RUNS} run -s dev", expect=1)
    compiled.write_text(before, "utf-8")
    assert "tacos-burritos.yaml has changed since the stack deployed version" in printed
    assert "fix: release up --stack dev" in printed


def test_the_compiled_pipeline_is_that_of_its_source(up: tuple[Checkout, str], tmp_path: Path) -> None:
    clone, _ = up
    compiled = clone.root / EXAMPLE / "kubeflow" / "tacos-burritos.yaml"
    before = compiled.read_text("utf-8")
    python = tmp_path / "sdk" / "bin" / "python"
    clone.run(f".venv/bin/uv venv --quiet {tmp_path / 'sdk'}")
    clone.run(f".venv/bin/uv pip install --quiet --python {python} -r {EXAMPLE}/kubeflow/requirements.txt")
    clone.run(f"{python} {EXAMPLE}/kubeflow/pipeline.py")
    assert compiled.read_text("utf-8") == before


def test_each_container_that_fails_is_reported(up: tuple[Checkout, str], tmp_path: Path) -> None:
    clone, _ = up
    program = tmp_path / "failing.py"
    program.write_text(FAILING, "utf-8")
    printed = clone.run(f".venv/bin/amlite run -- python {program} {_image(clone)}")
    assert f"{[3] * 20 + [0] * 5} 25" in printed


def _image(clone: Checkout) -> str:
    """Return the image of a step, as the engine of the local Azure has it."""
    found = clone.run(".venv/bin/amlite run -- docker images --format '{{.Repository}}:{{.Tag}}'")
    return next(line for line in found.splitlines() if "/environments/profile:" in line)
