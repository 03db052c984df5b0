"""Tells the kubelet how to sign in to a container registry: with the identity of the nodes, as AKS's provider does.

The kubelet runs `python -m amlite.services.kubernetes.credential_provider`, with a request on standard input.
Source: "Configure a kubelet image credential provider" of Kubernetes' documentation.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.parse
import urllib.request
from typing import Any

from amlite import TENANT_ID

_RESOURCE = "https://management.azure.com"
_USER = "00000000-0000-0000-0000-000000000000"
_SECONDS = 30


def main() -> None:
    """Answer the request of the kubelet."""
    image = json.load(sys.stdin)["image"]
    server = image.partition("/")[0]
    form = {
        "grant_type": "access_token",
        "service": server,
        "tenant": TENANT_ID,
        "access_token": _identity_token(),
    }
    password = _ask(f"https://{server}/oauth2/exchange", urllib.parse.urlencode(form).encode())["refresh_token"]
    answer = {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "auth": {server: {"username": _USER, "password": password}},
    }
    print(json.dumps(answer))


def _identity_token() -> str:
    query = urllib.parse.urlencode({"resource": _RESOURCE, "api-version": "2019-08-01"})
    address = f"{os.environ['IDENTITY_ENDPOINT']}?{query}"
    return str(_ask(address, headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]})["access_token"])


def _ask(address: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(address, data=body, headers=headers or {})  # noqa: S310 - https only
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


if __name__ == "__main__":
    main()
