"""Kubernetes and etcd, built from Go modules, for clusters that are real. Only those who ask for it get it."""

from __future__ import annotations

import re
from pathlib import Path

from amlite.tools import golang
from amlite.tools.base import RECIPES, Task, Tool

NAME, ETCD, PAUSE = "kubernetes", "etcd", "pause"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
_ETCD_PACKAGE = "go.etcd.io/etcd/server/v3"
_PINNED = re.compile(r"^require k8s\.io/kubernetes v(\S+)$", re.MULTILINE)


def folder() -> Path:
    """Return the folder of Kubernetes' programs."""
    return golang.folder(NAME) / "bin"


def etcd() -> Path:
    """Return the path of etcd."""
    return golang.folder(ETCD) / ETCD


def pause() -> Path:
    """Return the path of the program that keeps a pod's namespaces."""
    return golang.folder(PAUSE) / PAUSE


def find() -> str | None:
    """See `Tool`."""
    return str(folder()) if folder().is_dir() and etcd().exists() and pause().exists() else None


async def install(task: Task) -> str:
    """See `Tool`."""
    await golang.build(task, PAUSE, ".", pause())
    if not etcd().exists():
        await golang.build(task, ETCD, _ETCD_PACKAGE, etcd())
    if folder().is_dir():
        return str(folder())
    major, minor, _ = pinned().split(".")
    base = "k8s.io/component-base/version"
    values = {f"{base}.gitVersion": f"v{pinned()}", f"{base}.gitMajor": major, f"{base}.gitMinor": minor}
    await golang.build(task, NAME, [f"k8s.io/kubernetes/cmd/{name}" for name in PROGRAMS], folder(), values)
    return str(folder())


def version(_where: str) -> str:
    """See `Tool`."""
    return pinned()


def pinned() -> str:
    """Return the version of Kubernetes that is built."""
    found = _PINNED.search((RECIPES / NAME / "go.mod").read_text("utf-8"))
    return found[1] if found else ""


TOOL = Tool(NAME, "managed clusters that are real", find, install, version)
