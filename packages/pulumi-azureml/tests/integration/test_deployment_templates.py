"""Deployment templates of a registry, and the models that name them, by the real client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from amlite.testing import FaultKind
from amlite_fixtures.azure import REGISTRY
from azureml_fixtures.asset_project import OWNER, STRANGER, Project
from pulumi_azureml.operations import existing, ownership
from pulumi_azureml.operations.connection import Registry, connect
from pulumi_azureml.operations.errors import OwnershipError
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning import CatalogueSettings, load_catalogue
from pulumi_azureml.resources.places import RegistryArgs
from pulumi_azureml.resources.planned import Planned

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

KIND = "deployment_template"
TEMPLATES = f"azureml://registries/{REGISTRY}/deploymenttemplates"
_OPERATIONS = OPERATIONS[KIND]


@pytest.fixture
def ml(registry: MLClient) -> MLClient:
    """Return the client with which the provider reaches the registry."""
    return connect(Registry(REGISTRY))


@pytest.fixture
def template(project: Project, ml: MLClient) -> Project:
    """Return the project with a deployment template, whose environment is in the registry."""
    project.add_template(REGISTRY)
    project.needs(KIND)
    return project


@pytest.fixture
def model(template: Project) -> Iterator[Project]:
    """Return the project with its model in the registry, deployed by the template."""
    template.edit("ml/model/model.yml", default_deployment_template=_latest(template))
    (template.root / "ml/model").rename(template.root / "ml/shared/model")
    yield template
    (template.root / "ml/shared/model").rename(template.root / "ml/model")


def _latest(project: Project) -> dict[str, str]:
    return {"asset_id": f"azureml:template-{project.tag}@latest"}


def _model(project: Project) -> dict[str, Any]:
    settings = CatalogueSettings(frozenset({"cpu"}), registry=REGISTRY, cache_folder=None, check_with_azure=True)
    (asset,) = load_catalogue(project.root, settings).of("model")
    return Planned.of(asset, RegistryArgs(name=REGISTRY, owner=OWNER)).props()


def _id(props: dict[str, Any]) -> str:
    return f"{TEMPLATES}/{props['name']}/versions/{props['version']}"


def test_new_content_is_an_update_and_going_back_finds_the_old_version(template: Project, ml: MLClient) -> None:
    before = template.props(KIND)
    first = _OPERATIONS.upsert(ml, before)
    template.change(KIND)
    after = template.props(KIND)
    _OPERATIONS.upsert(ml, after)
    assert _OPERATIONS.observe(ml, after) == after
    listed = {str(each.version) for each in ml.deployment_templates.list(name=before["name"])}
    assert listed == {before["version"], after["version"]}
    template.take_back()
    assert _OPERATIONS.upsert(ml, before) == first
    _OPERATIONS.remove(ml, before)
    _OPERATIONS.remove(ml, before)
    assert list(ml.deployment_templates.list(name=before["name"])) == []
    assert _OPERATIONS.upsert(ml, before) == first
    assert _OPERATIONS.observe(ml, before) == before


def test_what_others_change_shows_and_is_repaired(template: Project, ml: MLClient) -> None:
    template.edit_metadata(KIND, tags={"team": "flights"}, description="what it is")
    props = template.props(KIND)
    _OPERATIONS.upsert(ml, props)
    there = ml.deployment_templates.get(props["name"], props["version"])
    there.tags["team"] = "somebody"
    ml.deployment_templates.create_or_update(there)
    ml.deployment_templates.archive(props["name"], props["version"])
    seen = _OPERATIONS.observe(ml, props)
    assert seen is not None
    assert seen["metadata"] == {**props["metadata"], "tags": {"team": "somebody"}, "archived": True}
    _OPERATIONS.upsert(ml, props)
    assert _OPERATIONS.observe(ml, props) == props
    assert ml.deployment_templates.get(props["name"]).version == props["version"]


def test_somebody_elses_is_refused_with_the_way_to_adopt_it(template: Project, ml: MLClient) -> None:
    _OPERATIONS.upsert(ml, template.props(KIND, STRANGER))
    with pytest.raises(OwnershipError, match=f"belongs to stack '{STRANGER}'.*adopt=True"):
        _OPERATIONS.upsert(ml, template.props(KIND))
    ours = template.props(KIND, adopt=True)
    there = ml.deployment_templates.get(ours["name"], ours["version"])
    there.tags[ownership.CONTENT] = ours["content_hash"]
    ml.deployment_templates.create_or_update(there)
    _OPERATIONS.upsert(ml, ours)
    assert ownership.is_ours(ml.deployment_templates.get(ours["name"], ours["version"]).tags, OWNER)


def test_the_templates_of_a_model_change_within_its_version(model: Project, ml: MLClient) -> None:
    template = model.props(KIND)
    _OPERATIONS.upsert(ml, template)
    before = _model(model)
    OPERATIONS["model"].upsert(ml, before)
    there = ml.models.get(before["name"], before["version"])
    assert there.default_deployment_template.asset_id == _id(template)
    assert OPERATIONS["model"].observe(ml, before) == before
    model.change(KIND)
    model.edit("ml/shared/model/model.yml", allowed_deployment_templates=[_latest(model)])
    newer, after = model.props(KIND), _model(model)
    assert (after["version"], after["metadata"] == before["metadata"]) == (before["version"], False)
    _OPERATIONS.upsert(ml, newer)
    OPERATIONS["model"].upsert(ml, after)
    there = ml.models.get(before["name"], before["version"])
    assert there.default_deployment_template.asset_id == _id(newer)
    assert [each.asset_id for each in there.allowed_deployment_templates] == [
        f"{TEMPLATES}/{newer['name']}/labels/latest"
    ]
    assert OPERATIONS["model"].observe(ml, after) == after
    # Somebody takes the default away.
    there.default_deployment_template = None
    ml.models.create_or_update(there)
    seen = OPERATIONS["model"].observe(ml, after)
    assert seen is not None
    assert "default_deployment_template" not in seen["metadata"]
    OPERATIONS["model"].upsert(ml, after)
    assert OPERATIONS["model"].observe(ml, after) == after


def test_what_hinders_a_read_is_not_taken_for_a_template_that_is_not_there(
    template: Project, ml: MLClient, add_fault: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-ai-ml would overwrite the template of another stack."""
    theirs = template.props(KIND, STRANGER)
    _OPERATIONS.upsert(ml, theirs)
    monkeypatch.setattr("azure.core.pipeline.transport.HttpTransport.sleep", lambda *_arguments: None)
    add_fault("GET */deploymenttemplates/*/versions/*", FaultKind.ERROR, rate=1)
    with pytest.raises(HttpResponseError):
        _OPERATIONS.upsert(ml, template.props(KIND))


def test_a_preview_refuses_a_template_that_the_registry_has_not(template: Project, ml: MLClient) -> None:
    props = template.props(KIND)
    _OPERATIONS.upsert(ml, props)
    asked = {**props, "outside": [{"kind": KIND, "reference": _id(props), "at": "here"}]}
    assert existing.refusals({}, asked) == {}
    absent = f"{TEMPLATES}/absent-{template.tag}/versions/1"
    (said,) = existing.refusals({}, {**asked, "outside": [{"kind": KIND, "reference": absent, "at": "here"}]}).values()
    assert f"deployment template 'absent-{template.tag}' version 1" in said
