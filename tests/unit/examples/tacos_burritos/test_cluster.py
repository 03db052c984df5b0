"""What a run takes from a cluster by the Kubernetes API, against a server with the documented answers."""

import base64
import http.server
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline_runner.cluster import Identity
from pipeline_runner.document import SecretVariable
from pipeline_runner.errors import RunnerError
from pipeline_runner.kubernetes import KubernetesCluster

NAMESPACE = "/api/v1/namespaces/kubeflow"
CLIENT = {"azure.workload.identity/client-id": "pipeline"}


class Api(http.server.BaseHTTPRequestHandler):
    """Answers with the objects of the server, by path."""

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))  # type: ignore[attr-defined]
        self.answer()

    def answer(self) -> None:
        signed_in = self.headers["Authorization"] == "Bearer key"
        found = self.server.objects.get(self.path)  # type: ignore[attr-defined]
        self.send_response(401 if not signed_in else 404 if found is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(found or {}).encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Kubernetes:
    """A server, its objects, and the cluster that reads it."""

    def __init__(self, server: Any, folder: Path, token: str = "key") -> None:
        self.objects: dict[str, Any] = server.objects
        self.asked: list[Any] = server.asked
        self.said: list[str] = []
        address = f"http://127.0.0.1:{server.server_address[1]}"
        kubeconfig = {"clusters": [{"cluster": {"server": address}}], "users": [{"user": {"token": token}}]}
        self.cluster = KubernetesCluster(
            kubeconfig=yaml.safe_dump(kubeconfig),
            namespace="kubeflow",
            service_account="runner",
            tenant_id="tenant",
            stand_ins=folder,
            fallback=lambda: Identity({"AZURE_CLIENT_ID": "me"}),
            say=self.said.append,
        )


@pytest.fixture
def server() -> Iterator[Any]:
    with http.server.HTTPServer(("127.0.0.1", 0), Api) as found:
        found.objects, found.asked = {}, []  # type: ignore[attr-defined]
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def kubernetes(server: Any, tmp_path: Path) -> Iterator[Kubernetes]:
    found = Kubernetes(server, tmp_path)
    yield found
    found.cluster.close()


def test_a_claim_is_the_folder_of_its_volume(kubernetes: Kubernetes) -> None:
    kubernetes.objects[f"{NAMESPACE}/persistentvolumeclaims/disk"] = {"spec": {"volumeName": "pv"}}
    kubernetes.objects["/api/v1/persistentvolumes/pv"] = {"spec": {"hostPath": {"path": "/volumes/disk"}}}
    assert kubernetes.cluster.claim("disk") == Path("/volumes/disk")


def test_a_disk_in_azure_gets_a_folder_of_this_machine_and_says_so(kubernetes: Kubernetes, tmp_path: Path) -> None:
    kubernetes.objects[f"{NAMESPACE}/persistentvolumeclaims/disk"] = {"spec": {"volumeName": "pv"}}
    kubernetes.objects["/api/v1/persistentvolumes/pv"] = {"spec": {"csi": {"driver": "disk.csi.azure.com"}}}
    assert kubernetes.cluster.claim("disk") == tmp_path / "disk"
    assert kubernetes.said == [f"the disk of the claim disk is in Azure; here, {tmp_path}/disk takes its place"]


def test_a_missing_or_unbound_claim_is_an_error(kubernetes: Kubernetes) -> None:
    with pytest.raises(RunnerError, match="the cluster has no persistent volume claim 'disk' in the namespace"):
        kubernetes.cluster.claim("disk")
    kubernetes.objects[f"{NAMESPACE}/persistentvolumeclaims/disk"] = {"spec": {}, "status": {"phase": "Pending"}}
    with pytest.raises(RunnerError, match="'disk' has no volume: it is Pending"):
        kubernetes.cluster.claim("disk")


def test_a_value_of_a_secret_is_decoded(kubernetes: Kubernetes) -> None:
    kubernetes.objects[f"{NAMESPACE}/secrets/oven"] = {"data": {"pin": base64.b64encode(b"1234").decode()}}
    assert kubernetes.cluster.secret(SecretVariable("oven", "pin", "PIN")) == "1234"
    with pytest.raises(RunnerError, match="the secret 'oven' has no key 'code'"):
        kubernetes.cluster.secret(SecretVariable("oven", "code", "CODE"))
    with pytest.raises(RunnerError, match="the cluster has no secret 'fridge'"):
        kubernetes.cluster.secret(SecretVariable("fridge", "pin", "PIN"))


def test_pods_get_the_identity_of_their_service_account_as_the_webhook_gives_it(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    kubernetes.objects[f"{NAMESPACE}/serviceaccounts/runner"] = {"metadata": {"annotations": CLIENT}}
    kubernetes.objects[f"{NAMESPACE}/serviceaccounts/runner/token"] = {"status": {"token": "signed"}}
    identity = kubernetes.cluster.identity(tmp_path)
    (inside, file), *_ = identity.files.items()
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("signed", 0o600)
    assert identity.environment["AZURE_FEDERATED_TOKEN_FILE"] == inside
    assert (identity.environment["AZURE_CLIENT_ID"], identity.environment["AZURE_TENANT_ID"]) == ("pipeline", "tenant")
    assert kubernetes.asked[0]["spec"]["audiences"] == ["api://AzureADTokenExchange"]


def test_without_tokens_of_service_accounts_the_steps_sign_in_as_this_machine(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    kubernetes.objects[f"{NAMESPACE}/serviceaccounts/runner"] = {"metadata": {"annotations": CLIENT}}
    assert kubernetes.cluster.identity(tmp_path) == Identity({"AZURE_CLIENT_ID": "me"})
    assert kubernetes.said == [
        "the cluster issues no tokens of service accounts; the steps sign in as this machine does"
    ]


def test_a_service_account_without_an_identity_is_an_error(kubernetes: Kubernetes, tmp_path: Path) -> None:
    kubernetes.objects[f"{NAMESPACE}/serviceaccounts/runner"] = {"metadata": {}}
    with pytest.raises(RunnerError, match="'runner' has no annotation"):
        kubernetes.cluster.identity(tmp_path)


def test_a_refusal_and_a_kubeconfig_without_a_token_are_errors(server: Any, tmp_path: Path) -> None:
    refused = Kubernetes(server, tmp_path, "another key").cluster
    with pytest.raises(RunnerError, match=r"the cluster refuses GET .* with 401"):
        refused.claim("disk")
    refused.close()
    with pytest.raises(RunnerError, match="the kubeconfig has no token"):
        Kubernetes(server, tmp_path, "").cluster.claim("disk")
