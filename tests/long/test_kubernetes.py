"""A real Kubernetes behind a managed cluster: node, disks, jobs, images of the registry, and tokens.

It is built from Go modules, once. It needs root, containerd and runc.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from amlite.services.kubernetes import node
from amlite.testing import LocalAzure
from amlite.tools import command, kubernetes
from amlite_fixtures import clusters
from amlite_fixtures.clusters import ApiServer, Place

Json = dict[str, Any]
KUBEFLOW = "/api/v1/namespaces/kubeflow"
JOBS = "/apis/batch/v1/namespaces/kubeflow/jobs"
IMAGE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """Return an amlite whose clusters are real. Nothing of it runs afterwards."""
    assert node.why_not() is None
    (row,) = command.install([kubernetes.TOOL])
    assert row.where is not None, row.reason
    state = tmp_path_factory.mktemp("real") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMLITE_KUBERNETES", "real")
        with LocalAzure.started(state) as started:
            yield started
    assert [each for each in _command_lines() if str(state) in each] == []


def _command_lines() -> Iterator[str]:
    for process in psutil.process_iter(["cmdline"]):
        yield " ".join(process.info["cmdline"] or [])


@pytest.fixture(scope="module")
def place(azure: LocalAzure) -> Iterator[Place]:
    """Return a group with a cluster."""
    with clusters.place(azure) as made:
        made.create()
        yield made


@pytest.fixture(scope="module")
def api(place: Place) -> ApiServer:
    """Return the API server, with the namespace kubeflow and a claim."""
    server = ApiServer(place.azure, place.path())
    server.apply(KUBEFLOW, clusters.namespace("kubeflow"))
    server.apply("/apis/storage.k8s.io/v1/storageclasses/disks", clusters.storage_class("disks"))
    server.apply(f"{KUBEFLOW}/persistentvolumeclaims/data", clusters.claim("data"))
    return server


@pytest.fixture(scope="module")
def registry(place: Place) -> str:
    """Return a registry with an image of one program: etcd, which is at hand and needs nothing else."""
    name = f"acr{uuid.uuid4().hex[:12]}"
    path = f"{place.id}/providers/Microsoft.ContainerRegistry/registries/{name}"
    place.azure.put(path, {"location": "westeurope", "sku": {"name": "Premium"}}, "2023-07-01")
    _push(place.azure, name, kubernetes.etcd().read_bytes())
    return path


def _push(azure: LocalAzure, name: str, program: bytes) -> None:
    base = f"https://{name}.azurecr.io"
    token = azure.credential.get_token("https://management.azure.com/.default").token
    form = {"grant_type": "access_token", "service": f"{name}.azurecr.io", "access_token": token}
    refresh = azure.session.post(f"{base}/oauth2/exchange", data=form).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "scope": "repository:tool:pull,push", "refresh_token": refresh}
    access = azure.session.post(f"{base}/oauth2/token", data=form).json()["access_token"]
    signed = {"Authorization": f"Bearer {access}"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("tool")
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program))
    layer = buffer.getvalue()
    rootfs = {"type": "layers", "diff_ids": [_digest(layer)]}
    configuration = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    for blob in (layer, configuration):
        begun = azure.session.post(f"{base}/v2/tool/blobs/uploads/", headers=signed)
        location = begun.headers["Location"]
        target = location if location.startswith("http") else base + location
        stored = azure.session.put(f"{target}&digest={_digest(blob)}", data=blob, headers=signed)
        assert stored.status_code == 201, stored.text
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": _part("application/vnd.oci.image.config.v1+json", configuration),
        "layers": [_part("application/vnd.oci.image.layer.v1.tar", layer)],
    }
    headers = {**signed, "Content-Type": IMAGE}
    answer = azure.session.put(f"{base}/v2/tool/manifests/1", data=json.dumps(manifest), headers=headers)
    assert answer.status_code == 201, answer.text


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _part(kind: str, content: bytes) -> Json:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _until(found: Callable[[], Any]) -> Any:
    """Return the first value that is true. The test fails after two minutes."""
    deadline = time.monotonic() + 120
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return value


def _job(api: ApiServer, registry: str, *arguments: str) -> str:
    name = f"job-{uuid.uuid4().hex[:6]}"
    container = {
        "name": "main",
        "image": f"{registry.rpartition('/')[2]}.azurecr.io/tool:1",
        "command": ["/tool", *arguments],
        "volumeMounts": [{"name": "disk", "mountPath": "/mnt/azure"}],
    }
    pod = {
        "restartPolicy": "Never",
        "hostNetwork": True,
        "containers": [container],
        "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
    answer = api.ask("POST", JOBS, body)
    assert answer.status_code == 201, answer.text
    return name


def _pod(api: ApiServer, job: str) -> Json:
    query = {"labelSelector": f"batch.kubernetes.io/job-name={job}"}
    items = api.ask("GET", f"{KUBEFLOW}/pods", **query).json()["items"]
    return dict(items[0]) if items else {}


def _conditions(api: ApiServer, job: str) -> set[str]:
    return {each["type"] for each in api.get(f"{JOBS}/{job}")["status"].get("conditions", [])}


def test_claim_is_a_folder_and_the_node_is_ready(api: ApiServer) -> None:
    claim = f"{KUBEFLOW}/persistentvolumeclaims/data"
    assert _until(lambda: api.get(claim)["status"]["phase"] == "Bound")
    volume = api.get(f"/api/v1/persistentvolumes/{api.get(claim)['spec']['volumeName']}")
    assert Path(volume["spec"]["hostPath"]["path"]).is_dir()

    def ready() -> bool:
        nodes = api.get("/api/v1/nodes")["items"]
        conditions = nodes[0]["status"]["conditions"] if nodes else []
        return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)

    assert _until(ready)


def test_image_is_pulled_only_with_the_role_of_the_nodes(api: ApiServer, place: Place, registry: str) -> None:
    job = _job(api, registry, "--version")

    def refused() -> bool:
        statuses = _pod(api, job).get("status", {}).get("containerStatuses", [{}])
        reason = statuses[0].get("state", {}).get("waiting", {}).get("reason")
        return reason in ("ErrImagePull", "ImagePullBackOff")

    assert _until(refused)
    api.ask("DELETE", f"{JOBS}/{job}", propagationPolicy="Background")
    place.azure.assign("AcrPull", registry, place.nodes["properties"]["principalId"])
    job = _job(api, registry, "--version")
    assert "Complete" in _until(lambda: _conditions(api, job))
    log = api.ask("GET", f"{KUBEFLOW}/pods/{_pod(api, job)['metadata']['name']}/log").text
    assert log.startswith("etcd Version: ")


def test_job_that_fails_is_failed_with_its_exit_code(api: ApiServer, registry: str) -> None:
    job = _job(api, registry, "--no-such-flag")
    assert "Failed" in _until(lambda: _conditions(api, job) & {"Failed", "Complete"})
    (status,) = _pod(api, job)["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 2
