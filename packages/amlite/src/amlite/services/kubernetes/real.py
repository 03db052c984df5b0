"""A real control plane behind a cluster's host name: etcd, the API server and its controllers, as child processes.

`AMLITE_KUBERNETES=real` makes new clusters real. Requests reach the API server unchanged, with the tokens of the
kubeconfig. It signs the tokens of service accounts with the key that the cluster's issuer publishes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from aiohttp import ClientError, ClientTimeout, web
from yarl import URL

from amlite.core import relay
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child, free_port
from amlite.core.store import Document
from amlite.services.containerservice import clusters
from amlite.services.containerservice.clusters import User
from amlite.services.entra import federation
from amlite.services.kubernetes import node
from amlite.tools import kubernetes as programs

SWITCH = "AMLITE_KUBERNETES"
"""`real`: clusters that are created get a control plane. Otherwise, they have amlite's small API server."""

_MODE = "kubernetes/real"
_SERVICE_RANGE = "10.0.0.0/16"
_READY_SECONDS = 120.0


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether new clusters are real. Raises StartError for an unknown value."""
    value = environment.get(SWITCH) or "off"
    if value not in ("off", "real"):
        raise StartError(f"{SWITCH}={value} is not known; set it to off or real, or unset it")
    return value == "real"


def is_real(platform: Platform, cluster: str) -> bool:
    """Whether a cluster (its ARM id) has a control plane."""
    return platform.store.get(f"{_MODE}{cluster}") is not None


def serves(platform: Platform, host: str) -> bool:
    """Whether a host name is that of a real API server."""
    document = clusters.of_host(platform, host)
    return document is not None and is_real(platform, document.id)


async def create(platform: Platform, cluster: str) -> None:
    """Start the control plane of a new cluster (its ARM id)."""
    if programs.TOOL.find() is None:
        raise StartError("Kubernetes is not installed; install it with: amlite tools --with kubernetes")
    platform.store.put(f"{_MODE}{cluster}", _MODE, {})
    await ensure(platform, cluster)


async def delete(platform: Platform, cluster: str) -> None:
    """Stop the control plane of a cluster (its ARM id)."""
    plane = ControlPlane.of(platform, cluster)
    async with _lock(platform, cluster):
        # First, so that nobody starts it again.
        platform.store.delete(f"{_MODE}{cluster}")
        await node.stop(platform, plane.folder, plane.child)
        for part in ("controller-manager", "apiserver", "etcd"):
            await platform.children.stop(plane.child(part))
        shutil.rmtree(plane.folder, ignore_errors=True)


async def ensure(platform: Platform, cluster: str) -> int:
    """Return the port of a cluster's API server. Start the control plane if it does not run. Raises StartError."""
    async with _lock(platform, cluster):
        document = platform.store.get(cluster)
        if document is None or not is_real(platform, cluster):
            raise StartError(f"there is no cluster '{cluster}'")
        return await ControlPlane.of(platform, cluster).start(platform, document)


async def forward(platform: Platform, request: web.Request, cluster: str) -> web.StreamResponse:
    """Relay a request to the API server of a cluster (its ARM id)."""
    port = await ensure(platform, cluster)
    async with platform.http.request(
        request.method,
        URL(f"https://127.0.0.1:{port}{request.raw_path}", encoded=True),
        headers=relay.passed(request.headers),
        data=request.content if request.body_exists else None,
        allow_redirects=False,
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
        ssl=False,
    ) as answer:
        return await relay.stream(request, answer, relay.passed(answer.headers))


@dataclass
class _Locks:
    """Start and stop of a cluster take turns."""

    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))


def _lock(platform: Platform, cluster: str) -> asyncio.Lock:
    return platform.part(_Locks).locks[cluster.lower()]


@dataclass(frozen=True)
class ControlPlane:
    """The processes of one cluster, and their folder."""

    cluster: str
    folder: Path

    @classmethod
    def of(cls, platform: Platform, cluster: str) -> ControlPlane:
        """Return the control plane of a cluster (its ARM id)."""
        return cls(cluster, platform.state / "kubernetes" / cluster.rpartition("/")[2] / "control-plane")

    def child(self, part: str) -> str:
        """Return the name of a child process."""
        return f"{self.cluster.rpartition('/')[2]}-{part}"

    async def start(self, platform: Platform, document: Document) -> int:
        """Start what does not run, and return the port of the API server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        token = clusters.token(platform, self.cluster, User.ADMIN)
        etcd = await platform.children.ensure(self.child("etcd"), self._etcd)
        issuer = clusters.signer(document.body)
        self._write_secrets(platform, token)

        async def ready(child: Child) -> bool:
            try:
                headers = {"Authorization": f"Bearer {token}"}
                async with platform.http.get(
                    f"https://127.0.0.1:{child.port}/readyz", headers=headers, ssl=False
                ) as answer:
                    return answer.status == 200
            except (ClientError, OSError):
                return False

        server = await platform.children.ensure(
            self.child("apiserver"),
            lambda port: self._api_server(port, etcd, issuer),
            ready=ready,
            timeout=_READY_SECONDS,
        )
        self._write_kubeconfig(server.port, token)
        await platform.children.ensure(self.child("controller-manager"), self._controllers, timeout=_READY_SECONDS)
        if node.why_not() is None:
            await node.start(platform, document, self.folder, self.child)
        return server.port

    def _etcd(self, port: int) -> list[str | Path]:
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
        return [
            programs.etcd(),
            *("--data-dir", self.folder / "etcd", "--log-level", "error", "--unsafe-no-fsync"),
            *("--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer),
        ]

    def _api_server(self, port: int, etcd: Child, issuer: str) -> list[str | Path]:
        key = self.folder / "issuer.key"
        return [
            programs.folder() / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd.port}",
            *("--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={self.folder / 'certificates'}"),
            *(f"--token-auth-file={self.folder / 'tokens.csv'}", "--anonymous-auth=false"),
            *("--authorization-mode=Node,RBAC", f"--service-cluster-ip-range={_SERVICE_RANGE}"),
            *(f"--service-account-issuer={issuer}", f"--api-audiences={issuer}"),
            *(f"--service-account-signing-key-file={key}", f"--service-account-key-file={key}"),
            # The node is this machine, whose kubelet listens on loopback.
            "--kubelet-preferred-address-types=Hostname",
            f"--kubelet-client-certificate={self.folder / node.CLIENT_CERTIFICATE}",
            f"--kubelet-client-key={self.folder / node.CLIENT_CERTIFICATE}",
        ]

    def _controllers(self, port: int) -> list[str | Path]:
        return [
            programs.folder() / "kube-controller-manager",
            *("--bind-address=127.0.0.1", f"--secure-port={port}", "--leader-elect=false"),
            *(f"--kubeconfig={self.folder / 'kubeconfig'}", f"--cert-dir={self.folder / 'certificates'}"),
            f"--service-account-private-key-file={self.folder / 'issuer.key'}",
            f"--root-ca-file={self.folder / 'certificates' / 'apiserver.crt'}",
        ]

    def _write_secrets(self, platform: Platform, admin: str) -> None:
        user = clusters.token(platform, self.cluster, User.USER)
        rows = [f"{admin},{User.ADMIN},{User.ADMIN},system:masters", f"{user},{User.USER},{User.USER},system:masters"]
        _write(self.folder / "tokens.csv", "\n".join(rows).encode())
        _write(self.folder / "issuer.key", federation.private_key(platform))
        node.write_certificates(self.folder)

    def _write_kubeconfig(self, port: int, token: str) -> None:
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}}
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        _write(self.folder / "kubeconfig", yaml.safe_dump(content).encode())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
