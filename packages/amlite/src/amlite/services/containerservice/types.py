"""Managed clusters and their node pools, as ARM keeps them."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from amlite.core import wire
from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.containerservice import clusters, pools
from amlite.services.containerservice.clusters import CLUSTER_TYPE, POOL_TYPE, AksError, User
from amlite.services.managedidentity import identities, system_assigned

VERSIONS = ("1.34", "1.33", "1.32")
"""The minor versions of Kubernetes that a cluster may have, the default one first, each with its newest patch."""
_PATCHES = {"1.34": "1.34.3", "1.33": "1.33.7", "1.32": "1.32.11"}
_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_PREFIX = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,52}[A-Za-z0-9])?")
# What amlite does not do. A setting that is kept and has no effect would only look as if it worked.
_REFUSED = (
    "aadProfile", "apiServerAccessProfile", "diskEncryptionSetID", "fqdnSubdomain", "httpProxyConfig",
    "podIdentityProfile", "privateLinkResources", "serviceMeshProfile", "servicePrincipalProfile", "windowsProfile",
)  # fmt: skip


def _cluster(platform: Platform, resource: ResourceId, body: Json, old: Json | None) -> Json:
    given: Json = body["properties"]
    before: Json = old["properties"] if old else {}
    for name in _REFUSED:
        if given.get(name):
            raise AksError(400, "BadRequest", f"properties.{name} is not part of this local Azure.")
    if given.get("disableLocalAccounts"):
        raise AksError(
            400, "BadRequest", "properties.disableLocalAccounts needs Entra ID integration, which amlite does not have."
        )
    identity = _identity(platform, body.get("identity"), old)
    version = _version(given.get("kubernetesVersion") or before.get("kubernetesVersion"))
    location = body["location"]
    prefix = given.get("dnsPrefix") or before.get("dnsPrefix")
    if not prefix or not _PREFIX.fullmatch(prefix):
        raise AksError(400, "DnsPrefixInvalid", "The value of parameter dnsPrefix is invalid.")
    if old and prefix != before["dnsPrefix"]:
        raise pools.not_allowed("dnsPrefix")
    profiles = pools.of_cluster(given.get("agentPoolProfiles"), old, version)
    names = clusters.addresses(resource, location, prefix) if old is None else {}
    properties = {
        "enableRBAC": True,
        "nodeResourceGroup": f"MC_{resource.group}_{resource.name}_{location}",
        "supportPlan": "KubernetesOfficial",
        **before,
        **given,
        **names,
        "dnsPrefix": prefix,
        "agentPoolProfiles": profiles,
        "kubernetesVersion": version,
        "currentKubernetesVersion": version,
        "maxAgentPools": 100,
        "powerState": {"code": "Running"},
        "identityProfile": _kubelet(platform, identity, given.get("identityProfile"), before.get("identityProfile")),
        "oidcIssuerProfile": _issuer(location, given.get("oidcIssuerProfile"), before.get("oidcIssuerProfile")),
        "securityProfile": _security(given),
        "storageProfile": _storage(given.get("storageProfile") or before.get("storageProfile") or {}),
    }
    if old and given.get("nodeResourceGroup", before["nodeResourceGroup"]) != before["nodeResourceGroup"]:
        raise pools.not_allowed("nodeResourceGroup")
    sku = {"name": "Base", "tier": "Free", **(body.get("sku") or {})}
    return {**body, "identity": identity, "sku": sku, "properties": properties}


def _identity(platform: Platform, given: Json | None, old: Json | None) -> Json:
    """Return the identity of the control plane. A cluster without one would need a service principal."""
    kind = str((given or {}).get("type") or "").lower()
    if kind == "systemassigned":
        return system_assigned.assigned(platform, given, old) or {}
    named = (given or {}).get("userAssignedIdentities") or {}
    if kind != "userassigned" or len(named) != 1:
        raise AksError(
            400,
            "InvalidParameter",
            "identity: a cluster has the type SystemAssigned, or UserAssigned with one user-assigned identity.",
        )
    return {"type": "UserAssigned", "userAssignedIdentities": identities.assigned(platform, named)}


def _kubelet(platform: Platform, identity: Json, given: Json | None, before: Json | None) -> Json:
    """Return the identity of the nodes. Without a given one, the service makes one, which stays.

    The control plane assigns it to the nodes, for which it needs a role. Source: "Use a pre-created kubelet identity".
    """
    given = given or before
    wanted = (given or {}).get("kubeletidentity") or {}
    if set(given or {}) - {"kubeletidentity"}:
        raise AksError(400, "InvalidParameter", "identityProfile: the only accepted key is 'kubeletidentity'.")
    if not wanted.get("resourceId"):
        if kept := _made_kubelet(before):
            return {"kubeletidentity": {"objectId": kept}}
        made = system_assigned.assigned(platform, {"type": "SystemAssigned"}, None) or {}
        return {"kubeletidentity": {"objectId": made["principalId"]}}
    named = identity.get("userAssignedIdentities")
    if not named:
        raise AksError(
            400,
            "CustomKubeletIdentityOnlySupportedOnUserAssignedMSICluster",
            "The custom kubelet identity is only supported on a cluster that uses a user-assigned managed identity.",
        )
    nodes = identities.principal_of(platform, wanted["resourceId"])
    (holder,) = named.values()
    plane = Principal(holder["principalId"], holder["clientId"])
    if not platform.access.allowed(plane, wanted["resourceId"], _ASSIGN):
        raise AksError(
            400,
            "CustomKubeletIdentityMissingPermissionError",
            "The cluster using user-assigned managed identity must be granted 'Managed Identity Operator' role to "
            "assign kubelet identity. You can run 'az role assignment create --assignee "
            "<control-plane-identity-principal-id> --role 'Managed Identity Operator' --scope "
            "<kubelet-identity-resource-id>' to grant the permission. See "
            "https://learn.microsoft.com/en-us/azure/aks/use-managed-identity#add-role-assignment",
        )
    shown = {"resourceId": wanted["resourceId"], "clientId": nodes.client_id, "objectId": nodes.object_id}
    return {"kubeletidentity": shown}


def _made_kubelet(profile: Json | None) -> str | None:
    """Return the principal of the nodes that the service made for a cluster, or None if the cluster names its own."""
    nodes = (profile or {}).get("kubeletidentity") or {}
    return None if nodes.get("resourceId") else nodes.get("objectId")


def _version(wanted: str | None) -> str:
    """Return the version with its patch. Azure takes `1.34` for the newest patch of it."""
    version = wanted or VERSIONS[0]
    minor = ".".join(version.split(".")[:2])
    if minor not in _PATCHES or (version != minor and version != _PATCHES[minor]):
        raise AksError(
            400,
            "K8sVersionNotSupported",
            f"Managed cluster version {version} is not supported. amlite has {', '.join(_PATCHES.values())}.",
        )
    return _PATCHES[minor]


def _issuer(location: str, given: Json | None, before: Json | None) -> Json:
    """Return the issuer's profile. An issuer cannot be turned off. Source: "Create an OpenID Connect provider"."""
    was = bool((before or {}).get("enabled"))
    enabled = bool((given or {}).get("enabled", was))
    if was and not enabled:
        raise AksError(400, "OIDCIssuerFeatureCannotBeDisabled", "OIDC issuer feature cannot be disabled.")
    if not enabled:
        return {"enabled": False}
    return {"enabled": True, "issuerURL": (before or {}).get("issuerURL") or clusters.new_issuer(location)}


def _security(given: Json) -> Json:
    profile = given.get("securityProfile") or {}
    for name in profile:
        if name != "workloadIdentity" and profile[name]:
            raise AksError(400, "BadRequest", f"properties.securityProfile.{name} is not part of this local Azure.")
    wanted = bool((profile.get("workloadIdentity") or {}).get("enabled"))
    if wanted and not (given.get("oidcIssuerProfile") or {}).get("enabled"):
        raise AksError(
            400,
            "WorkloadIdentityRequiresOIDCIssuer",
            "Enabling workload identity requires OIDC issuer to be enabled on the cluster.",
        )
    return {"workloadIdentity": {"enabled": wanted}} if profile else {}


def _storage(given: Json) -> Json:
    drivers = {"diskCSIDriver": True, "fileCSIDriver": True, "snapshotController": True}
    profile: Json = {name: {"enabled": enabled, **(given.get(name) or {})} for name, enabled in drivers.items()}
    if (given.get("blobCSIDriver") or {}).get("enabled"):
        raise AksError(400, "BadRequest", "properties.storageProfile.blobCSIDriver is not part of this local Azure.")
    return profile


async def _share_pools(platform: Platform, resource: ResourceId) -> None:
    """Show each pool as a resource of its own, too."""
    document = platform.store.get(str(resource))
    if document is None:
        return
    for pool in document.body["properties"]["agentPoolProfiles"]:
        path = f"{resource}/agentPools/{pool['name']}"
        properties = {key: value for key, value in pool.items() if key != "name"}
        platform.store.put(path, POOL_TYPE, wire.envelope(path, POOL_TYPE, properties, document.body["systemData"]))


async def _deleting(platform: Platform, resource: ResourceId) -> None:
    document = platform.store.get(str(resource))
    if document is not None:
        system_assigned.forget(platform, document.body)
        nodes = _made_kubelet(document.body["properties"]["identityProfile"])
        system_assigned.forget(platform, {"identity": {"principalId": nodes}})
        clusters.forget(platform, document.id)


async def _credentials(user: User, platform: Platform, resource: ResourceId, _body: Json) -> Any:
    document = platform.store.get(str(resource))
    return {"kubeconfigs": [clusters.kubeconfig(platform, document.body, user)]} if document else None


TYPES = [
    ResourceType(
        CLUSTER_TYPE,
        globally_unique=True,  # in amlite: its folder has the name, and another group's must not be the same
        taken=(
            "BadRequest",
            "This local Azure has a cluster named '{name}' in another resource group. Use another name.",
        ),
        pattern=r"[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?",
        rule="Cluster names are 1-63 letters, digits, hyphens and underscores; first and last a letter or digit.",
        required=("properties",),
        asynchronous=True,
        prepare=_cluster,
        created=_share_pools,
        deleting=_deleting,
        actions={
            "listclusteradmincredential": partial(_credentials, User.ADMIN),
            "listclusterusercredential": partial(_credentials, User.USER),
        },
    ),
    ResourceType(
        POOL_TYPE,
        pattern=r".+",
        located=False,
        required=("properties",),
        asynchronous=True,
        prepare=pools.of_pool,
        check_deletion=pools.check_deletion,
        deleting=pools.deleting,
    ),
]
