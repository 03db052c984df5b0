"""Assets below `ml/shared/` live in a registry: the contract of the kinds that can, by the real client."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from amlite_fixtures.azure import REGISTRY
from azureml_fixtures.asset_project import OWNER, STRANGER, Project
from pulumi_azureml.operations import existing
from pulumi_azureml.operations.connection import Registry, Workspace, connect, place_of
from pulumi_azureml.operations.errors import AssetError, OwnershipError
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning import CatalogueSettings, load_catalogue
from pulumi_azureml.resources.places import RegistryArgs
from pulumi_azureml.resources.planned import Planned

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

Props = dict[str, Any]
TEMPLATE = "ml/shared/template/deployment-template.yml"
SHARED = sorted(name for name, each in OPERATIONS.items() if each.planned.versioned)


@pytest.fixture
def shared(project: Project, registry: MLClient) -> Iterator[Project]:
    """Return the project with its versioned assets moved below `ml/shared/`, until the test is over."""
    inside = project.root / "ml" / "shared"
    inside.mkdir()
    folders = ("environment", "step", "data", "model")
    for folder in folders:
        (project.root / "ml" / folder).rename(inside / folder)
    project.add_template(REGISTRY)
    project.edit(TEMPLATE, environment=f"azureml:env-{project.tag}@latest")
    yield project
    (project.root / TEMPLATE).unlink()
    for folder in folders:
        (inside / folder).rename(project.root / "ml" / folder)


def props(project: Project, kind: str, owner: str = OWNER, *, adopt: bool = False, retain: int = 0) -> Props:
    settings = CatalogueSettings(frozenset({"cpu"}), registry=REGISTRY, cache_folder=None, check_with_azure=False)
    (asset,) = load_catalogue(project.root, settings).of(kind)
    return Planned.of(asset, RegistryArgs(name=REGISTRY, owner=owner, adopt=adopt, retain=retain)).props()


def client(kind_props: Props) -> MLClient:
    place = place_of(kind_props)
    assert place == Registry(REGISTRY)
    return connect(place)


def needed(project: Project, kind: str) -> None:
    if kind in ("component", "deployment_template"):
        environment = props(project, "environment")
        OPERATIONS["environment"].upsert(client(environment), environment)


@pytest.mark.parametrize("kind", SHARED)
def test_made_found_again_read_back_and_archived(kind: str, shared: Project, capfd: pytest.CaptureFixture[str]) -> None:
    needed(shared, kind)
    wanted = props(shared, kind)
    ml = client(wanted)
    made = OPERATIONS[kind].upsert(ml, wanted)
    assert made["resource_id"].startswith(f"azureml://registries/{REGISTRY}/")
    assert OPERATIONS[kind].upsert(ml, wanted) == made
    assert OPERATIONS[kind].observe(ml, wanted) == wanted
    OPERATIONS[kind].remove(ml, wanted)
    operations = getattr(ml, OPERATIONS[kind].collection)  # type: ignore[attr-defined]
    assert list(operations.list(name=wanted["name"])) == []
    OPERATIONS[kind].upsert(ml, wanted)
    assert [str(each.version) for each in operations.list(name=wanted["name"])] == [wanted["version"]]
    shown = capfd.readouterr()
    assert "Creating/updating" not in shown.out + shown.err, "the client prints between Pulumi's lines"
    assert shown.out == ""
    # Its own handler keeps the standard error of its import, which is not this test's.
    assert not logging.getLogger("azure.ai.ml._utils._endpoint_utils").isEnabledFor(logging.WARNING)


@pytest.mark.parametrize("kind", SHARED)
def test_what_another_stack_shared_is_refused(kind: str, shared: Project) -> None:
    needed(shared, kind)
    theirs, ours = props(shared, kind, STRANGER), props(shared, kind)
    ml = client(ours)
    OPERATIONS[kind].upsert(ml, theirs)
    with pytest.raises(OwnershipError, match=f"belongs to stack '{STRANGER}'"):
        OPERATIONS[kind].upsert(ml, ours)


def test_other_content_under_a_pinned_version_is_not_adopted(shared: Project) -> None:
    shared.edit("ml/shared/data/data.yml", version="7")
    theirs = props(shared, "data", STRANGER)
    ml = client(theirs)
    OPERATIONS["data"].upsert(ml, theirs)
    ours = {**props(shared, "data", adopt=True), "content_hash": "0" * 64}
    with pytest.raises(AssetError, match="cannot be adopted, because nothing shows that its content is the same"):
        OPERATIONS["data"].upsert(ml, ours)
    OPERATIONS["data"].upsert(ml, props(shared, "data", adopt=True))


def test_a_component_of_the_workspace_and_one_of_the_registry_name_the_shared_environment(shared: Project) -> None:
    uri = f"azureml://registries/{REGISTRY}/environments/env-{shared.tag}/versions/"
    assert props(shared, "component")["definition"]["environment"].startswith(uri)
    settings = CatalogueSettings(frozenset({"cpu"}), registry=REGISTRY, cache_folder=None, check_with_azure=True)
    (planned,) = load_catalogue(shared.root, settings).of("batch_deployment")
    assert planned.definition["environment"].startswith(uri)
    assert planned.definition["model"].startswith(f"azureml://registries/{REGISTRY}/models/")


@pytest.mark.parametrize("kind", SHARED)
def test_metadata_changes_in_place_or_says_why_not(kind: str, shared: Project) -> None:
    """User pain 7: a registry's environment takes no other tags, and the client does not say so."""
    needed(shared, kind)
    before = props(shared, kind)
    ml = client(before)
    OPERATIONS[kind].upsert(ml, before)
    places = {"component": "ml/shared/step/component.yml", "deployment_template": TEMPLATE}
    path = places.get(kind, f"ml/shared/{kind}/{kind}.yml")
    shared.edit(path, description="new", tags={"team": "flights"})
    after = props(shared, kind)
    assert after["version"] == before["version"]
    if kind == "environment":
        with pytest.raises(
            AssetError, match=r"is in a registry, where its description and tags cannot change.*set another `version:`"
        ):
            OPERATIONS[kind].upsert(ml, after)
    else:
        OPERATIONS[kind].upsert(ml, after)
        assert OPERATIONS[kind].observe(ml, after) == after


def test_references_into_a_registry_are_looked_up_there(
    shared: Project, ml_client: MLClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = props(shared, "environment")
    OPERATIONS["environment"].upsert(client(made), made)
    base = f"azureml://registries/{REGISTRY}/environments/{made['name']}"
    workspace = Workspace("s", "g", "w")

    def said(text: str, kind: str = "environment") -> str:
        monkeypatch.setattr(existing, "_answers", {})
        outside = [{"kind": kind, "reference": text, "at": "a.yml: `environment`"}]
        news = {"workspace": asdict(workspace), "content_hash": "b", "outside": outside}
        return "".join(existing.refusals({}, news).values())

    for text in (f"{base}/versions/{made['version']}", f"{base}/labels/latest"):
        assert said(text) == ""
    assert "version 9, which no file defines and registry" in said(f"{base}/versions/9")
    for kinds in ("components", "data", "models"):
        assert "'nothing', which no file defines and registry" in said(
            f"azureml://registries/{REGISTRY}/{kinds}/nothing/labels/latest"
        )
    assert "refers to registry 'nothing', which does not exist" in said(
        "azureml://registries/nothing/data/x/versions/1"
    )
    assert said("azureml://registries/azureml/environments/sklearn-1.5/labels/latest") == ""
    assert not any("not checked" in each for each in caplog.messages)
    # Azure has components there, and the local Azure does not know which.
    for which in ("versions/1", "labels/latest"):
        monkeypatch.setattr(existing, "_unchecked", set())
        assert said(f"azureml://registries/azureml/components/automl/{which}", "component") == ""
        assert "references to assets of registry 'azureml' were not checked" in caplog.messages[-1]
