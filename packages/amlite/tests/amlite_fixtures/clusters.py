"""Managed Kubernetes clusters for tests: a group with the identities that one needs, and a client of its API server."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from requests import Response

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure
from amlite_fixtures.azure import Json

VERSION = "2025-09-01"
MANAGER = "tests"


@dataclass(frozen=True)
class Place:
    """A resource group with the identities of a control plane and of nodes."""

    azure: LocalAzure
    name: str
    id: str
    plane: Json
    nodes: Json

    def identity(self, name: str) -> Json:
        """Create a user-assigned identity."""
        path = f"{self.id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        return self.azure.put(path, {"location": "westeurope"}, "2023-01-31")

    def cluster(self, **changed: Any) -> Json:
        """Return the body of a cluster with both identities and two pools."""
        properties = {
            "dnsPrefix": "tacos",
            "agentPoolProfiles": [
                {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D4s_v3"},
                {"name": "user", "mode": "User", "count": 1, "vmSize": "Standard_D4s_v3"},
            ],
            "identityProfile": {"kubeletidentity": {"resourceId": self.nodes["id"]}},
            "oidcIssuerProfile": {"enabled": True},
            "securityProfile": {"workloadIdentity": {"enabled": True}},
            **changed,
        }
        identity = {"type": "UserAssigned", "userAssignedIdentities": {self.plane["id"]: {}}}
        return {"location": "westeurope", "identity": identity, "properties": properties}

    def path(self, name: str = "aks") -> str:
        """Return the ARM id of a cluster."""
        return f"{self.id}/providers/Microsoft.ContainerService/managedClusters/{name}"

    def create(self) -> Json:
        """Create the cluster."""
        return self.azure.put(self.path(), self.cluster(), VERSION)

    def refusal(self, body: Json, path: str = "", version: str = VERSION) -> tuple[int, str, str]:
        """Return the status, code and message of a PUT that is refused."""
        answer = self.azure.arm("PUT", path or self.path(), body, version)
        error = answer.json()
        error = error.get("error", error)
        return answer.status_code, error["code"], error["message"]


@contextmanager
def place(azure: LocalAzure) -> Iterator[Place]:
    """Create a group in which the control plane may give the nodes their identity, and delete it at the end."""
    name = f"rg-{uuid.uuid4().hex[:8]}"
    group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{name}"
    azure.put(group, {"location": "westeurope"}, "2021-04-01")
    bare = Place(azure, name, group, {}, {})
    made = Place(azure, name, group, bare.identity("id-plane"), bare.identity("id-nodes"))
    azure.assign("Managed Identity Operator", made.nodes["id"], made.plane["properties"]["principalId"])
    yield made
    azure.remove(group, "2021-04-01")


class ApiServer:
    """The API server of a cluster, with the credentials of a user."""

    def __init__(self, azure: LocalAzure, cluster: str) -> None:
        """Get the kubeconfig of a cluster (its ARM id)."""
        answer = azure.arm("POST", f"{cluster}/listClusterUserCredential", version=VERSION).json()
        self.kubeconfig = base64.b64decode(answer["kubeconfigs"][0]["value"]).decode()
        config = yaml.safe_load(self.kubeconfig)
        self._azure = azure
        self._server = config["clusters"][0]["cluster"]["server"]
        self._token = config["users"][0]["user"]["token"]

    def ask(
        self, method: str, path: str, body: Json | None = None, *, token: str | None = None, **query: str
    ) -> Response:
        """Send a request."""
        headers = {"Authorization": f"Bearer {token or self._token}"}
        if method == "PATCH":
            headers["Content-Type"] = "application/apply-patch+yaml"
        return self._azure.session.request(method, f"{self._server}{path}", params=query, json=body, headers=headers)

    def apply(self, path: str, body: Json, manager: str = MANAGER, **query: str) -> Response:
        """Apply an object."""
        return self.ask("PATCH", path, body, fieldManager=manager, **query)

    def get(self, path: str) -> Json:
        """Return an object."""
        return dict(self.ask("GET", path).json())


def namespace(name: str) -> Json:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def claim(name: str, **changed: Any) -> Json:
    """Return a claim of 5 GiB."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "disks",
        "resources": {"requests": {"storage": "5Gi"}},
        **changed,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def storage_class(name: str, **changed: Any) -> Json:
    """Return a storage class that makes disks at once."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "disk.csi.azure.com",
        "parameters": {"skuName": "Premium_LRS"},
        "allowVolumeExpansion": True,
        **changed,
    }
