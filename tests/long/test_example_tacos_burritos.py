"""The example tacos-burritos from a fresh clone: to its end, with a step that fails, and what its runner reports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import Checkout, checkout

EXAMPLE = "examples/tacos-burritos"
UP = "make example NAME=tacos-burritos"
DOWN = "make example-down NAME=tacos-burritos"
RUNS = f".venv/bin/amlite run -- python {EXAMPLE}/runs.py --cwd .amlite/examples/tacos-burritos"
FOLDER = ".amlite/examples/tacos-burritos"
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
STYLES = 7
# Drops two pictures and a text on the page, and chooses a picture by the button. Prints what the page says.
DROP = """
import base64, json, pathlib, sys
from playwright.sync_api import sync_playwright

browser, address, *pictures = sys.argv[1:]
DROP = '''([name, type, data]) => {
  const moved = new DataTransfer(), target = document.getElementById("drop");
  moved.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
  const event = { dataTransfer: moved, bubbles: true, cancelable: true };
  target.dispatchEvent(new DragEvent("dragover", event));
  target.dispatchEvent(new DragEvent("drop", event));
}'''

with sync_playwright() as driver:
    chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--no-proxy-server"])
    page = chromium.new_page()
    page.goto(address)

    def said():
        text = "document.getElementById('answer').textContent"
        page.wait_for_function(text + ".length > 1")
        found = page.evaluate(text)
        page.evaluate(text + " = ''")
        return found

    def drop(name, kind, content):
        page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])
        return said()

    found = [drop("a.png", "image/png", pathlib.Path(picture).read_bytes()) for picture in pictures]
    page.set_input_files("#file", pictures[0])
    found.append(said())
    found.append(drop("a.txt", "text/plain", b"no picture"))
    chromium.close()
print(json.dumps(found))
"""
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
    folder = clone.state / "examples" / "tacos-burritos" / "runs"
    before = {*folder.glob("*/run.json")}
    printed = clone.run(f"{RUNS} run -s dev -p held_out=tortilla -p pictures_per_drawing=2", expect=1)
    assert re.search(r"preprocess +Succeeded", printed)
    assert re.search(r"deploy +Skipped", printed)
    assert "the step train failed: ended with 1" in printed
    assert "train: there is no style 'tortilla'; there are: emojione" in printed
    assert "Traceback" not in printed
    (record,) = {*folder.glob("*/run.json")} - before
    assert json.loads(record.read_text("utf-8"))["status"] == "Failed"


def test_a_declared_run_is_started_once_for_each_content_and_removed_with_its_records(
    up: tuple[Checkout, str],
) -> None:
    clone, _ = up
    run = ".venv/bin/amlite run --"
    pulumi, release = (f"{run} {each} --cwd {FOLDER}" for each in ("pulumi", ".venv/bin/release"))
    declared = "tacos-burritos:runs[0]"
    clone.run(f"{pulumi} config set -s dev --path '{declared}.name' first")
    clone.run(f"{pulumi} config set -s dev --path '{declared}.parameters.pictures_per_drawing' 2")
    assert "+ run-first (tacos-burritos:Run) created" in clone.run(f"{release} up -s dev --no-train")
    assert "No changes." in clone.run(f"{release} preview -s dev")
    clone.run(f"{pulumi} config set -s dev --path '{declared}.parameters.held_out' tortilla")
    failed = clone.run(f"{release} up -s dev --no-train", expect=1)
    assert "the step train failed: ended with 1" in failed
    assert "there is no style 'tortilla'" in failed
    assert "Traceback" not in failed
    clone.run(f"{pulumi} config set -s dev --path '{declared}.parameters.held_out' noto")
    assert "~ run-first (tacos-burritos:Run) updated" in clone.run(f"{release} up -s dev --no-train")
    listed = clone.run(f"{RUNS} list -s dev")
    assert len(re.findall(r"Succeeded .*declared run first", listed)) == 2
    assert len(re.findall(r"Failed .*declared run first", listed)) == 1
    clone.run(f"{pulumi} config rm -s dev --path 'tacos-burritos:runs'")
    assert "- run-first (tacos-burritos:Run) deleted" in clone.run(f"{release} up -s dev --no-train")
    assert "declared run" not in clone.run(f"{RUNS} list -s dev")


def test_a_recurring_run_starts_when_it_is_due_and_once(up: tuple[Checkout, str]) -> None:
    clone, _ = up
    assert "weekly is due" in clone.run(f"{RUNS} due -s dev")
    again = clone.run(f"{RUNS} due -s dev")
    assert "is due" not in again
    assert re.search(r"weekly: next at \d{4}-\d\d-\d\d 06:00 UTC", again)
    assert re.search(r"Succeeded .*weekly", clone.run(f"{RUNS} list -s dev"))


def test_a_person_drops_a_picture_on_the_page(up: tuple[Checkout, str], tmp_path: Path) -> None:
    clone, _ = up
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert browser, f"install one of {', '.join(BROWSERS)}"
    (tmp_path / "drop.py").write_text(DROP, "utf-8")
    clone.run(f".venv/bin/uv venv --quiet {tmp_path / 'venv'}")
    clone.run(f".venv/bin/uv pip install --quiet --python {tmp_path / 'venv'} playwright")
    command = [clone.root / ".venv/bin/amlite", "run", "--", "python", f"{EXAMPLE}/page.py", "--cwd", FOLDER]
    with subprocess.Popen(
        [*command, "-s", "dev", "--port", "0", "--no-open"],
        cwd=clone.root, env={**clone.environment, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
    ) as page:  # fmt: skip
        try:
            assert page.stdout is not None
            address = page.stdout.readline().split()[0]
            pictures = " ".join(str(clone.root / EXAMPLE / "page" / f"{label}.png") for label in ("taco", "burrito"))
            said = clone.run(f"{tmp_path / 'venv/bin/python'} {tmp_path / 'drop.py'} {browser} {address} {pictures}")
        finally:
            page.terminate()
    answers = json.loads(said.splitlines()[-1])
    assert [re.sub(r"[\d.]+", "N", each) for each in answers[:3]] == ["taco, N %", "burrito, N %", "taco, N %"]
    assert answers[3] == "the content is not a picture of a known format: PNG, JPEG, WEBP, GIF, BMP"


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
