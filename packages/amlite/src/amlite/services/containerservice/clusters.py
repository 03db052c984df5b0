"""What a cluster is known by: its API server's host name, its token issuer, and its credentials."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from enum import StrEnum

import yaml

from amlite import TENANT_ID
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.wire import Json

CLUSTER_TYPE = "Microsoft.ContainerService/managedClusters"
POOL_TYPE = f"{CLUSTER_TYPE}/agentPools"
API_SUFFIX = ".azmk8s.io"
ISSUER_SUFFIX = ".oic.prod-aks.azure.com"
_CREDENTIALS = "containerservice/credentials"


class AksError(AzureError):
    """An error of the service, which does not put its errors into `error` as other providers do."""

    def body(self) -> Json:
        """Return the service's error body."""
        return {"code": self.code, "details": None, "message": self.message, "subcode": ""}


class User(StrEnum):
    """The holders of a cluster's credentials. Without Entra ID integration, both may do everything in the cluster."""

    ADMIN = "clusterAdmin"
    USER = "clusterUser"


def addresses(resource: ResourceId, location: str, prefix: str) -> Json:
    """Return the host names of a new cluster."""
    unique = hashlib.sha256(str(resource).lower().encode()).hexdigest()[:8]
    return {
        "fqdn": f"{prefix.lower()}-{unique}.hcp.{location}{API_SUFFIX}",
        "azurePortalFQDN": f"{prefix.lower()}-{unique}.portal.hcp.{location}{API_SUFFIX}",
    }


def new_issuer(location: str) -> str:
    """Return the URL of a new cluster's token issuer. The slash at its end is part of it."""
    return f"https://{location}{ISSUER_SUFFIX}/{TENANT_ID}/{uuid.uuid4()}/"


def issuer(cluster: Json) -> str | None:
    """Return the URL of a cluster's token issuer, or None if it has none."""
    url = (cluster["properties"].get("oidcIssuerProfile") or {}).get("issuerURL")
    return str(url) if url else None


def signer(cluster: Json) -> str:
    """Return what the tokens of a cluster name as their issuer: without an issuer for others, its own address."""
    return issuer(cluster) or f"https://{cluster['properties']['fqdn']}"


def of_host(platform: Platform, host: str) -> Document | None:
    """Return the cluster whose API server has a host name."""
    return next(
        (each for each in platform.store.of_type(CLUSTER_TYPE) if each.body["properties"]["fqdn"] == host.lower()), None
    )


def token(platform: Platform, cluster: str, user: User) -> str:
    """Return the token of a user of a cluster (its ARM id), which is made on first use."""
    key = f"{_CREDENTIALS}{cluster}/{user}"
    document = platform.store.get(key)
    if document is None:
        document = platform.store.put(key, _CREDENTIALS, {"token": secrets.token_hex(64)})
    return str(document.body["token"])


def forget(platform: Platform, cluster: str) -> None:
    """Forget the credentials of a cluster (its ARM id)."""
    platform.store.delete(f"{_CREDENTIALS}{cluster}")


def kubeconfig(platform: Platform, cluster: Json, user: User) -> Json:
    """Return a credential as the service does: a name, and a kubeconfig file in base64.

    Azure's file also has a client certificate. This one has a token only, as amlite's proxy ends the TLS connection.
    """
    name = cluster["name"]
    group = ResourceId.of(cluster["id"]).group
    context = f"{name}-admin" if user is User.ADMIN else name
    who = f"{user}_{group}_{name}"
    authority = platform.state / "certificates" / "ca.pem"
    content: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
                    "server": f"https://{cluster['properties']['fqdn']}:443",
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": name, "user": who}}],
        "current-context": context,
        "preferences": {},
        "users": [{"name": who, "user": {"token": token(platform, cluster["id"], user)}}],
    }
    return {"name": user.value, "value": base64.b64encode(yaml.safe_dump(content).encode()).decode()}
