"""The examples, by the real engine: each comes up, does what it says, stays as it is, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from amlite import SUBSCRIPTION_ID
from amlite.testing import Clock, LocalAzure
from azureml_fixtures.engine import GROUP, ROOT, WORKSPACE
from pulumi_azureml.operations.scoring import ScoringTarget, access_key

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

EXAMPLES = ROOT / "packages" / "pulumi-azureml" / "examples"
LONGEST_SECONDS = 300.0


class Example:
    """A copy of an example with a stack of its own."""

    def __init__(self, name: str, folder: Path, ml: MLClient, config: dict[str, str]) -> None:
        self.root, self.ml = folder / name, ml
        shutil.copytree(EXAMPLES / name, self.root)
        (self.root / ".venv").symlink_to(ROOT / ".venv")
        (folder / "backend").mkdir()
        path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        backend = {"PULUMI_BACKEND_URL": f"file://{folder / 'backend'}", "PULUMI_CONFIG_PASSPHRASE": "test"}
        self.environment = {**os.environ, **backend, "PATH": path, "NO_COLOR": "1"}
        self.pulumi("stack", "init", "test")
        place = {"subscriptionId": SUBSCRIPTION_ID, "resourceGroup": GROUP, "workspace": WORKSPACE}
        values = {**place, **config}
        self.pulumi(
            "config", "set-all", *(part for key, value in values.items() for part in ("--plaintext", f"{key}={value}"))
        )

    def pulumi(self, *arguments: str, expect: int = 0) -> str:
        """Run one command of the CLI and return what it printed, errors included."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"], cwd=self.root, env=self.environment,
            capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS,
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def up(self, expect: int = 0) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", expect=expect)

    def unchanged(self) -> None:
        self.pulumi("preview", "--expect-no-changes")

    def output(self, name: str) -> str:
        return self.pulumi("stack", "output", name).strip()

    def destroy(self) -> None:
        self.pulumi("destroy", "--yes", "--skip-preview")
        exported = json.loads(self.pulumi("stack", "export"))
        assert exported["deployment"].get("resources", []) == []


@pytest.fixture
def example(signed_in: LocalAzure, tmp_path: Path) -> Callable[..., Example]:
    from azure.ai.ml import MLClient

    ml = MLClient(signed_in.credential, SUBSCRIPTION_ID, GROUP, WORKSPACE, show_progress=False, enable_telemetry=False)
    return lambda name, **config: Example(name, tmp_path, ml, config)


def test_a_component_and_its_schedule(example: Callable[..., Example], azure: LocalAzure, tmp_path: Path) -> None:
    project = example("component-and-schedule", compute="cpu")
    project.up()
    project.unchanged()
    first = project.output("component")
    Clock(azure).advance(days=1)

    job = fired(project.ml)
    project.ml.jobs.stream(job)
    (step,) = (each.name for each in project.ml.jobs.list(parent_job_name=job))
    project.ml.jobs.download(step, output_name="clean", download_path=tmp_path / "out")
    (rows,) = (tmp_path / "out").rglob("rows.csv")
    assert rows.read_text().split() == ["origin,delay", "JFK,12", "EWR,-4"]

    script = project.root / "ml" / "clean" / "clean.py"
    script.write_text(script.read_text() + "print('done')\n")
    project.up()
    assert project.output("component") != first
    project.destroy()
    assert list(project.ml.components.list(name="clean_rows")) == []
    assert "clean-nightly" not in [each.name for each in project.ml.schedules.list()]


def fired(ml: MLClient) -> str:
    """Return the job that the schedule started, once there is one."""
    last = time.monotonic() + 60
    while time.monotonic() < last:
        for job in ml.jobs.list():
            if job.name.startswith("clean-nightly"):
                return str(job.name)
        time.sleep(0.2)
    raise AssertionError("the schedule did not fire")


def test_an_endpoint_with_a_canary(example: Callable[..., Example]) -> None:
    project = example("endpoint-with-canary", bakeSeconds="1")
    project.up()
    project.unchanged()
    first = project.output("deployment")
    assert score(project, 500) == 10

    model = project.root / "ml" / "model" / "model.json"
    model.write_text('{"minutes_per_mile": 0.03}')
    told = project.up()
    assert "passed its checks at 10 % of the traffic" in told
    assert score(project, 500) == 15
    second = project.output("deployment")
    assert second != first

    model.write_text('{"minutes_per_mile": 3}')
    told = project.up(expect=1)
    assert "failed its checks at 10 % of the traffic" in told
    assert "minutes of delay for 300 miles, at 10 %" in told
    assert score(project, 500) == 15
    project.destroy()
    assert "delay-minutes" not in [each.name for each in project.ml.online_endpoints.list()]
    assert list(project.ml.models.list(name="delay-minutes")) == []


def score(project: Example, distance: int) -> float:
    target = ScoringTarget.of(project.ml, "delay-minutes")
    headers = {"Authorization": f"Bearer {access_key(target)}"}
    answer = requests.post(target.scoring_uri, json={"distance": distance}, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    minutes: float = answer.json()["minutes"]
    return minutes


def test_batch_scoring_with_a_model_of_a_registry(
    example: Callable[..., Example], azure: LocalAzure, tmp_path: Path
) -> None:
    from azure.ai.ml import Input
    from azure.ai.ml.entities import Registry, RegistryRegionDetails

    project = example("batch-from-registry", registry="example-models", compute="cpu")
    region: Any = RegistryRegionDetails(location="westeurope")
    registry = Registry(name="example-models", location="westeurope", replication_locations=[region])
    made = project.ml.registries.begin_create(registry).result()
    workspace = azure.arm("GET", project.ml.workspaces.get(WORKSPACE).id).json()
    azure.assign("AzureML Registry User", made.id, workspace["identity"]["principalId"])
    project.up()
    project.unchanged()
    assert project.output("model").startswith("azureml://registries/example-models/models/shared-delays/versions/")

    (tmp_path / "flights").mkdir()
    for name, miles in (("one", 100), ("two", 2500)):
        (tmp_path / "flights" / name).write_text(str(miles))
    flights = Input(type="uri_folder", path=str(tmp_path / "flights"))
    job = project.ml.batch_endpoints.invoke(endpoint_name="delays-batch", inputs={"flights": flights})
    project.ml.jobs.stream(job.name)
    project.ml.jobs.download(job.name, output_name="score", download_path=tmp_path / "scores")
    (scores,) = (tmp_path / "scores").rglob("predictions.csv")
    assert sorted(scores.read_text().split("\n")) == ["", "one 2.0", "two 50.0"]
    project.destroy()
    assert "delays-batch" not in [each.name for each in project.ml.batch_endpoints.list()]
