"""The API server of a managed cluster: objects by server-side apply, volumes, and tokens of service accounts.

Sources: "Server-Side Apply", "Kubernetes API Concepts" and "Persistent Volumes" of Kubernetes' documentation, and "Use
Microsoft Entra Workload ID with AKS". The texts of the errors are those of Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential

from amlite import TENANT_ID
from amlite.testing import LocalAzure
from amlite_fixtures import clusters
from amlite_fixtures.azure import ARM, Json
from amlite_fixtures.clusters import ApiServer, Place

NAMESPACES, CLASSES = "/api/v1/namespaces", "/apis/storage.k8s.io/v1/storageclasses"
KUBEFLOW = f"{NAMESPACES}/kubeflow"
CLAIM = f"{KUBEFLOW}/persistentvolumeclaims/data"


@pytest.fixture(scope="module")
def place(amlite: LocalAzure) -> Iterator[Place]:
    with clusters.place(amlite) as made:
        made.create()
        yield made


@pytest.fixture
def api(place: Place) -> Iterator[ApiServer]:
    """Return the API server with the namespace kubeflow and the storage class disks."""
    server = ApiServer(place.azure, place.path())
    assert server.apply(KUBEFLOW, clusters.namespace("kubeflow")).status_code == 201
    assert server.apply(f"{CLASSES}/disks", clusters.storage_class("disks")).status_code == 201
    yield server
    for path in (KUBEFLOW, f"{CLASSES}/disks"):
        server.ask("DELETE", path)


def message(answer: Any) -> tuple[int, str, str]:
    status: Json = answer.json()
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", answer.status_code)
    return answer.status_code, status["reason"], status["message"]


def test_cluster_has_the_namespaces_and_storage_classes_of_a_managed_cluster(api: ApiServer) -> None:
    assert {"default", "kube-system"} <= {each["metadata"]["name"] for each in api.get(NAMESPACES)["items"]}
    found = {each["metadata"]["name"]: each for each in api.get(CLASSES)["items"]}
    assert found["managed-premium"]["parameters"] == {"skuname": "Premium_LRS"}
    assert found["default"]["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert api.get("/version")["gitVersion"] == "v1.34.3"


def test_request_without_a_token_of_the_cluster_is_refused(api: ApiServer) -> None:
    assert message(api.ask("GET", NAMESPACES, token="wrong")) == (401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize("path", ["/apis/batch/v1/namespaces/kubeflow/jobs", "/api/v1/nodes", "/apis/apps/v1"])
def test_kinds_that_run_containers_are_unknown(api: ApiServer, path: str) -> None:
    assert message(api.ask("GET", path)) == (
        404, "NotFound", "the server could not find the requested resource"
    )  # fmt: skip


def test_object_of_a_missing_namespace_is_refused(api: ApiServer) -> None:
    answer = api.apply(f"{NAMESPACES}/gone/persistentvolumeclaims/data", clusters.claim("data"))
    assert message(answer) == (404, "NotFound", 'namespaces "gone" not found')


def test_dry_run_stores_nothing(api: ApiServer) -> None:
    assert api.apply(CLAIM, clusters.claim("data"), dryRun="All").status_code == 201
    assert message(api.ask("GET", CLAIM))[1:] == ("NotFound", 'persistentvolumeclaims "data" not found')


def test_apply_that_changes_nothing_keeps_the_version(api: ApiServer) -> None:
    first = api.apply(KUBEFLOW, clusters.namespace("kubeflow")).json()
    again = api.apply(KUBEFLOW, clusters.namespace("kubeflow")).json()
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


def test_field_that_a_manager_no_longer_applies_is_removed(api: ApiServer) -> None:
    path = f"{KUBEFLOW}/serviceaccounts/runner"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
    api.apply(path, {**account, "metadata": {"name": "runner", "annotations": {"a": "1", "b": "2"}}})
    api.apply(path, {**account, "metadata": {"name": "runner", "annotations": {"a": "1"}}})
    assert api.get(path)["metadata"]["annotations"] == {"a": "1"}


def test_field_of_another_manager_is_a_conflict_unless_forced(api: ApiServer) -> None:
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


def test_unknown_field_is_refused(api: ApiServer) -> None:
    status, _, text = message(api.apply(CLAIM, clusters.claim("data", sizes=1)))
    assert status == 500
    assert text.startswith("failed to create typed patch object (kubeflow/data; /v1, Kind=PersistentVolumeClaim)")
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
def test_claim_that_is_not_complete_is_refused(api: ApiServer, changed: Json, problem: str) -> None:
    status, reason, text = message(api.apply(CLAIM, clusters.claim("data", **changed)))
    assert (status, reason) == (422, "Invalid")
    assert text.startswith('PersistentVolumeClaim "data" is invalid: ')
    assert problem in text


def test_claim_gets_a_disk_which_is_a_folder_and_goes_with_it(api: ApiServer) -> None:
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


def test_claim_waits_for_its_storage_class(api: ApiServer) -> None:
    api.apply(CLAIM, clusters.claim("data", storageClassName="later"))
    assert api.get(CLAIM)["status"] == {"phase": "Pending"}
    api.apply(f"{CLASSES}/later", clusters.storage_class("later"))
    assert api.get(CLAIM)["status"]["phase"] == "Bound"
    api.ask("DELETE", f"{CLASSES}/later")


def test_claim_of_a_class_that_waits_for_a_pod_stays_pending(api: ApiServer) -> None:
    api.apply(CLAIM, clusters.claim("data", storageClassName="managed-premium"))
    assert api.get(CLAIM)["status"] == {"phase": "Pending"}


def test_claim_can_grow_and_cannot_shrink_or_change(api: ApiServer) -> None:
    api.apply(CLAIM, clusters.claim("data"))
    assert api.apply(CLAIM, clusters.claim("data", resources={"requests": {"storage": "8Gi"}})).status_code == 200
    assert api.get(CLAIM)["status"]["capacity"] == {"storage": "8Gi"}
    answer = api.apply(CLAIM, clusters.claim("data", resources={"requests": {"storage": "3Gi"}}))
    assert "field can not be less than status.capacity" in message(answer)[2]
    answer = api.apply(CLAIM, clusters.claim("data", accessModes=["ReadWriteMany"]))
    assert "spec is immutable after creation except resources.requests" in message(answer)[2]


def test_claim_of_a_class_without_expansion_cannot_grow(api: ApiServer) -> None:
    api.apply(f"{CLASSES}/fixed", clusters.storage_class("fixed", allowVolumeExpansion=False))
    api.apply(CLAIM, clusters.claim("data", storageClassName="fixed"))
    larger = clusters.claim("data", storageClassName="fixed", resources={"requests": {"storage": "8Gi"}})
    status, reason, text = message(api.apply(CLAIM, larger))
    assert (status, reason) == (403, "Forbidden")
    assert "only dynamically provisioned pvc can be resized" in text
    api.ask("DELETE", f"{CLASSES}/fixed")


def test_storage_class_cannot_change_its_parameters(api: ApiServer) -> None:
    changed = clusters.storage_class("disks", parameters={"skuName": "StandardSSD_LRS"})
    assert message(api.apply(f"{CLASSES}/disks", changed)) == (
        422,
        "Invalid",
        'StorageClass.storage.k8s.io "disks" is invalid: parameters: Forbidden: updates to parameters are forbidden.',
    )


def test_namespace_takes_its_objects_along(api: ApiServer) -> None:
    api.apply(CLAIM, clusters.claim("data"))
    api.ask("DELETE", KUBEFLOW)
    assert message(api.ask("GET", CLAIM))[0] == 404
    api.apply(KUBEFLOW, clusters.namespace("kubeflow"))
    assert api.get(f"{KUBEFLOW}/persistentvolumeclaims")["items"] == []


def test_secret_keeps_its_strings_in_base64(api: ApiServer) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"key": "taco"}}
    answer = api.ask("POST", f"{KUBEFLOW}/secrets", body)
    assert (answer.status_code, answer.json()["data"], answer.json()["type"]) == (201, {"key": "dGFjbw=="}, "Opaque")
    again = api.ask("POST", f"{KUBEFLOW}/secrets", body)
    assert message(again) == (409, "AlreadyExists", 'secrets "key" already exists')


def test_service_account_signs_in_as_the_identity_that_trusts_it(api: ApiServer, place: Place) -> None:
    identity = place.identity("id-pipeline")
    place.azure.assign("Reader", place.id, identity["properties"]["principalId"])
    cluster = place.azure.arm("GET", place.path(), version=clusters.VERSION).json()
    issuer = cluster["properties"]["oidcIssuerProfile"]["issuerURL"]
    subject = "system:serviceaccount:kubeflow:default"
    trust = {"issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    credential = f"{identity['id']}/federatedIdentityCredentials/pipeline"
    place.azure.put(credential, {"properties": trust}, "2023-01-31")
    answer = api.ask(
        "POST",
        f"{KUBEFLOW}/serviceaccounts/default/token",
        {"spec": {"audiences": ["api://AzureADTokenExchange"], "expirationSeconds": 3600}},
    )
    assert answer.status_code == 201, answer.text
    token = answer.json()["status"]["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["aud"]) == (issuer, subject, "api://AzureADTokenExchange")

    def status(assertion: str) -> int:
        with ClientAssertionCredential(TENANT_ID, identity["properties"]["clientId"], lambda: assertion) as signed_in:
            headers = {"Authorization": f"Bearer {signed_in.get_token(f'{ARM}/.default').token}"}
        return place.azure.session.get(f"{ARM}{place.id}?api-version=2021-04-01", headers=headers).status_code

    assert status(token) == 200
    other = api.ask(
        "POST",
        f"{NAMESPACES}/default/serviceaccounts/default/token",
        {"spec": {"audiences": ["api://AzureADTokenExchange"], "expirationSeconds": 3600}},
    ).json()["status"]["token"]
    with pytest.raises(ClientAuthenticationError, match="AADSTS700213"):
        status(other)
