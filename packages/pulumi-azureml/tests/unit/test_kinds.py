"""Every kind is a file that says all: typed arguments with Azure's own keys, documented, planned as its YAML is."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import typing
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from azureml_fixtures.asset_project import Project
from pulumi_azureml.kinds import KINDS, MANAGED
from pulumi_azureml.kinds.pipeline_job import PipelineJobArgs
from pulumi_azureml.operations.managed import ManagedKind
from pulumi_azureml.planning import generate_schema
from pulumi_azureml.resources import resource
from pulumi_azureml.resources.resource import Arguments, WorkspaceArgs

WORKSPACE = WorkspaceArgs("subscription", "group", "workspace", "project/stack")
SCHEMA = json.loads(generate_schema.PATH.read_text("utf-8"))
COMMON = {each.name for each in dataclasses.fields(Arguments)}


def arguments_of(kind: ManagedKind) -> type[Arguments]:
    """Return the class of a kind's typed arguments, which its resource class names."""
    (base,) = (each for each in getattr(kind.resource, "__orig_bases__", ()) if typing.get_args(each))
    (arguments,) = typing.get_args(base)
    assert isinstance(arguments, type)
    assert issubclass(arguments, Arguments)
    return arguments


def keys_of(kind: str) -> set[str]:
    """Return the top-level keys that azure-ai-ml's own schemas know for a kind's YAML."""
    nodes = SCHEMA["kinds"][kind].values()
    return {key for node in nodes for key in SCHEMA["definitions"][node["ref"]]["keys"]}


@pytest.mark.parametrize("name", sorted(MANAGED))
def test_typed_arguments_are_the_keys_of_the_yaml_and_documented(name: str) -> None:
    arguments = arguments_of(MANAGED[name])
    own = {each.name for each in dataclasses.fields(arguments)} - COMMON
    assert own - arguments.apart - keys_of(name) == set()
    text = inspect.getdoc(arguments) or ""
    assert {each for each in own if f"{each}:" not in text} == set()
    assert arguments.kind == name


@pytest.mark.parametrize("name", sorted(MANAGED))
def test_a_resource_says_what_it_updates_and_how_it_fails(name: str) -> None:
    text = inspect.getdoc(MANAGED[name].resource) or ""
    assert "Fails when" in text
    assert "emoval" in text or "deleted" in text


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_stands_in_a_file_of_its_name(name: str) -> None:
    assert type(KINDS[name]).__module__ == f"pulumi_azureml.kinds.{name}"


def everything(root: Path) -> Project:
    ml: Any = None
    project = Project(root, ml, "t1")
    project.add_datastore()
    project.add_batch()
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


@pytest.mark.parametrize("name", ["component", "data", "datastore", "endpoint", "environment", "model"])
def test_typed_arguments_are_planned_as_the_yaml_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = everything(tmp_path)
    values = in_yaml(project, name)
    if "environment" in values:
        values["environment"] = project.asset("environment").reference
    planned = resource._plan(arguments_of(MANAGED[name])(workspace=WORKSPACE, **values))
    asset = project.asset(name)
    assert (planned.version, planned.content_hash) == (asset.version, asset.content_hash)


def test_a_pipeline_job_is_planned_as_its_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = everything(tmp_path)
    step = {"component": project.asset("component").reference, "compute": "azureml:cpu"}
    planned = resource._plan(PipelineJobArgs(workspace=WORKSPACE, name="steps", jobs={"step": step}, timeout_minutes=9))
    asset = project.asset("pipeline_job")
    assert (planned.name, planned.version, planned.own) == ("steps", asset.version, {"timeout_minutes": 9})


def test_all_problems_of_arguments_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    everything(tmp_path)
    wrong = arguments_of(MANAGED["component"])(
        workspace=WORKSPACE,
        name="Bad Name",
        command="echo ${{inputs.nothing}}",
        code="no/folder",  # type: ignore[call-arg]
    )
    with pytest.raises(pulumi.RunError) as raised:
        resource._plan(wrong)
    text = str(raised.value)
    assert "component Bad Name" in text
    assert "'Bad Name' is not a valid component name" in text
    assert "'no/folder' does not exist" in text
    assert "${{inputs.nothing}}, which is not declared" in text


def test_an_output_is_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    everything(tmp_path)

    async def give() -> None:
        unknown: Any = pulumi.Output.from_input("image")
        arguments = arguments_of(MANAGED["environment"])
        resource._plan(arguments(workspace=WORKSPACE, name="env", image=unknown))  # type: ignore[call-arg]

    with pytest.raises(pulumi.RunError, match="versions are planned before"):
        asyncio.run(give())
