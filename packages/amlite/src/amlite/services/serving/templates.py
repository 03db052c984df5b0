"""Deployments of a registry's model by its deployment template.

Azure keeps a deployment as it was written: what the template sets is in the server, and not in the deployment. Sources:
Microsoft's articles "Deploy models that use deployment templates" and "What are deployment templates?".
"""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import references
from amlite.services.registries.templates import KIND

OVERRIDE = "azureml.deploymentTemplateOverride"
_STORED = "serving/templates"
_WHOLE = ("environmentId", "modelMountPath", "livenessProbe", "readinessProbe", "requestSettings")
_ROUTES = ("scoringPath", "scoringPort", "livenessProbe", "readinessProbe")


def find(platform: Platform, workspace_id: str, properties: Json, *, is_managed: bool) -> Document | None:
    """Return the template that a deployment names, or else its model's default one. Return None without either.

    Raises AzureError 400 for one that does not exist or cannot be used here.
    """
    model = str(properties.get("model") or "")
    is_shared = references.is_in_registry(model)
    reference = (properties.get("properties") or {}).get(OVERRIDE)
    if reference and not (is_managed and is_shared):
        raise _refused(
            f"properties.properties.{OVERRIDE}: only a managed deployment of a model in a registry has a deployment "
            "template."
        )
    if not reference and is_managed and is_shared:
        found = references.asset(platform, workspace_id, model, "models")
        reference = (found.body["properties"].get("defaultDeploymentTemplate") or {}).get("assetId")
    if not reference:
        return None
    try:
        if references.is_in_registry(str(reference)):
            return references.asset(platform, workspace_id, str(reference), KIND)
    except AzureError as error:
        raise _refused(f"properties.model: its deployment template cannot be used: {error.message}") from error
    form = f"azureml://registries/<registry>/{KIND}/<name>/versions/<version>"
    raise _refused(f"properties.properties.{OVERRIDE}: '{reference}' is not of the form {form}.")


def filled(template: Document, body: Json, *, is_new: bool) -> Json:
    """Return a deployment with what a template sets. Raises AzureError 400 if both set the same, or for another size.

    The instance type and the number of instances are the deployment's own, if it has them.
    """
    of_template, given = template.body["properties"], body["properties"]
    if clash := [name for name in ("codeConfiguration", *_WHOLE) if given.get(name)]:
        raise _refused(
            f"properties.{clash[0]}: the model is deployed by the deployment template '{template.id}', which says "
            "how. Remove it from the deployment, or name another template in properties.properties."
            f"'{OVERRIDE}'."
        )
    size = given.get("instanceType") or (of_template["defaultInstanceType"] if is_new else None)
    allowed = of_template.get("allowedInstanceType")
    if size and allowed and size.lower() not in map(str.lower, allowed):
        raise _refused(
            f"properties.instanceType: The instance type '{size}' isn't allowed for this deployment template "
            f"('{template.id}'), which allows {', '.join(allowed)}."
        )
    properties = {
        **given,
        **{name: of_template[name] for name in _WHOLE if name in of_template},
        **({"instanceType": size} if size else {}),
        "environmentVariables": _variables(template, given.get("environmentVariables") or {}),
        "template": {"id": template.id, **{name: of_template[name] for name in _ROUTES if name in of_template}},
    }
    sku = {"name": "Default", "capacity": of_template["instanceCount"], **(body.get("sku") or {})}
    return {**body, "sku": sku, "properties": properties}


def keep(platform: Platform, resource_id: str, body: Json | None) -> None:
    """Store what a template set in a deployment, as `filled` returns it. Without it, none counts any more."""
    if body is None:
        platform.store.delete(f"{_STORED}{resource_id}")
        return
    names = (*_WHOLE, "environmentVariables", "template")
    kept = {name: body["properties"][name] for name in names if name in body["properties"]}
    platform.store.put(f"{_STORED}{resource_id}", _STORED, kept)


def applied(platform: Platform, deployment: Json) -> Json:
    """Return a stored deployment with what its template set."""
    kept = platform.store.get(f"{_STORED}{deployment['id']}")
    return deployment if kept is None else {**deployment, "properties": {**deployment["properties"], **kept.body}}


def routes(template: Json, environment: Json) -> Json:
    """Return the routes of a template's container, in the form of an environment's `inferenceConfig`.

    A probe without a path has the environment's, or else `/`. Raises AzureError 400 for what this local Azure lacks.
    """
    if environment.get("condaFile"):
        raise _refused(
            "the environment of the deployment template has a conda file: this local Azure runs the image or the "
            "build context of a template as it is."
        )
    own = environment.get("inferenceConfig") or {}
    found: Json = {"scoringRoute": {"path": template["scoringPath"], "port": template["scoringPort"]}}
    for name, route in (("livenessProbe", "livenessRoute"), ("readinessProbe", "readinessRoute")):
        probe = template.get(name) or {}
        for key, wanted in (("scheme", "http"), ("httpMethod", "get")):
            if str(probe.get(key) or wanted).lower() != wanted:
                raise _refused(f"{name}.{key} of the deployment template: this local Azure probes by HTTP GET only.")
        path = probe.get("path") or (own.get(route) or {}).get("path") or "/"
        found[route] = {"path": path, "port": probe.get("port") or template["scoringPort"]}
    return found


def _variables(template: Document, given: Json) -> Json:
    """Return the variables of a template and a deployment. Raises AzureError 400 for one that may not be replaced."""
    own = template.body["properties"].get("environmentVariables") or {}
    free = template.body["properties"].get("allowedEnvironmentVariableOverrides") or ()
    for name, value in given.items():
        if own.get(name, value) != value and name not in free:
            raise _refused(
                f"properties.environmentVariables.{name}: the deployment template '{template.id}' sets it, and does "
                "not list it in allowedEnvironmentVariableOverrides."
            )
    return {**own, **given}


def _refused(message: str) -> AzureError:
    return AzureError(400, "BadArgument", message)
