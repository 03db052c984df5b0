"""Batch endpoints and their deployments as ARM resources."""

from __future__ import annotations

from typing import Any

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.batch import components, settings
from amlite.services.machinelearning import endpoints, references, shared_assets
from amlite.services.machinelearning.published.validation import writable

ENDPOINT_TYPE = endpoints.BATCH_TYPE
DEPLOYMENT_TYPE = f"{ENDPOINT_TYPE}/deployments"

_COMPUTES = ("amlcompute", "kubernetes")


def _endpoint(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("BatchEndpoint", body)
    properties: Json = body["properties"]
    region = body["location"]
    if old is None:
        endpoints.check_unique(platform, resource_id, region)
    if properties["authMode"].lower() != "aadtoken":
        raise AzureError(
            400,
            "BadArgument",
            "properties.authMode: batch endpoints take Microsoft Entra tokens only; use AADToken.",
        )
    properties.pop("keys", None)
    default = (properties.get("defaults") or {}).get("deploymentName")
    envelope = {
        **body,
        "properties": {
            **properties,
            "properties": properties.get("properties") or {},
            "authMode": "AADToken",
            "defaults": {"deploymentName": _deployment_name(platform, resource_id, default)} if default else {},
            "scoringUri": f"https://{resource_id.name.lower()}.{region}.inference.ml.azure.com/jobs",
        },
    }
    envelope.pop("identity", None)
    if identity := _identity(platform, resource_id, body.get("identity"), old):
        envelope["identity"] = identity
    return envelope


def _deployment_name(platform: Platform, endpoint_id: ResourceId, named: str) -> str:
    """Return a deployment's name in its own spelling. Raises AzureError 400 if the endpoint does not have it."""
    found = [document.body["name"] for document in platform.store.below(str(endpoint_id), DEPLOYMENT_TYPE)]
    for name in found:
        if name.lower() == named.lower():
            return str(name)
    known = f"there are: {', '.join(sorted(found))}" if found else "it has none"
    raise AzureError(
        400, "BadArgument", f"properties.defaults.deploymentName: the endpoint has no deployment '{named}'; {known}."
    )


def _identity(platform: Platform, resource_id: ResourceId, wanted: Json | None, old: Json | None) -> Json | None:
    """Return an endpoint's identity, or None unless it asks for one. Its jobs use the identity of their compute."""
    kept = (old or {}).get("identity")
    if wanted is None:
        return kept
    if str(wanted.get("type")).lower() == "none":
        endpoints.forget_identity(platform, str(resource_id))
        return None
    return endpoints.assign_identity(platform, resource_id, wanted, old if kept else None)


def _deployment(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("BatchDeployment", body)
    properties: Json = body["properties"]
    workspace_id = str(resource_id).rsplit("/", 4)[0]
    if old is not None and settings.is_pipeline(body) != settings.is_pipeline(old):
        raise AzureError(
            400,
            "BadArgument",
            "properties.deploymentConfiguration: a deployment of a model cannot become one of a pipeline component, "
            "nor the other way round; create another deployment.",
        )
    try:
        if settings.is_pipeline(body):
            completed = _pipeline_component(platform, workspace_id, properties)
        else:
            completed = _model(platform, workspace_id, properties)
    except AzureError as error:
        if error.status != 404:
            raise
        # The missing resource is one that the deployment refers to. The deployment itself exists.
        raise AzureError(400, "BadArgument", error.message) from error
    return {**body, "properties": completed}


def _model(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Check a deployment of a model: its compute, model, code and environment must exist."""
    if not properties.get("compute"):
        raise AzureError(400, "BadArgument", "properties.compute: name the compute cluster that the jobs run on.")
    compute = references.compute(platform, workspace_id, properties["compute"])
    if str(compute.body["properties"].get("computeType")).lower() not in _COMPUTES:
        raise AzureError(
            400,
            "BadArgument",
            f"properties.compute: '{compute.body['name']}' is a {compute.body['properties'].get('computeType')}; batch "
            "deployments run on compute clusters (AmlCompute).",
        )
    reference = properties.get("model") or {}
    if reference.get("referenceType") != "Id":
        raise AzureError(400, "BadArgument", "properties.model: name a registered model, by an asset id.")
    model = references.asset(platform, workspace_id, reference["assetId"], "models")
    code = properties.get("codeConfiguration") or {}
    if code.get("codeId"):
        references.asset(platform, workspace_id, code["codeId"], "codes")
        if not code.get("scoringScript"):
            raise AzureError(400, "BadArgument", "properties.codeConfiguration.scoringScript: name the scoring script.")
    if properties.get("environmentId"):
        references.asset(platform, workspace_id, properties["environmentId"], "environments")
    mlflow = str(model.body["properties"].get("modelType")).lower() == "mlflow_model"
    if not mlflow and not (code.get("codeId") and properties.get("environmentId")):
        raise AzureError(
            400,
            "BadArgument",
            "properties: a deployment needs codeConfiguration (codeId, scoringScript) and environmentId unless its "
            "model is of type mlflow_model.",
        )
    return {**settings.completed(properties), "compute": compute.id}


def _pipeline_component(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Check a deployment of a pipeline component: the component and its default compute must exist."""
    configuration = properties["deploymentConfiguration"]
    reference = (configuration.get("componentId") or {}).get("assetId")
    if not reference:
        raise AzureError(
            400, "BadArgument", "properties.deploymentConfiguration.componentId: name the pipeline component."
        )
    component = references.asset(platform, workspace_id, reference, "components")
    kind = str(component.body["properties"]["componentSpec"].get("type"))
    if not kind.lower().startswith("pipeline"):
        raise AzureError(
            400,
            "BadArgument",
            f"properties.deploymentConfiguration.componentId: '{component.body['name']}' is a {kind} component; only "
            "pipeline components can be deployed.",
        )
    given = configuration.get("settings") or {}
    for name, value in given.items():
        if name.lower() == "default_compute" and not references.is_serverless(value):
            references.compute(platform, workspace_id, value)
    return {**properties, "deploymentConfiguration": {**configuration, "settings": given}}


def _check_deletion(platform: Platform, resource_id: ResourceId, body: Json) -> None:
    """Raise Azure's 400 if the deployment is the endpoint's default deployment."""
    endpoint = platform.store.get(str(resource_id.parent))
    default = endpoint.body["properties"]["defaults"].get("deploymentName") if endpoint else None
    if endpoint is not None and str(default).lower() == resource_id.name.lower():
        raise AzureError(
            400,
            "BadRequest",
            f"Deployment '{default}' is the default deployment of endpoint '{endpoint.body['name']}' and cannot be "
            "deleted; make another deployment the default, or delete the endpoint.",
        )


async def _provision(platform: Platform, resource_id: ResourceId) -> None:
    await components.provision(platform, str(resource_id))


async def _delete_endpoint(platform: Platform, resource_id: ResourceId) -> None:
    endpoints.forget_identity(platform, str(resource_id))


async def _list_keys(_platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    raise AzureError(400, "BadArgument", f"Endpoint '{resource_id.name}' has the auth mode AADToken: it has no keys.")


TYPES = [
    ResourceType(
        ENDPOINT_TYPE,
        pattern=endpoints.PATTERN,
        rule=endpoints.RULE,
        required=("properties.authMode",),
        asynchronous=True,
        prepare=_endpoint,
        deleting=_delete_endpoint,
        actions={"listkeys": _list_keys},
    ),
    ResourceType(
        DEPLOYMENT_TYPE,
        pattern=endpoints.PATTERN,
        rule=endpoints.RULE,
        asynchronous=True,
        names=shared_assets.links,
        prepare=_deployment,
        created=_provision,
        check_deletion=_check_deletion,
    ),
]
