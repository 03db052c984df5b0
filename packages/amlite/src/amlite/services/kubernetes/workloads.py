"""What a pod gets from its cluster: tokens of its service account, the variables of its identity, and secrets.

Source: "Use Microsoft Entra Workload ID with AKS" (the webhook's variables), and TokenRequest of Kubernetes' API.
"""

from __future__ import annotations

import base64
import datetime as dt

from amlite import TENANT_ID
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.wire import Json
from amlite.services.containerservice import clusters
from amlite.services.entra import federation
from amlite.services.kubernetes.errors import KubernetesError, invalid, not_found
from amlite.services.kubernetes.kinds import SECRET, SERVICE_ACCOUNT
from amlite.services.kubernetes.storage import Key, Objects

_CLIENT = "azure.workload.identity/client-id"
_SECONDS, _LEAST_SECONDS, _MOST_SECONDS = 3600, 600, 1 << 32


def token(platform: Platform, cluster: str, namespace: str, account: str, request: Json) -> Json:
    """Answer a TokenRequest for a service account of a cluster (its ARM id)."""
    _require_account(platform, cluster, namespace, account)
    given = fields(request, {"spec": "map:any"}, _refusal).get("spec", {})
    spec = fields(given, {"expirationSeconds": "int", "audiences": "list:str"}, _refusal)
    if spec.get("boundObjectRef"):  # such a token ends with its object
        raise _refusal("spec.boundObjectRef is not part of this local Azure: a token ends at its time")
    seconds = spec.get("expirationSeconds") or _SECONDS
    if seconds > _MOST_SECONDS:
        raise invalid(
            "TokenRequest.authentication.k8s.io",
            account,
            f"spec.expirationSeconds: Invalid value: {seconds}: may not specify a duration larger than 2^32 seconds",
        )
    if seconds < _LEAST_SECONDS:
        raise invalid(
            "TokenRequest.authentication.k8s.io",
            account,
            f"spec.expirationSeconds: Invalid value: {seconds}: may not specify a duration less than 10 minutes",
        )
    document = platform.store.get(cluster)
    issuer = clusters.signer(document.body) if document else cluster
    audiences = spec.get("audiences") or [issuer]
    signed = federation.sign(platform, issuer, _subject(namespace, account), audiences[0], seconds)
    expires = platform.clock.timestamp() + seconds
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": account, "namespace": namespace},
        "spec": {"audiences": audiences, "expirationSeconds": seconds},
        "status": {"token": signed, "expirationTimestamp": _stamp(expires)},
    }


def environment(platform: Platform, cluster: str, namespace: str, account: str) -> dict[str, str]:
    """Return the variables with which a pod of a service account signs in, and its `token`.

    The token belongs into the file that AZURE_FEDERATED_TOKEN_FILE names.
    """
    body = _require_account(platform, cluster, namespace, account)
    client = (body["metadata"].get("annotations") or {}).get(_CLIENT)
    if client is None:
        raise KubernetesError(
            400, "BadRequest", f"serviceaccounts \"{account}\" has no annotation '{_CLIENT}', so it has no identity"
        )
    answer = token(platform, cluster, namespace, account, {"spec": {"audiences": [federation.AUDIENCE]}})
    return {
        "AZURE_CLIENT_ID": client,
        "AZURE_TENANT_ID": TENANT_ID,
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
        "token": answer["status"]["token"],
    }


def secret(platform: Platform, cluster: str, namespace: str, name: str) -> dict[str, bytes]:
    """Return the data of a secret. KubernetesError 404 if it does not exist."""
    body = Objects(platform, cluster).get(Key(SECRET, name, namespace))
    if body is None:
        raise not_found(SECRET.resource, name)
    return {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}


def _require_account(platform: Platform, cluster: str, namespace: str, account: str) -> Json:
    body = Objects(platform, cluster).get(Key(SERVICE_ACCOUNT, account, namespace))
    if body is None:
        raise not_found(SERVICE_ACCOUNT.resource, account)
    return body


def _refusal(told: str) -> KubernetesError:
    return KubernetesError(400, "BadRequest", f"the request cannot be read: {told}")


def _subject(namespace: str, account: str) -> str:
    return f"system:serviceaccount:{namespace}:{account}"


def _stamp(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
