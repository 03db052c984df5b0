"""Steps as jobs of a cluster, against answers of a real Kubernetes 1.34."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pipeline_runner.errors import RunnerError
from pipeline_runner.jobs import JobsEngine
from pipeline_runner.step import Step

JOBS, PODS = "/apis/batch/v1/namespaces/kubeflow/jobs", "/api/v1/namespaces/kubeflow/pods"
NODE = {"metadata": {"name": "localhost"}, "status": {"nodeInfo": {"kubeletVersion": "v1.34.3"}}}
WAITS = {"waiting": {"reason": "ContainerCreating"}}


class Cluster:
    """A cluster whose pod has the given states, one after another."""

    namespace = "kubeflow"

    def __init__(self, *states: dict[str, Any], nodes: tuple[dict[str, Any], ...] = (NODE,)) -> None:
        self.states = list(states)
        self.nodes = nodes
        self.folders: dict[Path, str] = {}
        self.jobs: list[dict[str, Any]] = []
        self.deleted: list[str] = []

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        if path == "/api/v1/nodes":
            return {"items": list(self.nodes)}
        if method == "POST" and body is not None:
            self.jobs.append(body)
        if method == "DELETE":
            self.deleted.append(path)
        if path.startswith(PODS):
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            pod = {"metadata": {"name": "pod"}, "status": {"containerStatuses": [{"state": state}]}}
            return {"items": [pod]} if "labelSelector" in path else pod
        return {}

    def lines(self, path: str) -> Iterator[str]:
        assert path == f"{PODS}/pod/log?follow=true"
        yield from ("one", "two")


def step(tmp_path: Path, **mounts: Path) -> Step:
    inside = {f"/mnt/{name}": path for name, path in mounts.items()}
    image = "registry.azurecr.io/train:1@sha256:aa"
    return Step("train", "run-1", image, ("python", "train.py"), {"A": "1"}, inside, 0.5, 1024)


def ended(code: int, reason: str = "Completed") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason}}


def test_step_is_a_job_with_the_claim_and_the_folders_of_this_machine(tmp_path: Path) -> None:
    disk, outputs, token = tmp_path / "disk", tmp_path / "outputs", tmp_path / "token"
    disk.mkdir()
    outputs.mkdir()
    token.write_text("secret", "utf-8")
    cluster = Cluster(WAITS, ended(0))
    cluster.folders[disk] = "azure-managed-disk"
    said: list[str] = []
    engine = JobsEngine(cluster)  # type: ignore[arg-type]
    assert engine.label == "jobs of Kubernetes v1.34.3"
    outcome = engine.run(step(tmp_path, azure=disk, outputs=outputs, token=token), said.append)
    assert (outcome.code, said) == (0, ["one", "two"])
    (job,) = cluster.jobs
    assert job["spec"]["backoffLimit"] == 0
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "registry.azurecr.io/train@sha256:aa"
    assert container["command"] == ["python", "train.py"]
    assert container["resources"] == {
        "limits": {"cpu": "500m", "memory": "1024"}, "requests": {"cpu": "1m", "memory": "1Mi"}
    }  # fmt: skip
    assert pod["volumes"] == [
        {"name": "mount-0", "persistentVolumeClaim": {"claimName": "azure-managed-disk"}},
        {"name": "mount-1", "hostPath": {"path": str(outputs), "type": "Directory"}},
        {"name": "mount-2", "hostPath": {"path": str(token), "type": "File"}},
    ]
    assert [each["readOnly"] for each in container["volumeMounts"]] == [False, False, True]
    assert cluster.deleted == [f"{JOBS}/{job['metadata']['name']}?propagationPolicy=Background"]


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [(ended(3, "Error"), 3, ""), (ended(137, "OOMKilled"), 137, "it needed more memory than its limit")],
    ids=["error", "memory"],
)
def test_failed_step_has_its_exit_code_and_reason(
    tmp_path: Path, state: dict[str, Any], code: int, reason: str
) -> None:
    outcome = JobsEngine(Cluster(state)).run(step(tmp_path), lambda _: None)  # type: ignore[arg-type]
    assert (outcome.code, outcome.reason) == (code, reason)


def test_image_that_cannot_be_pulled_fails_the_step_at_once(tmp_path: Path) -> None:
    cluster = Cluster({"waiting": {"reason": "ErrImagePull", "message": "401 Unauthorized"}})
    with pytest.raises(RunnerError, match="ErrImagePull: 401 Unauthorized"):
        JobsEngine(cluster).run(step(tmp_path), lambda _: None)  # type: ignore[arg-type]
    assert len(cluster.deleted) == 1


def test_cluster_of_other_machines_is_refused() -> None:
    with pytest.raises(RunnerError, match="Kubeflow runs the pipeline there"):
        JobsEngine(Cluster({}, nodes=({**NODE, "metadata": {"name": "aks-user-0"}},)))  # type: ignore[arg-type]


def test_cluster_without_jobs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster({})
    monkeypatch.setattr(cluster, "ask", lambda *_: None)
    with pytest.raises(RunnerError, match="make kubernetes"):
        JobsEngine(cluster)  # type: ignore[arg-type]
