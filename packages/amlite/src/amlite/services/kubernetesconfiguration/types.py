"""Extensions and Flux configurations of clusters, as ARM keeps them."""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.containerservice.clusters import CLUSTER_TYPE
from amlite.services.kubernetesconfiguration.extensions import EXTENSION_TYPE, MACHINE_LEARNING, is_true
from amlite.services.managedidentity import system_assigned

FLUX_TYPE = "Microsoft.KubernetesConfiguration/fluxConfigurations"
_VERSION = "1.1.84"
_SERVICE_TYPES = ("loadbalancer", "nodeport", "clusterip")
_SETTINGS = frozenset(
    {
        *("allowInsecureConnections", "enableInference", "enableTraining", "inferenceRouterHA"),
        *("inferenceRouterServiceType", "installDcgmExporter", "installNvidiaDevicePlugin", "installPromOp"),
        *("installVolcano", "internalLoadBalancerProvider", "sslCname", "sslSecret"),
    }
)


def _extension(platform: Platform, resource: ResourceId, body: Json, old: Json | None) -> Json:
    _require_cluster(resource)
    given: Json = body["properties"]
    kind = given.get("extensionType") or (old or {}).get("properties", {}).get("extensionType") or ""
    if kind.lower() != MACHINE_LEARNING:
        raise AzureError(
            400,
            "ExtensionTypeNotFound",
            f"properties.extensionType: amlite has Microsoft.AzureML.Kubernetes only, not '{kind}'.",
        )
    if old and kind.lower() != old["properties"]["extensionType"].lower():
        raise AzureError(400, "BadRequest", "properties.extensionType cannot be changed.")
    for other in platform.store.below(str(resource.scope), EXTENSION_TYPE):
        if other.id.lower() != str(resource).lower():
            raise AzureError(
                409,
                "ExtensionTypeAlreadyInstalled",
                f"The cluster has an extension of type '{kind}' already: '{other.body['name']}'.",
            )
    scope = given.get("scope") or {"cluster": {"releaseNamespace": "azureml"}}
    if "cluster" not in scope:
        raise AzureError(
            400, "InvalidScope", "properties.scope: Microsoft.AzureML.Kubernetes is installed for a whole cluster only."
        )
    settings = given.get("configurationSettings") or {}
    unknown = sorted(name for name in settings if name not in _SETTINGS and not name.startswith("nodeSelector."))
    if unknown:
        raise AzureError(400, "BadRequest", f"configurationSettings: amlite does not know {', '.join(unknown)}.")
    automatic = given.get("autoUpgradeMinorVersion", True)
    if automatic and given.get("version"):
        raise AzureError(400, "BadRequest", "properties.version needs autoUpgradeMinorVersion to be false.")
    properties = {
        "releaseTrain": "Stable",
        **given,
        "extensionType": kind,
        "autoUpgradeMinorVersion": automatic,
        "scope": scope,
        "configurationSettings": settings,
        # Azure shows the names of protected settings only.
        "configurationProtectedSettings": dict.fromkeys(given.get("configurationProtectedSettings") or {}, ""),
        "currentVersion": given.get("version") or _VERSION,
        "statuses": [],
        "isSystemExtension": False,
    }
    identity = system_assigned.assigned(platform, {"type": "SystemAssigned"}, old)
    return {**body, "identity": identity, "properties": properties}


async def _install(platform: Platform, resource: ResourceId) -> None:
    """Fail the operation for settings with which the extension does not start, as its Helm chart does."""
    document = platform.store.get(str(resource))
    if document is None:
        return
    settings = document.body["properties"]["configurationSettings"]
    training, inference = is_true(settings.get("enableTraining")), is_true(settings.get("enableInference"))
    if not (training or inference):
        raise _failed("set enableTraining or enableInference to True")
    if not inference:
        return
    if str(settings.get("inferenceRouterServiceType", "")).lower() not in _SERVICE_TYPES:
        raise _failed("inferenceRouterServiceType must be loadBalancer, nodePort or clusterIP for enableInference")
    secure = not is_true(settings.get("allowInsecureConnections"))
    protected = document.body["properties"]["configurationProtectedSettings"]
    if secure and not ("sslSecret" in settings or {"sslCertPemFile", "sslKeyPemFile"} <= protected.keys()):
        raise _failed(
            "HTTPS needs sslSecret, or sslCertPemFile and sslKeyPemFile; allowInsecureConnections allows HTTP"
        )
    if secure and not settings.get("sslCname"):
        raise _failed("sslCname is required unless allowInsecureConnections is True")


def _failed(reason: str) -> AzureError:
    return AzureError(
        400, "ExtensionOperationFailed", f"The extension operation failed with the following error: {reason}."
    )


async def _removing(platform: Platform, resource: ResourceId) -> None:
    document = platform.store.get(str(resource))
    if document is not None:
        system_assigned.forget(platform, document.body)


def _flux(_platform: Platform, resource: ResourceId, _body: Json, _old: Json | None) -> Json:
    _require_cluster(resource)
    raise AzureError(
        400,
        "FluxNotAvailable",
        f"'{resource.name}': this local Azure does not run Flux, so nothing of a repository would reach the cluster. "
        "Deploy Flux configurations to a real cluster.",
    )


def _require_cluster(resource: ResourceId) -> None:
    if resource.scope is None or resource.scope.type.lower() != CLUSTER_TYPE.lower():
        raise AzureError(400, "BadRequest", f"'{resource}' is not on a cluster ({CLUSTER_TYPE}).")


TYPES = [
    ResourceType(
        EXTENSION_TYPE,
        pattern=r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}",
        rule="Extension names are 1-63 letters, digits, hyphens and dots; first a letter or digit.",
        located=False,
        required=("properties",),
        asynchronous=True,
        prepare=_extension,
        created=_install,
        deleting=_removing,
    ),
    ResourceType(
        FLUX_TYPE,
        pattern=r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?",
        rule="Names of Flux configurations are 1-30 lower-case letters, digits and hyphens.",
        located=False,
        required=("properties",),
        asynchronous=True,
        prepare=_flux,
    ),
]
