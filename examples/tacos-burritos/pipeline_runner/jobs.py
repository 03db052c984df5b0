"""Steps as jobs of a Kubernetes cluster whose node is this machine, such as the one of `make kubernetes`.

On AKS, Kubeflow itself runs the steps. This engine gives the outputs of steps to the next ones in folders of this
machine, which nodes in Azure do not have.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline_runner.containers import exact
from pipeline_runner.errors import RunnerError
from pipeline_runner.kubernetes import KubernetesCluster
from pipeline_runner.step import Outcome, Say, Step

RUN_LABEL = "tacos-burritos.run"
_POLL_SECONDS = 0.2
# How long a pod may take to start, with the pull of its image.
_START_SECONDS = 600
# Without requests, Kubernetes would reserve the limits.
_REQUESTS = {"cpu": "1m", "memory": "1Mi"}
# A container that waits for one of these does not start without a change.
_HOPELESS = ("CreateContainerConfigError", "ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName")


class JobsEngine:
    """The jobs of a namespace.

    Raises:
        RunnerError: The cluster has no jobs, or its nodes are not this machine.
    """

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster
        self._jobs = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{cluster.namespace}/pods"
        nodes = cluster.ask("GET", "/api/v1/nodes")
        if nodes is None or cluster.ask("GET", self._jobs) is None:
            raise RunnerError(
                "the cluster runs no containers\n      fix: make kubernetes builds one that does, on this machine"
            )
        found = nodes["items"]
        if [each["metadata"]["name"] for each in found] != ["localhost"]:
            raise RunnerError(
                f"the cluster has {len(found)} nodes that are not this machine; Kubeflow runs the pipeline there"
            )
        self._version = found[0]["status"]["nodeInfo"]["kubeletVersion"]

    @property
    def label(self) -> str:
        """See `Engine`."""
        return f"jobs of Kubernetes {self._version}"

    def prepare(self, image: str, say: Say) -> None:
        """Do nothing: the node pulls images, by its own identity."""
        del image, say

    def run(self, step: Step, line: Say) -> Outcome:
        """See `Engine`. The job is deleted at the end."""
        name = f"{re.sub('[^a-z0-9-]', '-', step.task.lower())[:40]}-{secrets.token_hex(3)}"
        path = f"{self._jobs}/{name}"
        self._cluster.ask("POST", self._jobs, self._job(name, step))
        try:
            pod = self._started(name)
            for text in self._cluster.lines(f"{self._pods}/{pod}/log?follow=true"):
                line(text)
            return self._ended(pod)
        finally:
            self._cluster.ask("DELETE", f"{path}?propagationPolicy=Background")

    def _job(self, name: str, step: Step) -> dict[str, Any]:
        volumes, mounts = [], []
        for number, (inside, source) in enumerate(step.mounts.items()):
            volume, is_file = f"mount-{number}", source.is_file()
            volumes.append({"name": volume, **self._volume(source, is_file=is_file)})
            mounts.append({"name": volume, "mountPath": inside, "readOnly": is_file})
        limits = {
            **({"cpu": f"{round(step.cpus * 1000)}m"} if step.cpus else {}),
            **({"memory": str(step.memory)} if step.memory else {}),
        }
        container = {
            "name": "main",
            "image": exact(step.image),
            "command": list(step.command),
            "env": [{"name": key, "value": value} for key, value in {"HOME": "/tmp", **step.environment}.items()],  # noqa: S108
            "volumeMounts": mounts,
            # The node is this machine, which also runs everything else.
            "resources": {"limits": limits, "requests": {name: _REQUESTS[name] for name in limits}},
        }
        pod = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            # The proxy of this machine is on loopback.
            "hostNetwork": True,
            "dnsPolicy": "Default",
            "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
            "containers": [container],
            "volumes": volumes,
        }
        labels = {RUN_LABEL: step.run[:63]}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "labels": labels},
            "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": pod}},
        }

    def _volume(self, source: Path, *, is_file: bool) -> dict[str, Any]:
        claim = self._cluster.folders.get(source)
        if claim is not None:
            return {"persistentVolumeClaim": {"claimName": claim}}
        return {"hostPath": {"path": str(source), "type": "File" if is_file else "Directory"}}

    def _started(self, job: str) -> str:
        """Wait until the container of a job has started, and return its pod. Raises RunnerError if it does not."""
        deadline = time.monotonic() + _START_SECONDS
        told = "it is not scheduled"
        while time.monotonic() < deadline:
            for pod in self._pods_of(job):
                status = _container(pod)
                if status.keys() & {"running", "terminated"}:
                    return str(pod["metadata"]["name"])
                waiting = status.get("waiting", {})
                told = waiting.get("message") or waiting.get("reason") or told
                if waiting.get("reason") in _HOPELESS:
                    raise RunnerError(f"the container cannot start: {waiting['reason']}: {told}")
            time.sleep(_POLL_SECONDS)
        raise RunnerError(f"the container has not started after {_START_SECONDS} s: {told}")

    def _ended(self, pod: str) -> Outcome:
        while True:
            found = self._cluster.ask("GET", f"{self._pods}/{pod}")
            if found is None:
                raise RunnerError("its pod was deleted")
            ended = _container(found).get("terminated")
            if ended:
                is_short = ended.get("reason") == "OOMKilled"
                return Outcome(int(ended["exitCode"]), "it needed more memory than its limit" if is_short else "")
            time.sleep(_POLL_SECONDS)

    def _pods_of(self, job: str) -> Iterator[dict[str, Any]]:
        found = self._cluster.ask("GET", f"{self._pods}?labelSelector=batch.kubernetes.io/job-name={job}")
        yield from (found or {}).get("items", [])


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the state of the only container of a pod."""
    statuses = pod["status"].get("containerStatuses") or [{}]
    state: dict[str, Any] = statuses[0].get("state", {})
    return state
