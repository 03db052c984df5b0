"""`release train`, `run` and the commands that tell of jobs, against amlite, by the real azure-ai-ml client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner

from amlite.testing import LocalAzure, Workspace
from azureml_fixtures.asset_project import Project
from infra.outputs import StackOutputs, versions
from pulumi_azureml.operations import job_output
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning import CatalogueSettings, load_catalogue
from release import cli
from release.jobs import command, planning, run_command
from release.training import command as training

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

SCRIPT = """
import json, pathlib, sys
*received, rows, folder = sys.argv[1:]
rows = pathlib.Path(rows)
content = rows.read_text() if rows.is_file() else sorted(path.name for path in rows.iterdir())
(pathlib.Path(folder) / "received.json").write_text(json.dumps({"received": received, "rows": content}))
print("received", received)
"""
TEXTS = ("zip", "day", "version", "flag", "none", "power")
# YAML 1.1 reads each of these as something else than text.
TYPED = {"zip": "0123456", "day": "2013-10-01", "version": "1.10", "flag": "yes", "none": "null", "power": "1e3"}
Release = Callable[..., str]


@pytest.fixture
def project(
    tmp_path: Path, azureml_workspace: Workspace, ml_client: MLClient, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A deployed project with a pipeline of one component, which writes what it received."""
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path, ml_client, uuid.uuid4().hex[:8])
    inputs: dict[str, Any] = {name: {"type": "string"} for name in TEXTS}
    inputs |= {"count": {"type": "integer", "min": 1}, "rate": {"type": "number"}, "rows": {"type": "uri_folder"}}
    line = " ".join(f'"${{{{inputs.{name}}}}}"' for name in inputs)
    made.write("ml/environment/conda.yml", {"name": "plain", "dependencies": ["python=3.11"]})
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    made.edit("ml/environment/environment.yml", image=image, conda_file="./conda.yml")
    made.write("ml/step/src/main.py", SCRIPT)
    made.edit(
        "ml/step/component.yml",
        inputs=inputs,
        outputs={"out": {"type": "uri_folder"}},
        command=f'python main.py {line} "${{{{outputs.out}}}}"',
    )
    # Values that YAML does not read as text: the component says that they are.
    values: dict[str, Any] = {"zip": 1, "day": "a", "version": 1.0, "flag": True, "none": "b", "power": 10}
    values |= {"count": 1, "rate": 0.5, "rows": {"type": "uri_folder", "path": f"azureml:data-{made.tag}@latest"}}
    step = {
        "component": f"azureml:step_{made.tag}@latest",
        "compute": "azureml:cpu",
        "inputs": {name: f"${{{{parent.inputs.{name}}}}}" for name in values},
        "outputs": {"out": "${{parent.outputs.out}}"},
    }
    outputs = {"out": {"type": "uri_folder"}}
    made.edit("pipelines/steps.yml", inputs=values, outputs=outputs, jobs={"step": step}, experiment_name=made.tag)
    for kind in ("environment", "data", "component"):
        made.needs(kind)
        OPERATIONS[kind].upsert(ml_client, made.props(kind))
    return made


@pytest.fixture
def release(project: Project, azureml_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Return a function that runs a command of the release on the stack `dev`, and returns what it prints."""
    _, _, subscription, _, group, *_ = azureml_workspace.id.split("/")
    settings = CatalogueSettings(computes=None, cache_folder=None, check_with_azure=False)
    assets = versions(load_catalogue(project.root, settings))
    outputs = StackOutputs.model_validate(
        {
            "outputs_version": 1, "subscription_id": subscription, "resource_group": group,
            "workspace": azureml_workspace.name, "workspace_id": azureml_workspace.id, "container_registry": "x",
            "login_server": "x.azurecr.io", "compute": ["cpu"], "assets": assets,
            "schedules": {}, "endpoints": {}, "models": {},
        }
    )  # fmt: skip
    monkeypatch.setattr(planning, "program_folder", lambda: project.root)
    for module in (command, run_command, training):
        monkeypatch.setattr(module, "PulumiStack", lambda _name: type("Stack", (), {"deployed": lambda _: outputs})())

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli.main, [*arguments, "-s", "dev"])
        assert done.exit_code == code, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.stdout if code == 0 else done.stderr

    return run


def log(azure: LocalAzure, tracking_uri: str, run: str, **metrics: list[float | str]) -> None:
    """Log metrics to a run as MLflow's client does, and a parameter."""
    base = "https://" + tracking_uri.partition("://")[2].partition("?")[0] + "/api/2.0/mlflow/runs/log-batch"
    token = azure.credential.get_token("https://management.azure.com/.default").token
    values = [
        {"key": name, "value": value, "timestamp": 1000 * step, "step": step}
        for name, each in metrics.items()
        for step, value in enumerate(each)
    ]
    body = {"run_id": run, "metrics": values, "params": [{"key": "depth", "value": "3"}]}
    answer = requests.post(base, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 200, answer.text


def test_what_a_user_types_is_what_the_step_receives_and_the_commands_tell_of_it(
    release: Release, project: Project, ml_client: MLClient, amlite: LocalAzure
) -> None:
    typed = {**TYPED, "count": "0012", "rate": "1e-1"}
    inputs = [part for name, text in typed.items() for part in ("--input", f"{name}={text}")]
    message = release("train", *inputs[:-4], "--input", "count=5.5", code=1)
    assert "--input count: input 'count' takes an integer but gets '5.5'\n    fix: give it an integer" in message
    assert [each.name for each in ml_client.jobs.list() if each.experiment_name == project.tag] == []

    training = ("train", *inputs, "--output", "json")
    trained = json.loads(release(*training))
    first = trained["job"]
    assert (trained["pipeline"], trained["registered"], trained["model"]) == ("steps", False, None)
    assert trained["reason"] == "pipeline 'steps' has no gate: it lacks the outputs `decision` and `registration`"
    received = job_output(ml_client, first, "out/received.json")
    assert received == {"received": [*TYPED.values(), "12", "0.1"], "rows": ["rows.csv"]}

    (project.root / "here.tmp").mkdir()  # ignored by git, and uploaded all the same
    (project.root / "here.tmp" / "mine.csv").write_text("a\n1\n")
    inputs = [part for name, text in {**typed, "zip": "007"}.items() for part in ("-i", f"{name}={text}")]
    component = ("run", "component", f"step_{project.tag}", "-i", "rows=here.tmp", *inputs)
    second = json.loads(release(*component, "--output", "json"))["job"]
    received = job_output(ml_client, second, "out/received.json")
    assert received == {"received": ["007", *list(TYPED.values())[1:], "12", "0.1"], "rows": ["mine.csv"]}

    for job, auc in ((first, 0.7), (second, 0.75)):
        (child,) = ml_client.jobs.list(parent_job_name=job)
        services = ml_client.jobs.get(job).services
        log(amlite, services["Tracking"].endpoint, child.name, auc=[0.5, auc], loss=["NaN"])

    listed = json.loads(release("jobs", "--pipeline", "steps", "--output", "json"))
    ours = [each for each in listed if each["job"] in (first, second)]  # other tests run pipelines of this name
    assert [(each["job"], each["status"]) for each in ours] == [(first, "Completed")]
    lines = release("jobs", "--pipeline", f"step_{project.tag}", "--status", "completed", "--limit", "1").splitlines()
    assert lines[0].split() == ["job", "pipeline", "status", "submitted", "(UTC)", "duration", "experiment"]
    assert lines[1].split()[:3] == [second, f"step_{project.tag}", "Completed"]

    shown = json.loads(release("show", first, "--output", "json"))
    version = project.asset("component").version
    (step,) = shown["steps"]
    assert (step["step"], step["status"], step["component"]) == ("step", "Completed", f"step_{project.tag}:{version}")
    assert step["seconds"] > 0
    assert shown["inputs"]["zip"] == "0123456"
    assert shown["outputs"] == {"out": f"azureml://jobs/{first}/outputs/out/paths/"}
    assert f"step_{project.tag}:{version}" in release("show", first)

    assert json.loads(release("metrics", first, "--output", "json"))["metrics"] == {"step.auc": 0.7, "step.loss": None}
    assert [line.split() for line in release("metrics", first, "step.auc").splitlines()][1:] == [
        ["0", "1970-01-01", "00:00:00", "0.5000"],
        ["1", "1970-01-01", "00:00:01", "0.7000"],
    ]
    compared = json.loads(release("compare", first, second, "--output", "json"))
    assert compared["metrics"]["step.auc"]["values"][0] == 0.7
    assert compared["parameters"]["zip"] == {"values": ["0123456", "007"], "differs": True}
    assert compared["parameters"]["day"] == {"values": ["2013-10-01", "2013-10-01"], "differs": False}

    assert "==> step (Completed)\nreceived ['0123456', '2013-10-01', '1.10'" in release("logs", first)
    assert "received ['007'" in release("logs", second, "--follow", "--step", f"step_{project.tag}")
    assert "has no step 'prep'; steps: step\n" in release("logs", first, "--step", "prep", code=1)
    assert "the workspace has no job 'lost'" in release("show", "lost", code=1)

    # A step that ran before is not run again: its results, metrics and logs are those of the earlier run.
    again = json.loads(release(*training))["job"]
    assert json.loads(release("show", again, "--output", "json"))["steps"][0]["reused"] == step["job"]
    assert "Completed, reused" in release("show", again)
    assert json.loads(release("metrics", again, "--output", "json"))["metrics"] == {"step.auc": 0.7, "step.loss": None}
    assert release("logs", again) == release("logs", first)
    assert job_output(ml_client, again, "out/received.json")["received"] == [*TYPED.values(), "12", "0.1"]
    for forced in (training, (*component, "--output", "json")):
        name = json.loads(release(*forced, "--force-rerun"))["job"]
        assert json.loads(release("show", name, "--output", "json"))["steps"][0]["reused"] is None
