"""Reuse of results in pipelines. Source: "Debug pipeline reuse issues in Azure Machine Learning"."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.jobs import CLUSTER, CONDA, children, equip, history, step, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

Json = dict[str, Any]
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
# Each run writes something else.
DRAW = """
import pathlib, sys, uuid
drawn = uuid.uuid4().hex
pathlib.Path("outputs", "drawn.txt").write_text(drawn)
print("drew", drawn)
pathlib.Path(sys.argv[2], "drawn").write_text(f"{sys.argv[1]} {drawn}")
"""
LINE = "python main.py ${{inputs.text}} ${{outputs.drawn}}"
COPY = {
    "type": "command",
    "command": "cat ${{inputs.source}}/drawn > ${{outputs.copied}}/drawn",
    "environment": "azureml:plain:1",
    "inputs": {"source": {"type": "uri_folder", "path": "${{parent.jobs.one.outputs.drawn}}"}},
    "outputs": {"copied": {"type": "uri_folder"}},
}
SWEEP = {
    "type": "sweep",
    "trial": {
        "type": "command",
        "command": "python -c 'import mlflow; mlflow.log_metric(\"loss\", ${{inputs.rate}})'; "
        "cat /proc/sys/kernel/random/uuid > ${{outputs.drawn}}/drawn",
        "environment": "azureml:tracking:1",
        "inputs": {"rate": {"type": "number", "default": 1}},
        "outputs": {"drawn": {"type": "uri_folder"}},
    },
    "search_space": {"rate": {"type": "choice", "values": [0.5]}},
    "sampling_algorithm": "grid",
    "objective": {"goal": "minimize", "primary_metric": "loss"},
    "limits": {"max_total_trials": 1},
}


@pytest.fixture(scope="module")
def client(amlite: LocalAzure, tmp_path_factory: pytest.TempPathFactory) -> MLClient:
    """Return the real client of a workspace with a cluster, two environments and versions of a component."""
    from azure.ai.ml import Input, Output
    from azure.ai.ml.entities import CommandComponent

    workspace = equip(Workspace.create(amlite, "reuse"))
    workspace.azure.put(
        f"{workspace.id}/environments/tracking/versions/1", {"properties": {"image": IMAGE, "condaFile": CONDA}}
    )
    client, folder = workspace.client(), tmp_path_factory.mktemp("code")
    draw = step(folder, "draw", DRAW, {"text": Input(type="string")}, {"drawn": Output(type="uri_folder")}, LINE)
    (folder / "changed").mkdir()
    (folder / "changed/main.py").write_text(f"{DRAW}# changed\n", "utf-8")
    versions: dict[str, Json] = {
        "1": {},
        "2": {"description": "The same, described."},
        "3": {"is_deterministic": False},
        "4": {"code": str(folder / "changed")},
        "5": {"environment": "tracking:1"},
    }
    for version, changed in versions.items():
        shared = {"inputs": draw.inputs, "outputs": draw.outputs, "code": draw.code, "environment": "plain:1"}
        made = CommandComponent(name="draw", version=version, command=LINE, **(shared | changed))
        client.components.create_or_update(made)
    return client


def draws(text: str, version: str = "1", **own: Any) -> Json:
    """Return a step that runs a version of the component."""
    return {"type": "command", "component": f"azureml:draw:{version}", "inputs": {"text": text}, **own}


def run(client: MLClient, jobs: Json, **settings: Any) -> str:
    """Submit a pipeline, wait until it has completed, and return its name."""
    from azure.ai.ml import load_job

    content = {"type": "pipeline", "jobs": jobs, "settings": {"default_compute": f"azureml:{CLUSTER}", **settings}}
    name = str(client.jobs.create_or_update(load_job(io.StringIO(yaml.safe_dump(content)))).name)
    assert until(client, name).status == "Completed", history(client, name)
    return name


def sources(client: MLClient, name: str) -> dict[str, str]:
    """Return the job whose results each step of a pipeline has."""
    found = {}
    for key, child in children(client, name).items():
        run = history(client, child.name)
        assert run.status == "Completed"
        assert (run.properties.get("azureml.isreused") == "true") == ("azureml.reusedrunid" in run.properties)
        found[key] = run.properties.get("azureml.reusedrunid", child.name)
    return found


def test_steps_take_the_results_of_earlier_ones(client: MLClient, tmp_path: Path) -> None:
    jobs = {"one": draws("chain"), "copy": COPY}
    first = run(client, jobs)
    expected = {key: child.name for key, child in children(client, first).items()}
    assert sources(client, first) == expected
    second, third = run(client, jobs), run(client, jobs)
    assert sources(client, second) == sources(client, third) == expected
    texts = set()
    for name in (first, second, third):
        steps = children(client, name)
        properties = history(client, steps["copy"].name).properties
        assert properties.get("azureml.reusedpipelinerunid", first) == first
        client.jobs.download(steps["copy"].name, download_path=tmp_path / name, output_name="copied")
        texts.add((tmp_path / name / "named-outputs/copied/drawn").read_text())
    assert len(texts) == 1
    # The client reads the logs and artifacts of a reused step where they are: with the earlier one.
    client.jobs.download(children(client, third)["one"].name, download_path=tmp_path / "one", all=True)
    drawn = (tmp_path / "one/artifacts/outputs/drawn.txt").read_text()
    assert texts == {f"chain {drawn}"}
    assert (tmp_path / "one/artifacts/user_logs/std_log.txt").read_text() == f"drew {drawn}\n"


def test_a_step_that_ran_uses_the_output_of_one_that_did_not(client: MLClient, tmp_path: Path) -> None:
    run(client, {"one": draws("half")})
    kept = {"one": draws("half"), "copy": {**COPY, "command": f"echo; {COPY['command']}"}}
    name = run(client, kept)
    steps = children(client, name)
    found = sources(client, name)
    assert found["one"] != steps["one"].name
    assert found["copy"] == steps["copy"].name
    client.jobs.download(steps["copy"].name, download_path=tmp_path, output_name="copied")
    assert (tmp_path / "named-outputs/copied/drawn").read_text().startswith("half ")


DIFFERENT: dict[str, Json] = {
    "another value": draws("other"),
    "a component that is not deterministic": draws("same", "3"),
    "other code": draws("same", "4"),
    "another environment": draws("same", "5"),
    "another variable": draws("same", environment_variables={"COLOUR": "red"}),
    "another place of the output": draws(
        "same", outputs={"drawn": {"type": "uri_folder", "path": "azureml://datastores/workspaceblobstore/paths/here/"}}
    ),
    "an asset for the output": draws("same", outputs={"drawn": {"type": "uri_folder", "name": "drawn"}}),
    "other resources": draws("same", resources={"shm_size": "1g"}),
}
SAME: dict[str, Json] = {
    "the same": draws("same"),
    "another version with the same definition": draws("same", "2"),
    "another name": draws("same", display_name="renamed"),
}


@pytest.mark.parametrize("what", [*DIFFERENT, *SAME])
def test_what_decides_is_code_environment_inputs_outputs_and_settings(what: str, client: MLClient) -> None:
    run(client, {"one": draws("same")})
    name = run(client, {"one": (DIFFERENT | SAME)[what]})
    ((step, source),) = sources(client, name).items()
    assert (source == children(client, name)[step].name) == (what in DIFFERENT)


def test_force_rerun_runs_every_step_and_offers_none(client: MLClient) -> None:
    forced = run(client, {"one": draws("forced")}, force_rerun=True)
    for settings in ({"force_rerun": True}, {}):
        name = run(client, {"one": draws("forced")}, **settings)
        assert sources(client, name) == {"one": children(client, name)["one"].name}
    again = run(client, {"one": draws("forced")})
    assert sources(client, again) == {"one": children(client, name)["one"].name}
    assert forced != name


def test_a_failed_step_runs_again(client: MLClient) -> None:
    from azure.ai.ml import load_job

    failing = {**COPY, "command": "echo > ${{outputs.copied}}/it; exit 3", "inputs": {}}
    content = {"type": "pipeline", "jobs": {"it": failing}, "settings": {"default_compute": f"azureml:{CLUSTER}"}}
    for _ in range(2):
        name = client.jobs.create_or_update(load_job(io.StringIO(yaml.safe_dump(content)))).name
        assert until(client, name).status == "Failed"
        assert "azureml.isreused" not in history(client, children(client, name)["it"].name).properties


def test_a_sweep_is_reused_with_its_best_trial(client: MLClient, tmp_path: Path) -> None:
    use = {**COPY, "inputs": {"source": {"type": "uri_folder", "path": "${{parent.jobs.search.outputs.drawn}}"}}}
    first = run(client, {"search": SWEEP, "use": use})
    second = run(client, {"search": SWEEP, "use": use})
    assert sources(client, second) == sources(client, first)
    reused, origin = (history(client, children(client, name)["search"].name).properties for name in (second, first))
    assert reused["best_child_run_id"] == origin["best_child_run_id"]


def test_a_deleted_job_gives_nothing(client: MLClient) -> None:
    first = run(client, {"one": draws("deleted")})
    client.jobs.begin_delete(first).result()
    name = run(client, {"one": draws("deleted")})
    assert sources(client, name) == {"one": children(client, name)["one"].name}


def arm(client: MLClient, amlite: LocalAzure, method: str, path: str, properties: Json | None = None) -> int:
    """Send a request about something in the workspace, and return the status."""
    id = f"{client.workspaces.get(client.workspace_name).id}/{path}"
    return amlite.arm(method, id, {"properties": properties} if properties else None).status_code


def printed(client: MLClient, name: str, folder: Path) -> str:
    """Return what the step `one` of a pipeline printed."""
    client.jobs.download(children(client, name)["one"].name, download_path=folder / name, all=True)
    return (folder / name / "artifacts/user_logs/std_log.txt").read_text("utf-8")


@pytest.mark.attack
def test_no_other_job_takes_the_name_of_one_with_results(client: MLClient, amlite: LocalAzure) -> None:
    """Whoever may delete and submit jobs would decide what the pipelines of others read."""
    first = run(client, {"one": draws("forged")})
    step = children(client, first)["one"].name
    client.jobs.begin_delete(step).result()
    outputs = {"drawn": {"jobOutputType": "uri_folder"}}
    forged = {"jobType": "Command", "command": "echo evil > ${{outputs.drawn}}/drawn", "outputs": outputs}
    settings = {"environmentId": "azureml:plain:1", "computeId": CLUSTER}
    assert arm(client, amlite, "PUT", f"jobs/{step}", forged | settings) == 409
    second = run(client, {"one": draws("forged")})
    assert sources(client, second) == {"one": children(client, second)["one"].name}


@pytest.mark.attack
def test_no_other_job_becomes_a_trial(client: MLClient, amlite: LocalAzure) -> None:
    settings = {"environmentId": "azureml:plain:1", "computeId": CLUSTER}
    assert arm(client, amlite, "PUT", "jobs/hunt_0", {"jobType": "Command", "command": "true", **settings}) == 201
    sweep = {
        "jobType": "Sweep",
        "trial": {"command": "true", "environmentId": "azureml:plain:1"},
        "computeId": CLUSTER,
        "searchSpace": {"a": ["choice", [[1]]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Grid"},
        "objective": {"goal": "Minimize", "primaryMetric": "loss"},
    }
    assert arm(client, amlite, "PUT", "jobs/hunt", sweep) == 201
    assert until(client, "hunt").status == "Failed"  # no trial logs the metric
    assert [each.name[:7] for each in client.jobs.list(parent_job_name="hunt")] == ["hunt_0-"]
    assert history(client, "hunt_0").parent_run_id is None


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["data", "environments"])
def test_another_version_of_the_same_name_is_other_content(
    client: MLClient, amlite: LocalAzure, kind: str, tmp_path: Path
) -> None:
    """A version that is deleted can be created again. What an earlier one led to is not its result."""
    version, folder = f"{kind}/again/versions/1", "azureml://datastores/workspaceblobstore/paths"
    contents: list[Json] = [
        {"dataType": "uri_folder", "dataUri": f"{folder}/{each}/"}
        if kind == "data"
        else {"image": IMAGE, "condaFile": f"name: {each}\ndependencies:\n- python=3.11\n"}
        for each in ("red", "blue")
    ]
    if kind == "data":
        for each in ("red", "blue"):
            place = {"made": {"type": "uri_folder", "path": f"{folder}/{each}/"}}
            write = {**COPY, "command": f"echo {each} > ${{{{outputs.made}}}}/colour", "inputs": {}, "outputs": place}
            run(client, {"write": write})
    read: Json = {**COPY, "command": "echo; cat ${{inputs.source}}/colour", "outputs": {}}
    read["inputs"] = {"source": {"type": "uri_folder", "path": "azureml:again:1"}}
    plain: Json = {**COPY, "command": "echo ran", "inputs": {}, "outputs": {}, "environment": "azureml:again:1"}
    jobs = {"one": read if kind == "data" else plain}
    names = []
    for content in contents:
        assert arm(client, amlite, "PUT", version, content) == 201
        names += [run(client, jobs), run(client, jobs)]
        assert arm(client, amlite, "DELETE", version) == 200
    made = [sources(client, name)["one"] for name in names]
    assert made == [made[0], made[0], made[2], made[2]]
    assert made[0] != made[2]
    if kind == "data":
        assert [printed(client, name, tmp_path).strip() for name in names] == ["red", "red", "blue", "blue"]
