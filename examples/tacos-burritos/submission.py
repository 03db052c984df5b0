"""Runs of a stack's pipeline: where it is, its parameters, and what it runs on."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from pipeline_runner import document, machine
from pipeline_runner.containers import DockerEngine
from pipeline_runner.errors import RunnerError
from pipeline_runner.execution import Observer, Place, execute
from pipeline_runner.jobs import JobsEngine
from pipeline_runner.kubernetes import KubernetesCluster
from pipeline_runner.processes import ProcessEngine
from pipeline_runner.records import RunRecord, latest_first, parse
from pipeline_runner.step import Engine, Say
from stored import documents
from stored.pipelines import PLACEHOLDER, filled

from infra.components.image import TOKEN_USERNAME, refresh_token
from pulumi_azureml.operations.connection import credential
from release.cost import prices

HERE = Path(__file__).parent
COMPILED = HERE / "kubeflow" / "tacos-burritos.yaml"
ENDPOINT = "tacos-burritos"
ENVIRONMENT = "serving"
# Sizes of managed online endpoints ("Managed online endpoints SKU list"): name, CPUs, memory in GB.
SIZES = (
    ("Standard_DS2_v2", 2, 7),
    ("Standard_F4s_v2", 4, 8),
    ("Standard_E4s_v3", 4, 32),
    ("Standard_F8s_v2", 8, 16),
)
EngineName = Literal["auto", "docker", "process", "jobs"]
ENGINES = ("auto", "docker", "process", "jobs")
_MANAGEMENT = "https://management.azure.com"
_CLUSTERS_VERSION = "2025-05-01"


@dataclass(frozen=True)
class Target:
    """What a run needs to know of a stack. `location` is the region of its prices, `folder` that of its stack file."""

    stack: str
    folder: str
    tenant_id: str
    subscription_id: str
    resource_group: str
    location: str
    workspace: str
    login_server: str
    cluster: str
    namespace: str
    service_account: str
    endpoint: str
    environment: str
    pipeline_url: str
    pipeline_version: str


@dataclass(frozen=True)
class Submission:
    """Runs of the pipeline of a stack, and their records."""

    target: Target

    def compiled(self) -> document.Pipeline:
        """Read the pipeline that the stack manages.

        Raises:
            RunnerError: It is not there, or is not the one that the stack deployed, or the file in this repository
                has changed since.
        """
        url, version = self.target.pipeline_url, self.target.pipeline_version
        text = documents.read(url)
        fix = f"\n      fix: release up --stack {self.target.stack}"
        if text is None:
            raise RunnerError(f"the compiled pipeline {url} is gone{fix}")
        if document.version_of(text) != version:
            raise RunnerError(f"the compiled pipeline {url} was changed: it has not version {version}{fix}")
        pipeline = document.read(text)
        images = {task.name: task.executor.image for task in pipeline.tasks}
        if filled(COMPILED.read_text("utf-8"), images) != text:
            raise RunnerError(f"{COMPILED.name} has changed since the stack deployed version {pipeline.version}{fix}")
        return pipeline

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a run: those of the stack, and those that a person gives."""
        target, table = self.target, prices.read()
        return {
            "subscription_id": target.subscription_id,
            "resource_group": target.resource_group,
            "workspace": target.workspace,
            "endpoint": target.endpoint,
            "environment": f"azureml:{ENVIRONMENT}:{target.environment}",
            "pipeline_version": target.pipeline_version,
            "sizes": [
                {"name": name, "cpus": cpus, "memory_gb": memory, "price": table.of(target.location, f"vm/{name}")}
                for name, cpus, memory in SIZES
            ],
            **given,
        }

    def cluster(self, say: Say) -> KubernetesCluster:
        """Return the cluster of the stack."""
        return KubernetesCluster(
            kubeconfig=self.kubeconfig(),
            namespace=self.target.namespace,
            service_account=self.target.service_account,
            tenant_id=self.target.tenant_id,
            stand_ins=Path(self.target.folder) / "volumes",
            fallback=machine.signed_in,
            say=say,
        )

    def engine(self, name: EngineName, cluster: KubernetesCluster, say: Say) -> Engine:
        """Return what runs the steps: Docker, or processes where there is no Docker engine and none is asked for."""
        if name == "jobs":
            return JobsEngine(cluster)
        processes = ProcessEngine(HERE / "ml" / "steps", Path.home() / ".cache" / "tacos-burritos" / "environments")
        if name == "process":
            return processes
        try:
            return DockerEngine(self._credentials)
        except RunnerError as error:
            if name == "docker":
                raise
            say(f"{str(error).splitlines()[0]}; the steps run as {processes.label}")
            return processes

    def run(self, given: Mapping[str, Any], engine: EngineName, observer: Observer, cause: str = "") -> RunRecord:
        """Run the pipeline to its end. Raises RunnerError."""
        pipeline = self.compiled()
        cluster = self.cluster(observer.said)
        chosen = self.engine(engine, cluster, observer.said)
        if isinstance(chosen, DockerEngine) and any(
            task.executor.image.startswith(PLACEHOLDER) for task in pipeline.tasks
        ):
            chosen = self.engine("process", cluster, observer.said)
            observer.said(f"the stack builds no images, so the steps run as {chosen.label}")
        environment, files = machine.variables()
        place = Place(chosen, cluster, Path(self.target.folder) / "runs", environment, files)
        return execute(pipeline, self.parameters(given), place, observer, cause)

    def keep(self, run: RunRecord) -> None:
        """Write the record of a run beside the compiled pipelines, for all who use the stack."""
        documents.write(self.record(run.id), run.json())

    @property
    def storage_host(self) -> str:
        """The host of the stack's storage account."""
        return str(urlsplit(self.target.pipeline_url).hostname)

    def record(self, run: str) -> str:
        """Return the address of the record of a run."""
        return f"{self._documents}/runs/{run}.json"

    def runs(self) -> list[RunRecord]:
        """Return the runs of the stack, the latest first."""
        addresses = documents.below(f"{self._documents}/runs/")
        return latest_first(parse(documents.read(each) or "") for each in addresses)

    @property
    def _documents(self) -> str:
        return self.target.pipeline_url.partition("/pipelines/")[0]

    def kubeconfig(self) -> str:
        """Return the kubeconfig of the cluster. Raises RunnerError."""
        url = (
            f"{_MANAGEMENT}/subscriptions/{self.target.subscription_id}/resourceGroups/{self.target.resource_group}"
            f"/providers/Microsoft.ContainerService/managedClusters/{self.target.cluster}"
            f"/listClusterUserCredential?api-version={_CLUSTERS_VERSION}"
        )
        token = credential().get_token(f"{_MANAGEMENT}/.default").token
        answer = requests.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        if not answer.ok:
            raise RunnerError(f"cannot read the kubeconfig of the cluster ({answer.status_code}): {answer.text[:300]}")
        return base64.b64decode(answer.json()["kubeconfigs"][0]["value"]).decode()

    def _credentials(self, server: str) -> tuple[str, str] | None:
        if server != self.target.login_server:
            return None
        return TOKEN_USERNAME, refresh_token(server, self.target.tenant_id)
