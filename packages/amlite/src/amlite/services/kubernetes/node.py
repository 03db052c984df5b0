"""The node of a real cluster: scheduler, containerd and kubelet on this machine, as root.

Pods share the machine's network, because containers reach amlite's proxy on loopback. The kubelet pulls images by their
names in Azure: containerd has a mirror for the registries, and the kubelet gets the password from a credential provider
that signs in with the identity of the nodes, as AKS's does. So the nodes need the role AcrPull.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import trustme
import yaml

from amlite.core import private_folder
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child
from amlite.core.programs import run
from amlite.core.store import Document
from amlite.services.containerregistry import loopback
from amlite.services.containerregistry.types import REGISTRY_TYPE, SUFFIX
from amlite.services.managedidentity import identities
from amlite.tools import docker_engine
from amlite.tools import kubernetes as programs

CLIENT_CERTIFICATE = "kubelet-client.pem"
"""The certificate and the key with which the API server calls the kubelet."""

NAME = "localhost"
"""The name of the node, which the API server also connects to."""

_AUTHORITY = "kubelet-authority.pem"
_PAUSE = "amlite.internal/pause:1"
_PARTS = ("kubelet", "containerd", "scheduler")
_READY_SECONDS = 60.0
_ATTEMPTS = 3
Named = Callable[[str], str]


def why_not() -> str | None:
    """Return why this machine cannot be a node, or None if it can."""
    if shutil.which("containerd") is None or shutil.which("runc") is None:
        return "containerd and runc are not installed"
    return docker_engine.why_no_daemon()


def write_certificates(folder: Path) -> None:
    """Make the certificate with which the API server calls the kubelet, and its authority."""
    if (folder / CLIENT_CERTIFICATE).exists():
        return
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / _AUTHORITY)
    # The kubelet takes the common name for the name of the user.
    certificate = authority.issue_cert("apiserver.amlite.internal", common_name="kube-apiserver")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / CLIENT_CERTIFICATE)


async def start(platform: Platform, cluster: Document, folder: Path, child: Named) -> None:
    """Start what does not run. Raises StartError."""
    mirror = await loopback.port(platform)
    place = _short(platform, folder)
    _write_mirrors(platform, folder, mirror)
    socket = place / "containerd.sock"
    _write(folder / "containerd.toml", _containerd(folder, place))

    async def answers(_: Child) -> bool:
        return socket.exists()

    await platform.children.ensure(
        child("scheduler"),
        lambda port: [
            programs.folder() / "kube-scheduler",
            *("--bind-address=127.0.0.1", f"--secure-port={port}", "--leader-elect=false"),
            *(f"--kubeconfig={folder / 'kubeconfig'}", f"--cert-dir={folder / 'certificates'}"),
        ],
        timeout=_READY_SECONDS,
    )
    is_new = not any(each.name == child("containerd") for each in platform.children.list())
    await platform.children.ensure(
        child("containerd"),
        lambda _: ["containerd", "--config", folder / "containerd.toml"],
        ready=answers,
        timeout=_READY_SECONDS,
    )
    if is_new:
        await _import_pause(folder, socket)
    _write_credential_provider(platform, cluster, folder)
    await platform.children.ensure(
        child("kubelet"), lambda port: _kubelet(folder, place, socket, port), timeout=_READY_SECONDS
    )


async def stop(platform: Platform, folder: Path, child: Named) -> None:
    """Stop the node, and what its pods left."""
    socket = _short(platform, folder) / "containerd.sock"
    if socket.exists():
        for task in await _ctr(socket, "tasks", "list", "--quiet"):
            await _ctr(socket, "tasks", "kill", "--all", "--signal", "SIGKILL", task)
    for part in _PARTS:
        await platform.children.stop(child(part))
    place = _short(platform, folder)
    # A pod that ends late may leave a mount after the others are gone.
    for _ in range(_ATTEMPTS):
        for mounted in private_folder.mounted_below(folder, place):
            await run(["umount", "--lazy", str(mounted)], line=lambda _: None, environment=dict(os.environ))
    shutil.rmtree(place, ignore_errors=True)


def _containerd(folder: Path, place: Path) -> str:
    return f"""version = 2
root = "{folder / "containerd"}"
state = "{place / "run"}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{place / "containerd.sock"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{_PAUSE}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{folder / "cni"}"
    conf_dir = "{folder / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{folder / "registries"}"
"""


def _kubelet(folder: Path, place: Path, socket: Path, port: int) -> list[str | Path]:
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": port,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(folder / _AUTHORITY)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": str(place / "pods"),
        "resolvConf": "/etc/resolv.conf",
        "syncFrequency": "5s",
    }
    _write(folder / "kubelet.yaml", yaml.safe_dump(configuration))
    return [
        programs.folder() / "kubelet",
        *(f"--config={folder / 'kubelet.yaml'}", f"--kubeconfig={folder / 'kubeconfig'}"),
        *(f"--root-dir={place / 'kubelet'}", f"--cert-dir={folder / 'certificates'}", f"--hostname-override={NAME}"),
        f"--image-credential-provider-config={folder / 'credential-provider.yaml'}",
        f"--image-credential-provider-bin-dir={folder / 'credential-provider'}",
    ]


def _write_mirrors(platform: Platform, folder: Path, port: int) -> None:
    """Let containerd find each registry at its loopback address, and give it a network for pods, which has no use."""
    for document in platform.store.of_type(REGISTRY_TYPE):
        name = document.body["name"].lower()
        path = folder / "registries" / f"{name}{SUFFIX}" / "hosts.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        address = f"http://127.0.0.1:{port}/v2/{name}"
        _write(path, f'[host."{address}"]\n  capabilities = ["pull", "resolve"]\n  override_path = true\n')
    network = {"cniVersion": "1.0.0", "name": "none", "plugins": [{"type": "none"}]}
    (folder / "cni").mkdir(exist_ok=True)
    _write(folder / "cni" / "none.conflist", json.dumps(network))


def _write_credential_provider(platform: Platform, cluster: Document, folder: Path) -> None:
    """Write the program that signs the kubelet in to registries, with the identity of the nodes."""
    kubelet = cluster.body["properties"]["identityProfile"]["kubeletidentity"]
    variables: dict[str, str] = {}
    if kubelet.get("resourceId"):
        variables = identities.environment(
            platform, identities.principal_of(platform, kubelet["resourceId"]), cluster.id
        )
    variables |= platform.environment
    program = folder / "credential-provider" / "acr-credential-provider"
    program.parent.mkdir(exist_ok=True)
    _write(program, f"#!/bin/sh\nexec {sys.executable} -P -m amlite.services.kubernetes.credential_provider\n", 0o700)
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [
            {
                "name": program.name,
                "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                "matchImages": [f"*{SUFFIX}"],
                "defaultCacheDuration": "5m",
                "env": [{"name": name, "value": value} for name, value in variables.items()],
            }
        ],
    }
    _write(folder / "credential-provider.yaml", yaml.safe_dump(configuration), 0o600)


async def _import_pause(folder: Path, socket: Path) -> None:
    archive = folder / "pause.tar"
    archive.write_bytes(_pause_archive(programs.pause().read_bytes()))
    said = await _ctr(socket, "images", "import", str(archive))
    if _PAUSE not in "".join(said):
        raise StartError(f"the image of the pods' namespaces cannot be imported: {said[-1:]}")


async def _ctr(socket: Path, *arguments: str) -> list[str]:
    """Run containerd's client, and return the lines of its output."""
    said: list[str] = []
    command = ["ctr", "--address", str(socket), "--namespace", "k8s.io", *arguments]
    await run(command, line=said.append, environment=dict(os.environ))
    return said


def _pause_archive(program: bytes) -> bytes:
    """Return an image with one program, as `docker save` writes it."""
    layer = _tar({"pause": (program, 0o755)})
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/pause"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [_PAUSE], "Layers": ["layer.tar"]}]).encode()
    files = {"config.json": configuration, "layer.tar": layer, "manifest.json": manifest}
    return _tar({name: (content, 0o644) for name, content in files.items()})


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _short(platform: Platform, folder: Path) -> Path:
    """Return the cluster's part of the private folder, for sockets."""
    name = f"node-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    made = private_folder.ensure(platform.state) / name
    made.mkdir(mode=0o700, exist_ok=True)
    return made


def _write(path: Path, content: str, mode: int = 0o644) -> None:
    """Write a file, unless it has this content: containerd reads its files again whenever they change."""
    if path.exists() and path.read_text("utf-8") == content:
        return
    path.touch(mode=mode)
    path.write_text(content, "utf-8")
