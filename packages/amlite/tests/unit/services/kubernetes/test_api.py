"""The API server of a managed cluster: objects by server-side apply, and volumes.

Sources: "Server-Side Apply", "Kubernetes API Concepts" and "Persistent Volumes" of Kubernetes' documentation. The texts
of the errors are those of Kubernetes 1.34.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest
from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from amlite.core.platform import Platform
from amlite.core.processes import Children
from amlite.core.router import Router
from amlite.core.routing import Call
from amlite.core.store import Store
from amlite.services.containerservice import clusters as credentials
from amlite.services.containerservice.clusters import CLUSTER_TYPE, User
from amlite.services.kubernetes import objects, routes
from amlite.services.kubernetes.errors import KubernetesError
from amlite_fixtures import clusters
from amlite_fixtures.azure import Json

CLUSTER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks"
HOST = "aks-1.hcp.westeurope.azmk8s.io"
NAMESPACES, CLASSES = "/api/v1/namespaces", "/apis/storage.k8s.io/v1/storageclasses"
KUBEFLOW = f"{NAMESPACES}/kubeflow"
CLAIM = f"{KUBEFLOW}/persistentvolumeclaims/data"


class Answer:
    """The status and the body of an answer."""

    def __init__(self, status: int, body: Json) -> None:
        self.status_code = status
        self._body = body

    def json(self) -> Json:
        return self._body


class Api:
    """The routes of the API server, asked without a network."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._router = Router([routes.routes])
        self._token = credentials.token(platform, CLUSTER, User.USER)

    def ask(
        self, method: str, path: str, body: Json | None = None, *, token: str | None = None, **query: str
    ) -> Answer:
        found = self._router.find(self._platform, method, HOST, path)
        assert found is not None
        kind = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        headers = {"Host": HOST, "Authorization": f"Bearer {token or self._token}", "Content-Type": kind}
        route, parameters = found

        async def answer() -> web.StreamResponse:
            payload = StreamReader(Mock(), 2**16, loop=asyncio.get_running_loop())
            payload.feed_data(json.dumps(body).encode() if body is not None else b"")
            payload.feed_eof()
            request = make_mocked_request(method, f"{path}?{urlencode(query)}", headers, payload=payload)
            return await route.handler(Call(self._platform, request, parameters))

        try:
            response = asyncio.run(answer())
        except KubernetesError as error:
            return Answer(error.status, error.body())
        assert isinstance(response, web.Response)
        return Answer(response.status, json.loads(response.text or "{}"))

    def apply(self, path: str, body: Json, manager: str = clusters.MANAGER, **query: str) -> Answer:
        return self.ask("PATCH", path, body, fieldManager=manager, **query)

    def get(self, path: str) -> Json:
        return self.ask("GET", path).json()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Return the API server with the namespace kubeflow and the storage class disks."""
    store = Store(tmp_path / "amlite.db")
    platform = Platform(tmp_path, store, Children(tmp_path))
    properties = {"fqdn": HOST, "kubernetesVersion": "1.34.3"}
    store.put(CLUSTER, CLUSTER_TYPE, {"id": CLUSTER, "name": "aks", "properties": properties})
    objects.populate(platform, CLUSTER)
    server = Api(platform)
    assert server.apply(KUBEFLOW, clusters.namespace("kubeflow")).status_code == 201
    assert server.apply(f"{CLASSES}/disks", clusters.storage_class("disks")).status_code == 201
    yield server
    store.close()


def message(answer: Any) -> tuple[int, str, str]:
    status: Json = answer.json()
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", answer.status_code)
    return answer.status_code, status.get("reason", ""), status["message"]


def test_cluster_has_the_namespaces_and_storage_classes_of_a_managed_cluster(api: Api) -> None:
    assert {"default", "kube-system"} <= {each["metadata"]["name"] for each in api.get(NAMESPACES)["items"]}
    found = {each["metadata"]["name"]: each for each in api.get(CLASSES)["items"]}
    assert found["managed-premium"]["parameters"] == {"skuname": "Premium_LRS"}
    assert found["default"]["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert api.get("/version")["gitVersion"] == "v1.34.3"


def test_request_without_a_token_of_the_cluster_is_refused(api: Api) -> None:
    assert message(api.ask("GET", NAMESPACES, token="wrong")) == (401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize("path", ["/apis/batch/v1/namespaces/kubeflow/jobs", "/api/v1/nodes", "/apis/apps/v1"])
def test_kinds_that_run_containers_are_unknown(api: Api, path: str) -> None:
    assert message(api.ask("GET", path)) == (
        404, "NotFound", "the server could not find the requested resource"
    )  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("metadata", [None, {}, {"name": ""}])
def test_an_object_without_a_name_is_refused(api: Api, metadata: Json | None) -> None:
    answer = api.ask("POST", "/api/v1/namespaces/kubeflow/secrets", {"metadata": metadata})
    assert message(answer)[:2] == (422, "Invalid")
    assert "name or generateName is required" in answer.json()["message"]


@pytest.mark.attack
def test_a_token_that_would_end_with_an_object_is_refused(api: Api) -> None:
    account = "/api/v1/namespaces/kubeflow/serviceaccounts"
    assert api.ask("POST", account, {"metadata": {"name": "s"}}).status_code == 201
    spec = {"boundObjectRef": {"kind": "Secret", "name": "gone"}}
    assert "spec.boundObjectRef" in message(api.ask("POST", f"{account}/s/token", {"spec": spec}))[2]
    assert api.ask("POST", f"{account}/s/token", {"spec": {}}).status_code == 201


def test_object_of_a_missing_namespace_is_refused(api: Api) -> None:
    answer = api.apply(f"{NAMESPACES}/gone/persistentvolumeclaims/data", clusters.claim("data"))
    assert message(answer) == (404, "NotFound", 'namespaces "gone" not found')


def test_dry_run_stores_nothing(api: Api) -> None:
    assert api.apply(CLAIM, clusters.claim("data"), dryRun="All").status_code == 201
    assert message(api.ask("GET", CLAIM))[1:] == ("NotFound", 'persistentvolumeclaims "data" not found')


def test_apply_that_changes_nothing_keeps_the_version(api: Api) -> None:
    first = api.apply(KUBEFLOW, clusters.namespace("kubeflow")).json()
    again = api.apply(KUBEFLOW, clusters.namespace("kubeflow")).json()
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


def test_field_that_a_manager_no_longer_applies_is_removed(api: Api) -> None:
    path = f"{KUBEFLOW}/serviceaccounts/runner"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
    api.apply(path, {**account, "metadata": {"name": "runner", "annotations": {"a": "1", "b": "2"}}})
    api.apply(path, {**account, "metadata": {"name": "runner", "annotations": {"a": "1"}}})
    assert api.get(path)["metadata"]["annotations"] == {"a": "1"}


def test_field_of_another_manager_is_a_conflict_unless_forced(api: Api) -> None:
    path = f"{KUBEFLOW}/serviceaccounts/runner"

    def account(value: str) -> Json:
        metadata = {"name": "runner", "annotations": {"owner": value}}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}

    api.apply(path, account("first"))
    status, reason, text = message(api.apply(path, account("second"), "others"))
    assert (status, reason) == (409, "Conflict")
    assert text == 'Apply failed with 1 conflict: conflict with "tests": .metadata.annotations.owner'
    assert api.apply(path, account("second"), "others", force="true").status_code == 200
    assert api.get(path)["metadata"]["annotations"] == {"owner": "second"}


def test_unknown_field_is_refused(api: Api) -> None:
    status, _, text = message(api.apply(CLAIM, clusters.claim("data", sizes=1)))
    assert status == 500
    assert text.startswith("failed to create typed patch object (/data; /v1, Kind=PersistentVolumeClaim)")
    assert ".spec.sizes: field not declared in schema" in text


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"accessModes": []}, "spec.accessModes: Required value: at least 1 access mode is required"),
        ({"accessModes": ["Everybody"]}, 'spec.accessModes: Unsupported value: "Everybody"'),
        ({"resources": {}}, "spec.resources[storage]: Required value"),
    ],
    ids=["no mode", "unknown mode", "no size"],
)
def test_claim_that_is_not_complete_is_refused(api: Api, changed: Json, problem: str) -> None:
    status, reason, text = message(api.apply(CLAIM, clusters.claim("data", **changed)))
    assert (status, reason) == (422, "Invalid")
    assert text.startswith('PersistentVolumeClaim "data" is invalid: ')
    assert problem in text


def test_claim_gets_a_disk_which_is_a_folder_and_goes_with_it(api: Api) -> None:
    api.apply(CLAIM, clusters.claim("data"))
    bound = api.get(CLAIM)
    assert bound["status"] == {
        "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "5Gi"}
    }  # fmt: skip
    volume = api.get(f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}")
    folder = Path(volume["spec"]["hostPath"]["path"])
    assert folder.is_dir()
    assert volume["spec"]["claimRef"]["name"] == "data"
    assert api.ask("DELETE", CLAIM).status_code == 200
    assert not folder.exists()


def test_claim_waits_for_its_storage_class(api: Api) -> None:
    api.apply(CLAIM, clusters.claim("data", storageClassName="later"))
    assert api.get(CLAIM)["status"] == {"phase": "Pending"}
    api.apply(f"{CLASSES}/later", clusters.storage_class("later"))
    assert api.get(CLAIM)["status"]["phase"] == "Bound"
    api.ask("DELETE", f"{CLASSES}/later")


def test_claim_of_a_class_that_waits_for_a_pod_stays_pending(api: Api) -> None:
    api.apply(CLAIM, clusters.claim("data", storageClassName="managed-premium"))
    assert api.get(CLAIM)["status"] == {"phase": "Pending"}


def test_claim_can_grow_and_cannot_shrink_or_change(api: Api) -> None:
    api.apply(CLAIM, clusters.claim("data"))
    assert api.apply(CLAIM, clusters.claim("data", resources={"requests": {"storage": "8Gi"}})).status_code == 200
    assert api.get(CLAIM)["status"]["capacity"] == {"storage": "8Gi"}
    answer = api.apply(CLAIM, clusters.claim("data", resources={"requests": {"storage": "3Gi"}}))
    assert "field can not be less than status.capacity" in message(answer)[2]
    answer = api.apply(CLAIM, clusters.claim("data", accessModes=["ReadWriteMany"]))
    assert "spec is immutable after creation except resources.requests" in message(answer)[2]


def test_claim_of_a_class_without_expansion_cannot_grow(api: Api) -> None:
    api.apply(f"{CLASSES}/fixed", clusters.storage_class("fixed", allowVolumeExpansion=False))
    api.apply(CLAIM, clusters.claim("data", storageClassName="fixed"))
    larger = clusters.claim("data", storageClassName="fixed", resources={"requests": {"storage": "8Gi"}})
    status, reason, text = message(api.apply(CLAIM, larger))
    assert (status, reason) == (403, "Forbidden")
    assert "only dynamically provisioned pvc can be resized" in text
    api.ask("DELETE", f"{CLASSES}/fixed")


def test_storage_class_cannot_change_its_parameters(api: Api) -> None:
    changed = clusters.storage_class("disks", parameters={"skuName": "StandardSSD_LRS"})
    assert message(api.apply(f"{CLASSES}/disks", changed)) == (
        422,
        "Invalid",
        'StorageClass.storage.k8s.io "disks" is invalid: parameters: Forbidden: updates to parameters are forbidden.',
    )


def test_namespace_takes_its_objects_along(api: Api) -> None:
    api.apply(CLAIM, clusters.claim("data"))
    api.ask("DELETE", KUBEFLOW)
    assert message(api.ask("GET", CLAIM))[0] == 404
    api.apply(KUBEFLOW, clusters.namespace("kubeflow"))
    assert api.get(f"{KUBEFLOW}/persistentvolumeclaims")["items"] == []


def test_secret_keeps_its_strings_in_base64(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"key": "taco"}}
    answer = api.ask("POST", f"{KUBEFLOW}/secrets", body)
    assert (answer.status_code, answer.json()["data"], answer.json()["type"]) == (201, {"key": "dGFjbw=="}, "Opaque")
    again = api.ask("POST", f"{KUBEFLOW}/secrets", body)
    assert message(again) == (409, "AlreadyExists", 'secrets "key" already exists')


@pytest.mark.attack
def test_tokens_of_clusters_without_an_issuer_are_told_apart() -> None:
    """They named one issuer: who trusted it, trusted the tokens of every cluster."""
    one, other = ({"properties": {"fqdn": f"{name}.hcp.westeurope.azmk8s.io"}} for name in ("one", "other"))
    assert credentials.signer(one) == "https://one.hcp.westeurope.azmk8s.io"
    assert credentials.signer(one) != credentials.signer(other)
    assert credentials.signer({"properties": {"oidcIssuerProfile": {"issuerURL": "https://a/"}}}) == "https://a/"
