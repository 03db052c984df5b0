"""The API server of a managed cluster at the address in its kubeconfig, and tokens of its service accounts.

Source: "Use Microsoft Entra Workload ID with AKS". The tests of the objects are in tests/unit/services/kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential

from amlite import TENANT_ID
from amlite.pulumi import kubernetes_session
from amlite.testing import LocalAzure
from amlite_fixtures import clusters
from amlite_fixtures.azure import ARM
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


@pytest.mark.attack
@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ("text", 400), ({"expirationSeconds": "x"}, 400), ({"expirationSeconds": 10**18}, 422),
        ({"audiences": "x"}, 400), ({"audiences": [{"a": 1}]}, 400),
    ],
)  # fmt: skip
def test_a_request_for_a_token_has_the_published_form(api: ApiServer, spec: object, status: int) -> None:
    answer = api.ask("POST", f"{KUBEFLOW}/serviceaccounts/default/token", {"spec": spec})
    assert answer.status_code == status, answer.text


def test_provider_of_the_local_stack_applies_objects_with_the_kubeconfig(api: ApiServer) -> None:
    server = kubernetes_session.ApiServer(api.kubeconfig)
    body = {**clusters.claim("data"), "metadata": {"name": "data", "namespace": "kubeflow"}}
    assert server.apply(body, dry=True) is not None
    assert server.get(body) is None
    made = server.apply(body, dry=False)
    assert made is not None
    assert made["status"]["phase"] == "Bound"
    elsewhere = {**body, "metadata": {"name": "data", "namespace": "gone"}}
    assert server.apply(elsewhere, dry=True) is None
    with pytest.raises(kubernetes_session.ApiError, match='namespaces "gone" not found'):
        server.apply(elsewhere, dry=False)
    waiting = clusters.claim("data", storageClassName="managed-premium")
    assert server.waits_for_pod(waiting)
    assert not server.waits_for_pod(body)
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train", "namespace": "kubeflow"}}
    with pytest.raises(kubernetes_session.ApiError, match='no matches for kind "Job" in version "batch/v1"'):
        server.apply(job, dry=True)
    server.delete(body)
    assert server.get(body) is None
