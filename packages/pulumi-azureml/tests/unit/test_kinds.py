"""Every kind is three files that say all: how it is planned, what Azure is told, and its typed resource."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import pickle
import typing
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.dynamic.dynamic import serialize_provider

from azureml_fixtures.asset_project import Project
from pulumi_azureml import DeploymentTemplate, ModelArgs, PipelineJobArgs, RegistryArgs, WorkspaceArgs
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning import generate_schema
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.provider import AzureMLProvider
from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.kinds import RESOURCES
from pulumi_azureml.resources.resource import without_side_effects

WORKSPACE = WorkspaceArgs(subscription_id="subscription", resource_group="group", name="workspace", owner="a/b")
REGISTRY = RegistryArgs(name="shared", owner="a/b")
SCHEMA = json.loads(generate_schema.PATH.read_text("utf-8"))
COMMON = {each.name for each in dataclasses.fields(Arguments)}
# An online deployment belongs to its endpoint's resource: it is planned, and has no operations of its own.
WITHOUT_RESOURCE = {"online_deployment"}


def keys_of(kind: str) -> set[str]:
    """Return the top-level keys that azure-ai-ml's own schemas know for a kind's YAML."""
    nodes = SCHEMA["kinds"][kind].values()
    return {key for node in nodes for key in SCHEMA["definitions"][node["ref"]]["keys"]}


def test_every_kind_is_planned_has_operations_and_a_resource() -> None:
    assert set(OPERATIONS) == set(RESOURCES) == set(KINDS) - WITHOUT_RESOURCE


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_a_kind_stands_in_three_files_of_its_name(name: str) -> None:
    modules = [type(KINDS[name]).__module__, type(OPERATIONS[name]).__module__, RESOURCES[name].__module__]
    assert modules == [f"pulumi_azureml.{layer}.kinds.{name}" for layer in ("planning", "operations", "resources")]
    assert KINDS[name] is OPERATIONS[name].planned


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_typed_arguments_are_the_keys_of_the_yaml_and_documented(name: str) -> None:
    arguments = RESOURCES[name].arguments
    own = {each.name for each in dataclasses.fields(arguments)} - COMMON
    assert own - arguments.excluded - keys_of(name) == set()
    text = inspect.getdoc(arguments) or ""
    assert {each for each in own if f"{each}:" not in text} == set()
    assert arguments.kind == name


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_keywords_are_the_fields_of_the_arguments(name: str) -> None:
    """A resource's constructor repeats them, so that editors and type checkers see them."""
    resource = RESOURCES[name]
    with_object, with_keywords = typing.get_overloads(resource.__init__)
    assert list(inspect.signature(with_object).parameters) == ["self", "resource_name", "args", "opts"]
    given = list(inspect.signature(with_keywords).parameters.values())
    assert [each.name for each in given[:3]] == ["self", "resource_name", "opts"]
    keywords = {each.name: (each.annotation, each.default, each.kind) for each in given[3:]}
    fields = {
        each.name: (
            each.type,
            inspect.Parameter.empty if each.default is dataclasses.MISSING else each.default,
            inspect.Parameter.KEYWORD_ONLY,
        )
        for each in dataclasses.fields(resource.arguments)
    }
    assert keywords == fields


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_a_resource_says_what_it_updates_and_how_it_fails(name: str) -> None:
    text = inspect.getdoc(RESOURCES[name]) or ""
    assert "Fails if" in text
    assert "emoval" in text or "deleted" in text


def everything(root: Path) -> Project:
    ml: Any = None
    project = Project(root, ml, "t1")
    project.add_datastore()
    project.add_batch()
    project.add_template("shared")
    return project


def in_yaml(project: Project, kind: str) -> dict[str, Any]:
    """Return an asset's YAML with paths relative to the project, as arguments have them."""
    path = project.asset(kind).path
    data: dict[str, Any] = yaml.safe_load((project.root / path).read_text("utf-8"))
    folder = Path(path).parent.as_posix()
    for key in ("code", "path"):
        if str(data.get(key)).startswith("./"):
            data[key] = f"{folder}/{data[key][2:]}"
    return data


def given(kind: str, **values: Any) -> Arguments:
    return RESOURCES[kind].arguments(workspace=REGISTRY if KINDS[kind].only_shared else WORKSPACE, **values)


@pytest.mark.parametrize(
    "name", ["component", "data", "datastore", "deployment_template", "environment", "model", "online_endpoint"]
)
def test_typed_arguments_are_planned_as_the_yaml_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = everything(tmp_path)
    values = in_yaml(project, name)
    if name == "component":
        values["environment"] = project.asset("environment").reference
    planned = given(name, **values).plan()
    asset = project.asset(name)
    assert (planned.version, planned.content_hash) == (asset.version, asset.content_hash)


def test_a_model_of_a_registry_has_deployment_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    everything(tmp_path)
    default = {"asset_id": "azureml://registries/shared/deploymenttemplates/serve/versions/1"}
    values: dict[str, Any] = {"name": "delay", "path": "ml/model/weights", "default_deployment_template": default}
    assert ModelArgs(workspace=REGISTRY, **values).plan().metadata["default_deployment_template"] == default
    with pytest.raises(pulumi.RunError, match="only a model in a registry has deployment templates"):
        ModelArgs(workspace=WORKSPACE, **values).plan()


def test_a_deployment_template_needs_a_registry() -> None:
    values = {"environment": "azureml:server:1", "default_instance_type": "Standard_F2s_v2", "scoring_path": "/"}
    with pytest.raises(pulumi.RunError, match="deployment template 'serve': give a registry as `workspace`"):
        DeploymentTemplate("serve", workspace=WORKSPACE, scoring_port=80, **values)


def test_a_pipeline_job_is_planned_as_its_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = everything(tmp_path)
    step = {"component": project.asset("component").reference, "compute": "azureml:cpu"}
    planned = PipelineJobArgs(workspace=WORKSPACE, name="steps", jobs={"step": step}, timeout_minutes=9).plan()
    asset = project.asset("pipeline_job")
    assert (planned.name, planned.version, planned.own) == ("steps", asset.version, {"timeout_minutes": 9})


def test_all_problems_of_arguments_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    everything(tmp_path)
    wrong = given("component", name="Bad Name", command="echo ${{inputs.nothing}}", code="no/folder")
    with pytest.raises(pulumi.RunError) as raised:
        wrong.plan()
    text = str(raised.value)
    assert "component Bad Name" in text
    assert "'Bad Name' is not a valid component name" in text
    assert "'no/folder' does not exist" in text
    assert "${{inputs.nothing}}, which is not declared" in text


@pytest.fixture
def output() -> Any:
    """Return an output that is known only after an update."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop.run_until_complete(_output())
    asyncio.set_event_loop(None)
    loop.close()


async def _output() -> Any:
    return pulumi.Output.from_input("known later")


def test_what_a_version_is_made_of_is_no_output(output: Any) -> None:
    with pytest.raises(pulumi.RunError, match=r"environment 'env': `image` is an output.*versions are planned before"):
        given("environment", name="env", image=output).plan()
    with pytest.raises(pulumi.RunError, match=r"component 'step': `inputs` is an output"):
        given("component", name="step", command="echo", inputs={"rate": {"default": output}}).plan()


def test_metadata_may_be_an_output_and_changes_no_version(
    output: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = given("environment", name="env", image="python:3.11", tags={"team": "weather"}).plan()
    later = given(
        "environment", name="env", image="python:3.11", tags={"team": "weather", "by": output}, description=output
    ).plan()
    assert (later.version, later.content_hash) == (plain.version, plain.content_hash)
    assert plain.props()["metadata"] == {"tags": {"team": "weather"}}
    assert later.props()["metadata"] == {"description": output, "tags": {"team": "weather", "by": output}}


def test_an_image_that_the_program_built_may_be_an_output(
    output: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = everything(tmp_path)
    project.write("context/Dockerfile", "FROM python:3.11\n")
    build = {"path": "context"}
    theirs = given("environment", name="env", build=build).plan()
    ours = given("environment", name="env", build=build, built_image=output).plan()
    assert (theirs.own["image"], ours.own["image"]) == (None, output)
    assert theirs.version != ours.version


def test_a_resource_leaves_the_pickler_as_it_was() -> None:
    """Pulumi's SDK wraps it once for each dynamic resource: a thousand of them would exceed the recursion limit."""
    pickler: Any = pickle._Pickler
    before = pickler._batch_setitems
    with without_side_effects():
        serialize_provider(AzureMLProvider("data"))
        assert pickler._batch_setitems is not before
    assert pickler._batch_setitems is before
