"""References of models and online deployments to deployment templates.

Source: Microsoft's "What are deployment templates?" and "Deploy models that use deployment templates".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.drafts import Draft, Drafts, check_in_registry, use
from pulumi_azureml.planning.problems import Problem, listing

KIND = "deployment_template"
DEFAULT, ALLOWED = "default_deployment_template", "allowed_deployment_templates"
_OVERRIDE = ("properties", "azureml.deploymentTemplateOverride")
_DEFAULT: KeyPath = (DEFAULT, "asset_id")
# What a template says of a deployment. Azure may ignore it in the deployment itself.
_ITS = (
    *("environment", "code_configuration", "model_mount_path"),
    *("liveness_probe", "readiness_probe", "request_settings"),
)


def collect_of_model(draft: Draft) -> None:
    """Note the templates of a model. Report them in a workspace, whose models have none."""
    data = draft.definition
    given = [key for key in (DEFAULT, ALLOWED) if data.get(key)]
    if given and not draft.is_shared:
        fix = "move the model below the folder of shared assets, or remove the key"
        draft.problem((given[0],), "only a model in a registry has deployment templates", fix)
        return
    allowed = data.get(ALLOWED)
    places: list[tuple[KeyPath, Any]] = [((DEFAULT,), data.get(DEFAULT))]
    places += [((ALLOWED, index), each) for index, each in enumerate(allowed if isinstance(allowed, list) else ())]
    for keys, each in places:
        if isinstance(each, dict) and isinstance(each.get("asset_id"), str):
            use(draft, (*keys, "asset_id"), KIND, each["asset_id"])


def finish_model(draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
    """Let the list of allowed templates name the latest version, as Azure wants it, where the file has no version."""
    for keys, target in draft.targets.items():
        if keys[0] == ALLOWED and not resolved[target].pinned:
            draft.definition[ALLOWED][keys[1]]["asset_id"] = f"{_unversioned(resolved[target])}/labels/latest"


def collect_of_deployment(draft: Draft) -> None:
    """Note the template that a deployment names."""
    properties = draft.definition.get(_OVERRIDE[0])
    if isinstance(properties, dict) and isinstance(properties.get(_OVERRIDE[1]), str):
        use(draft, _OVERRIDE, KIND, properties[_OVERRIDE[1]])


def check_deployment(draft: Draft, drafts: Drafts) -> Iterator[Problem]:
    """Report what a deployment's template does not let it have."""
    yield from check_in_registry(draft, KIND)
    named = any(each.keys == _OVERRIDE for each in draft.uses)
    template = draft.targets.get(_OVERRIDE)
    if not named:
        model = drafts.get(draft.targets.get(("model",), AssetId("", "")))
        template = model.targets.get(_DEFAULT) if model is not None else None
        named = model is not None and bool(model.definition.get(DEFAULT))
    if not named:
        return
    document, data = draft.document, draft.definition
    if data.get("type") == "kubernetes":
        fix = "deploy the model to a managed endpoint, or another model"
        yield document.problem(("type",), "a deployment with a deployment template is managed", fix)
    for key in _ITS:
        if data.get(key):
            whose = f"{template}" if template is not None else "the deployment template"
            yield document.problem((key,), f"'{key}' is what {whose} says", "remove it, or use another template")
    allowed = drafts[template].definition.get("allowed_instance_types") if template is not None else None
    size = data.get("instance_type")
    if isinstance(allowed, list) and isinstance(size, str) and size.lower() not in map(str.lower, map(str, allowed)):
        message = f"{template} does not allow '{size}'"
        yield document.problem(("instance_type",), message, f"use one of {listing(map(str, allowed))}")


def finish_deployment(draft: Draft, model: Asset | None) -> None:
    """Name the default template of a model that the plan makes, so that another one is another deployment."""
    default = model.definition.get(DEFAULT) if model is not None else None
    if default and not any(each.keys == _OVERRIDE for each in draft.uses):
        properties = draft.definition.get(_OVERRIDE[0]) or {}
        draft.definition[_OVERRIDE[0]] = {**properties, _OVERRIDE[1]: default["asset_id"]}


def _unversioned(asset: Asset) -> str:
    return asset.reference.rpartition("/versions/")[0]
