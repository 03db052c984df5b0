"""Online endpoints and their deployments, as ARM keeps them."""

from __future__ import annotations

from typing import Any

from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.arm.providers import require_for_endpoints
from amlite.services.arm.resources import resource_of
from amlite.services.machinelearning import endpoints, networks, quota, references, shared_assets, sizes
from amlite.services.machinelearning.published.validation import writable
from amlite.services.monitoring import measurements, utilization
from amlite.services.serving import collector, custom, keys, kubernetes, servers, settings, templates, traffic
from amlite.services.serving.servers import DEPLOYMENT_TYPE, ENDPOINT_TYPE

_MODES = ("Key", "AMLToken", "AADToken")
_DEFAULT_SIZE = "Standard_F4s_v2"


def _endpoint(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("OnlineEndpoint", body)
    properties: Json = body["properties"]
    region = body["location"]
    if old is None:
        require_for_endpoints(platform)
        endpoints.check_unique(platform, resource_id, region)
    mode = next(each for each in _MODES if each.lower() == properties["authMode"].lower())
    compute = properties.get("compute")
    if compute:
        properties["compute"] = kubernetes.compute_of(platform, str(resource_id.parent), compute)["id"]
    if (
        old is not None
        and (old["properties"].get("compute") or "").lower() != (properties.get("compute") or "").lower()
    ):
        raise AzureError(400, "BadArgument", "properties.compute: cannot be changed; create another endpoint.")
    wanted_keys = properties.pop("keys", None)
    deployments = [doc.body["name"] for doc in platform.store.below(str(resource_id), DEPLOYMENT_TYPE)]
    base = f"https://{resource_id.name.lower()}.{region}.inference.ml.azure.com"
    shares = traffic.checked(properties.get("traffic"), deployments)
    completed = {
        "publicNetworkAccess": "Enabled",
        **properties,
        "properties": {**(properties.get("properties") or {}), "azureml.onlineendpointid": str(resource_id).lower()},
        "authMode": mode,
        "traffic": shares,
        "mirrorTraffic": traffic.mirrored(properties.get("mirrorTraffic"), shares, deployments),
        "scoringUri": f"{base}/score",
        "swaggerUri": f"{base}/swagger.json",
    }
    envelope = {
        **body,
        "kind": body.get("kind") or ("K8S" if compute else "Managed"),
        "identity": endpoints.assign_identity(platform, resource_id, body.get("identity"), old),
        "properties": completed,
    }
    if old is None:
        keys.create(platform, str(resource_id), wanted_keys)
    return envelope


def _deployment(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("OnlineDeployment", body)
    properties: Json = body["properties"]
    workspace_id = str(resource_id.parent.parent) if resource_id.parent else ""
    owner = resource_of(platform, resource_id.parent).body if resource_id.parent else {"properties": {}}
    endpoint = owner["properties"]
    kind = "Kubernetes" if endpoint.get("compute") else "Managed"
    if properties["endpointComputeType"].lower() != kind.lower():
        raise AzureError(
            400,
            "BadArgument",
            f"properties.endpointComputeType: the endpoint takes deployments of type {kind}, "
            f"not {properties['endpointComputeType']}.",
        )
    written = properties
    template = templates.find(platform, workspace_id, properties, is_managed=kind == "Managed")
    if template is not None:
        body = templates.filled(template, body, is_new=old is None)
        properties = body["properties"]
    count = settings.instances(body)
    settings.readiness(properties)
    settings.liveness(properties)
    settings.requests(properties, count)
    if properties.get("dataCollector"):
        collector.read(platform, owner, {**body, "id": str(resource_id), "name": resource_id.name})
        properties["dataCollector"].setdefault("rollingRate", "Hour")
    if kind == "Kubernetes":
        properties = kubernetes.check_deployment(platform, endpoint, resource_id, properties)
    else:
        properties = _managed(platform, resource_id, body, count, old)
    _check_assets(platform, workspace_id, properties)
    templates.keep(platform, str(resource_id), body if template is not None else None)
    if template is not None:
        properties = {**written, **{name: properties[name] for name in ("instanceType", "scaleSettings")}}
    completed = {"appInsightsEnabled": False, "egressPublicNetworkAccess": "Enabled", **properties}
    sku = {"name": "Default", "capacity": count}
    return {**body, "kind": "K8S" if kind == "Kubernetes" else kind, "sku": sku, "properties": completed}


def _managed(platform: Platform, resource_id: ResourceId, body: Json, count: int, old: Json | None) -> Json:
    """Return a managed deployment's properties with the service's defaults; raises AzureError 400."""
    properties = body["properties"]
    scale = properties.get("scaleSettings") or {"scaleType": "Default"}
    if scale["scaleType"].lower() != "default":
        raise AzureError(
            400,
            "BadArgument",
            "properties.scaleSettings.scaleType: managed deployments take Default; use autoscale rules.",
        )
    size = properties.get("instanceType") or (old["properties"]["instanceType"] if old else _DEFAULT_SIZE)
    if old is not None and size.lower() != old["properties"]["instanceType"].lower():
        raise AzureError(
            400,
            "BadArgument",
            "properties.instanceType: cannot be changed; create another deployment and move traffic.",
        )
    found = sizes.find(size)
    if found is None:
        raise AzureError(
            400,
            "BadArgument",
            f"properties.instanceType: '{size}' is not a VM size of Azure ML; see its list of sizes.",
        )
    quota.require(platform, resource_id, body["location"], found, count)
    filled = {"endpointComputeType": "Managed", "instanceType": size}
    return {**properties, **filled, "scaleSettings": {**scale, "scaleType": "Default"}}


def _check_assets(platform: Platform, workspace_id: str, properties: Json) -> None:
    """Refuse references that do not exist, and a deployment without code if Azure does not generate it."""
    kind = ""
    if properties.get("model"):
        model = references.asset(platform, workspace_id, properties["model"], "models")
        kind = str(model.body["properties"].get("modelType")).lower()
    environment: Json = {}
    if properties.get("environmentId"):
        document = references.asset(platform, workspace_id, properties["environmentId"], "environments")
        environment = document.body["properties"]
    image = custom.of(environment, properties.get("template"))
    if image is None:
        settings.workers(properties)
    code = properties.get("codeConfiguration") or {}
    if code:
        if not code.get("codeId") or not environment:
            raise AzureError(
                400,
                "BadArgument",
                "properties: a deployment with a scoring script needs codeConfiguration.codeId and environmentId.",
            )
        references.asset(platform, workspace_id, code["codeId"], "codes")
    elif image is None and kind != "mlflow_model":
        raise AzureError(
            400,
            "BadArgument",
            "properties: a deployment needs codeConfiguration (codeId, scoringScript) and environmentId, unless its "
            "model is of type mlflow_model or has a deployment template, or its environment has an inferenceConfig.",
        )


async def _list_keys(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    return keys.list_keys(platform, resource_of(platform, resource_id).body)


async def _regenerate(platform: Platform, resource_id: ResourceId, body: Json) -> Any:
    keys.regenerate(platform, resource_of(platform, resource_id).body, body)


async def _token(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    return keys.token(platform, resource_of(platform, resource_id).body)


async def _logs(platform: Platform, resource_id: ResourceId, body: Json) -> Any:
    return {
        "content": servers.log_tail(platform, str(resource_id), str(body.get("containerType") or ""), body.get("tail"))
    }


async def _delete_endpoint(platform: Platform, resource_id: ResourceId) -> None:
    endpoints.forget_identity(platform, str(resource_id))
    keys.forget(platform, str(resource_id))
    measurements.forget(platform, str(resource_id))


def _check_deletion(platform: Platform, resource_id: ResourceId, body: Json) -> None:
    """Refuse to delete a deployment that has traffic."""
    document = platform.store.get(str(resource_id.parent))
    properties = document.body["properties"] if document else {"traffic": {}, "mirrorTraffic": {}}
    for what, shares in (("traffic", properties["traffic"]), ("mirrored traffic", properties["mirrorTraffic"])):
        percent = {name.lower(): share for name, share in shares.items()}.get(resource_id.name.lower(), 0)
        if percent:
            raise AzureError(
                400,
                "BadRequest",
                f"Deployment '{body['name']}' has {percent} % of the endpoint's {what} and cannot be deleted; "
                f"set its {what} to 0 first.",
            )


async def _delete_deployment(platform: Platform, resource_id: ResourceId) -> None:
    await servers.retire(platform, str(resource_id))
    templates.keep(platform, str(resource_id), None)
    utilization.forget(platform, str(resource_id))


async def _provision(platform: Platform, resource_id: ResourceId) -> None:
    if resource_of(platform, resource_id).body["properties"]["endpointComputeType"] == "Managed":
        workspace_id = str(resource_id).rsplit("/", 4)[0]
        networks.require_ready(platform, workspace_id)
        networks.enter(platform, workspace_id)
    try:
        await servers.provision(platform, str(resource_id))
    except StartError as error:
        raise AzureError(503, "InternalServerError", str(error)) from error
    except ExceptionGroup as group:  # several downloads at once: the first failure says why
        reasons = "; ".join(str(each) for each in group.exceptions)
        raise AzureError(500, "InternalServerError", f"Code and model cannot be downloaded: {reasons}") from group


TYPES = [
    ResourceType(
        ENDPOINT_TYPE,
        pattern=endpoints.PATTERN,
        rule=endpoints.RULE,
        required=("properties.authMode",),
        asynchronous=True,
        prepare=_endpoint,
        deleting=_delete_endpoint,
        actions={"listkeys": _list_keys, "regeneratekeys": _regenerate, "token": _token},
    ),
    ResourceType(
        DEPLOYMENT_TYPE,
        pattern=endpoints.PATTERN,
        rule=endpoints.RULE,
        required=("properties.endpointComputeType",),
        asynchronous=True,
        names=shared_assets.links,
        prepare=_deployment,
        created=_provision,
        check_deletion=_check_deletion,
        deleting=_delete_deployment,
        actions={"getlogs": _logs},
    ),
]
