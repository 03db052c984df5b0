"""What a workspace holds is written as YAML, taken over by the next update, and shows no change after that."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP
from amlite_fixtures.scoring import Scoring
from azureml_fixtures.asset_project import OWNER, Project, workspace_of
from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning.deployments import azure_name
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.resources.planned import Planned, hashes, trees
from release import cli
from release.assets import adoption, definitions
from release.assets import command as assets
from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


Props = dict[str, Any]
VERSIONED = ("environment", "component", "data", "model")
SCORE = "def init(): ...\n\n\ndef run(raw):\n    return raw\n"


@pytest.fixture(scope="module")
def others(amlite: LocalAzure) -> Workspace:
    """Return a workspace that somebody filled by hand, with a cluster."""
    made = Workspace.create(amlite, "adoption")
    scale = {"minNodeCount": 0, "maxNodeCount": 1}
    cluster = {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS3_v2", "scaleSettings": scale}}
    made.azure.put(f"{made.id}/computes/cpu", {"location": "westeurope", "properties": cluster})
    return made


@pytest.fixture(scope="module")
def theirs(others: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Fill the workspace as `az ml` does: no tag of this project, versions of their own, plain names."""
    from azure.ai.ml import (
        load_batch_endpoint,
        load_component,
        load_data,
        load_datastore,
        load_environment,
        load_job,
        load_model,
        load_online_endpoint,
    )
    from azure.ai.ml.entities import CronTrigger, JobSchedule
    from azure.ai.ml.entities._load_functions import load_model_batch_deployment

    ml = others.client()
    project = Project(tmp_path_factory.mktemp("theirs"), ml, uuid.uuid4().hex[:8])
    project.add_datastore()
    project.add_batch()
    root, tag = project.root, project.tag
    conda = {"name": "plain", "channels": ["conda-forge"], "dependencies": ["python=3.11"]}
    project.write("ml/environment/conda.yml", conda)
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    its: Props = {"image": image, "conda_file": "./conda.yml", "version": "3", "description": "Runs steps"}
    project.edit("ml/environment/environment.yml", **its)
    ml.environments.create_or_update(load_environment(root / "ml/environment/environment.yml"))
    environment = f"azureml:env-{tag}:3"
    rate = {"type": "number", "default": 0.5, "min": 0, "max": 1}
    step: Props = {"inputs": {"rate": rate, "rows": {"type": "uri_folder", "optional": True}}, "display_name": "A step"}
    command = "python main.py --rate ${{inputs.rate}}"
    project.edit("ml/step/component.yml", version="1.2", environment=environment, command=command, **step)
    ml.components.create_or_update(load_component(root / "ml/step/component.yml"))
    project.edit("ml/data/data.yml", version="1", tags={"team": "flights"})
    ml.data.create_or_update(load_data(root / "ml/data/data.yml"))
    project.edit("ml/model/model.yml", version="1")
    ml.models.create_or_update(load_model(root / "ml/model/model.yml"))
    ml.datastores.create_or_update(load_datastore(root / "ml/store/datastore.yml"))
    node: Props = {"component": f"azureml:step_{tag}:1.2", "compute": "azureml:cpu"}
    node["inputs"] = {"rate": "${{parent.inputs.rate}}"}
    project.edit("pipelines/steps.yml", jobs={"step": node}, inputs={"rate": 0.1})
    job = load_job(root / "pipelines/steps.yml")
    trigger = CronTrigger(expression="0 5 * * *", time_zone="UTC")
    ml.schedules.begin_create_or_update(JobSchedule(name=f"daily-{tag}", trigger=trigger, create_job=job)).result()
    ml.online_endpoints.begin_create_or_update(load_online_endpoint(root / "ml/deploy/endpoint.yml")).result()
    ml.batch_endpoints.begin_create_or_update(load_batch_endpoint(root / "ml/batch/endpoint.yml")).result()
    project.edit("ml/batch/scores-deployment.yml", model=f"azureml:model-{tag}:1", environment=environment)
    deployment = load_model_batch_deployment(root / "ml/batch/scores-deployment.yml")
    ml.batch_deployments.begin_create_or_update(deployment).result()
    return project


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: Workspace) -> Project:
    """Return an empty project, which is the working directory."""
    project = Project.__new__(Project)
    project.root, project.ml, project.tag = tmp_path, others.client(), "ours"
    project.write("Pulumi.yaml", "name: azureml-platform\nruntime: python\n")
    monkeypatch.chdir(tmp_path)
    return project


def inputs(ml: MLClient, asset: Any) -> Props:
    props = Planned.of(asset, workspace_of(ml, OWNER, adopt=True)).props()
    if asset.kind == "online_endpoint":
        props |= {"rollout": {"steps": [100], "bake_seconds": 0}, "traffic": {}}
    return props | ({"is_default": True} if asset.kind == "batch_deployment" else {})


def test_everything_is_written_taken_over_and_unchanged(theirs: Project, ours: Project, others: Workspace) -> None:
    ml, tag = ours.ml, theirs.tag
    found = list(adoption.survey(ml, ours.root))
    # Other tests of this file make more in the workspace.
    own = ("workspaceartifactstore", "workspaceblobstore", "workspacefilestore", "workspaceworkingdirectory")
    reasons = {each.name: each.reason for each in found if each.name in own or tag in each.name}
    assert {name: reason for name, reason in reasons.items() if reason} == dict.fromkeys(
        own, "it is a default datastore, which every workspace has"
    )
    for each in found:
        if tag in each.name:
            adoption.write(ml, ours.root, each)
    assert (ours.root / f"ml/step_{tag}/src/main.py").read_text() == f"print('{tag}')\n"
    plan = adoption.plan(ours.root, {"cpu"})
    assert {(asset.kind, asset.name) for asset in plan.assets} == {
        ("environment", f"env-{tag}"), ("component", f"step_{tag}"), ("data", f"data-{tag}"), ("model", f"model-{tag}"),
        ("datastore", f"store_{tag}"), ("pipeline_job", f"daily-{tag}"), ("schedule", f"daily-{tag}"),
        ("online_endpoint", f"ep-{tag}"), ("batch_endpoint", f"batch-{tag}"),
        ("batch_deployment", f"batch-{tag}/scores"),
    }  # fmt: skip
    before = {kind: versions(ml, kind) for kind in VERSIONED}
    for asset in plan.assets:
        if asset.kind != "pipeline_job":  # nothing is to be run
            props = inputs(ml, asset)
            OPERATIONS[asset.kind].upsert(ml, props)
            assert OPERATIONS[asset.kind].observe(ml, props) == props, asset.id
    # Nothing was made anew: what was there is ours now.
    assert {kind: versions(ml, kind) for kind in VERSIONED} == before
    assert ownership.is_ours(ml.components.get(f"step_{tag}", "1.2").tags, OWNER)
    assert ml.data.get(f"data-{tag}", "1").tags["team"] == "flights"
    # And nothing is left to adopt.
    assert [each for each in adoption.survey(ml, ours.root) if not each.reason and tag in each.name] == []


def versions(ml: MLClient, kind: str) -> list[str]:
    operations = getattr(ml, OPERATIONS[kind].collection)  # type: ignore[attr-defined]
    return sorted(f"{one.name}:{one.version}" for each in operations.list() for one in operations.list(name=each.name))


def test_one_of_a_kind_is_chosen_and_no_file_is_overwritten(theirs: Project, ours: Project) -> None:
    name = f"data-{theirs.tag}"
    (found,) = adoption.survey(ours.ml, ours.root, "data", [name])
    ours.write(f"ml/data/{name}/data.yml", "name: mine\n")
    with pytest.raises(ReleaseError, match=r"cannot be written.*exists"):
        adoption.write(ours.ml, ours.root, found)
    assert (ours.root / f"ml/data/{name}/data.yml").read_text() == "name: mine\n"
    ours.write(f"ml/data/{name}/data.yml", {"name": "mine", "path": "azureml://datastores/workspaceblobstore/paths/x/"})
    (again,) = adoption.survey(ours.ml, ours.root, "data", [name])
    assert again.reason == f"ml/data/{name}/data.yml already exists and is not overwritten"
    with pytest.raises(ReleaseError, match=f"the workspace has no data 'nothing'; it has: {name}"):
        list(adoption.survey(ours.ml, ours.root, "data", ["nothing"]))
    with pytest.raises(ReleaseError, match="'job' is not a kind that you can adopt"):
        list(adoption.survey(ours.ml, ours.root, "job"))


def test_what_signs_in_with_a_key_is_said_and_not_written(theirs: Project, ours: Project) -> None:
    from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobDatastore

    name = f"keyed_{theirs.tag}"
    key = AccountKeyConfiguration(account_key="c2VjcmV0")
    ours.ml.datastores.create_or_update(
        AzureBlobDatastore(name=name, account_name="stother", container_name="container", credentials=key)
    )
    (found,) = adoption.survey(ours.ml, ours.root, "datastore", [name])
    assert "it uses a key, token or secret" in found.reason
    assert found.files == {}
    ours.ml.datastores.delete(name)


def test_a_component_that_was_read_is_written_back_with_other_tags(theirs: Project, others: Workspace) -> None:
    """`az ml component update` reads, changes and writes: what the service adds to the specification is no content."""
    ml = others.client()
    read = ml.components.get(f"step_{theirs.tag}", "1.2")
    read.tags = {**(read.tags or {}), "seen": "yes"}
    ml.components.create_or_update(read)
    assert ml.components.get(f"step_{theirs.tag}", "1.2").tags["seen"] == "yes"


def test_a_serving_deployment_is_taken_over_without_a_break(
    ml_client: MLClient, empty: Scoring, make_deployment: Callable[..., Any], ours: Project
) -> None:
    ml, name = ml_client, empty.name
    ml.online_deployments.begin_create_or_update(make_deployment(name, "blue")).result()
    empty.set_traffic(blue=100)
    (found,) = adoption.survey(ml, ours.root, "online_endpoint", [name])
    assert found.reason == ""
    adoption.write(ml, ours.root, found)
    assert "def run" in (ours.root / f"ml/deploy/{name}/src/score.py").read_text()
    plan = adoption.plan(ours.root)
    (served,) = plan.of("online_deployment")
    deployment = {
        "name": "blue", "definition": {**served.definition, **served.metadata}, "path": served.path,
        "content_hash": served.content_hash, "trees": trees(hashes(served)),
    }  # fmt: skip
    live = azure_name(deployment["name"], deployment["content_hash"])
    props = inputs(ml, plan["online_endpoint", name]) | {"deployment": deployment, "traffic": {live: 100}}
    OPERATIONS["online_endpoint"].upsert(ml, props)
    assert [each.name for each in ml.online_deployments.list(name)] == [live]
    assert empty.post({"value": 21}, key=empty.key).json() == 42
    assert OPERATIONS["online_endpoint"].observe(ml, props) == props


def test_contexts_and_pipeline_components_are_written(others: Workspace, ours: Project, tmp_path: Path) -> None:
    from azure.ai.ml import load_component
    from azure.ai.ml.entities import BuildContext, Environment

    ml = ours.ml
    context = tmp_path / "made" / "context"
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM mcr.microsoft.com/azureml/base\nCOPY a.txt /\n")
    (context / "a.txt").write_text(uuid.uuid4().hex)
    ml.environments.create_or_update(Environment(name="built", version="1", build=BuildContext(path=str(context))))
    command = {
        "type": "command",
        "name": "inner",
        "version": "1",
        "command": "echo 1",
        "environment": "azureml:built:1",
    }
    (tmp_path / "made" / "inner.yml").write_text(yaml.safe_dump(command))
    ml.components.create_or_update(load_component(tmp_path / "made" / "inner.yml"))
    schema = f"{definitions.SCHEMAS}/pipelineComponent.schema.json"
    outer = {"$schema": schema, "type": "pipeline", "name": "outer", "version": "1"}
    (tmp_path / "made" / "outer.yml").write_text(
        yaml.safe_dump({**outer, "jobs": {"one": {"component": "azureml:inner:1"}}})
    )
    ml.components.create_or_update(load_component(tmp_path / "made" / "outer.yml"))
    for kind, name in (("environment", "built"), ("component", "inner"), ("component", "outer")):
        (found,) = adoption.survey(ml, ours.root, kind, [name])
        assert found.reason == ""
        adoption.write(ml, ours.root, found)
    plan = adoption.plan(ours.root)
    for kind, name in (("environment", "built"), ("component", "inner"), ("component", "outer")):
        props = inputs(ml, plan[kind, name])
        OPERATIONS[kind].upsert(ml, props)
        assert OPERATIONS[kind].observe(ml, props) == props, name
    assert len(list(ml.environments.list(name="built"))) == 1


def test_a_model_that_a_job_registered_is_taken_over(others: Workspace, ours: Project) -> None:
    uri = "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.calm-sun/model"
    body = {"modelUri": uri, "modelType": "mlflow_model", "jobName": "calm-sun", "tags": {"auc": "0.7"}}
    others.azure.put(f"{others.id}/models/registered/versions/1", {"properties": body})
    (found,) = adoption.survey(ours.ml, ours.root, "model", ["registered"])
    adoption.write(ours.ml, ours.root, found)
    props = inputs(ours.ml, adoption.plan(ours.root)["model", "registered"])
    OPERATIONS["model"].upsert(ours.ml, props)
    assert OPERATIONS["model"].observe(ours.ml, props) == props
    made = others.azure.arm("GET", f"{others.id}/models/registered/versions/1").json()
    assert made["properties"]["jobName"] == "calm-sun"


def test_the_command_prints_or_writes(
    theirs: Project, ours: Project, monkeypatch: pytest.MonkeyPatch, others: Workspace
) -> None:
    from click.testing import CliRunner

    monkeypatch.setattr(assets, "program_folder", lambda: ours.root)
    place = ["--subscription", SUBSCRIPTION_ID, "--resource-group", GROUP, "--workspace", others.name]
    command = ["adopt", "--stack", "dev", *place, "data", f"data-{theirs.tag}"]
    shown = CliRunner().invoke(cli.main, [*command, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert f"+ data data-{theirs.tag} version 1: ml/data/data-{theirs.tag}/data.yml" in shown.output
    assert "path: azureml://datastores/workspaceblobstore/paths/" in shown.output
    assert not (ours.root / "ml").exists()
    written = CliRunner().invoke(cli.main, command)
    assert written.exit_code == 0, written.output
    assert "pulumi config set --path azureml-platform:assets.adopt true -s dev" in written.output
    assert (ours.root / f"ml/data/data-{theirs.tag}/data.yml").exists()
    assert "There is nothing to adopt." in CliRunner().invoke(cli.main, command).output


def test_every_kind_that_others_make_can_be_described() -> None:
    others = {"batch_deployment", "deployment_template", "pipeline_job"}  # an endpoint's; a registry's; a run
    assert set(OPERATIONS) - set(definitions.KINDS) == others
    assert set(definitions.KINDS) <= set(KINDS)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"environment_variables": {"DB_PASSWORD": "x"}}, "environment_variables.DB_PASSWORD"),
        ({"jobs": {"a": {"environment_variables": {"API_KEY": "x"}}}}, "jobs.a.environment_variables.API_KEY"),
        ({"path": "https://a.blob.core.windows.net/c/d?sv=1&sig=abc"}, "path"),
        ({"environment_variables": {"COLOUR": "red"}, "inputs": {"token": "a"}}, ""),
    ],
)
def test_what_looks_like_a_secret_is_found(value: Props, where: str) -> None:
    assert definitions.secret_in(value) == where
    assert yaml.safe_dump(value)
