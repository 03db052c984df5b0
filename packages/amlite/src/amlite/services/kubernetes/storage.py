"""The objects of one cluster in amlite's state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.kubernetes.kinds import Kind

_TYPE = "kubernetes/objects"


@dataclass(frozen=True)
class Key:
    """The place of an object: its kind, its name, and its namespace if the kind has one."""

    kind: Kind
    name: str
    namespace: str | None = None


class Objects:
    """The objects of a cluster, by its ARM id."""

    def __init__(self, platform: Platform, cluster: str) -> None:
        self._platform = platform
        self.cluster = cluster

    def get(self, key: Key) -> Json | None:
        """Return an object, or None."""
        document = self._platform.store.get(self._path(key))
        return document.body["object"] if document else None

    def managers(self, key: Key) -> dict[str, Json]:
        """Return what each manager applied to an object."""
        document = self._platform.store.get(self._path(key))
        return dict(document.body["managers"]) if document else {}

    def list(self, kind: Kind, namespace: str | None = None) -> list[Json]:
        """Return the objects of a kind, oldest first: of one namespace, or all."""
        below = f"{self._root}/{kind.resource}" + (f"/{namespace}" if namespace else "")
        return [document.body["object"] for document in self._platform.store.below(below)]

    def put(self, key: Key, body: Json, managers: dict[str, Json] | None = None) -> Json:
        """Write an object, and give it a new version. Without `managers`, they stay."""
        version = str(self._platform.store.next("kubernetes"))
        stored = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        owners = self.managers(key) if managers is None else managers
        self._platform.store.put(self._path(key), _TYPE, {"object": stored, "managers": owners})
        return stored

    def keep_managers(self, key: Key, managers: dict[str, Json]) -> None:
        """Write what each manager applied to an object that stays as it is."""
        document = self._platform.store.get(self._path(key))
        if document is not None:
            self._platform.store.put(self._path(key), _TYPE, {**document.body, "managers": managers})

    def remove(self, key: Key) -> None:
        """Delete an object."""
        self._platform.store.delete(self._path(key))

    def forget(self) -> None:
        """Delete all objects."""
        self._platform.store.delete(self._root)

    def now(self) -> str:
        """Return the time as Kubernetes writes it."""
        return self._platform.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def folder(self) -> Path:
        """The folder of the cluster's disks."""
        return self._platform.state / "kubernetes" / self.cluster.rpartition("/")[2] / "disks"

    @property
    def version(self) -> str:
        """The version of Kubernetes of the cluster."""
        document = self._platform.store.get(self.cluster)
        return str(document.body["properties"]["kubernetesVersion"]) if document else ""

    @property
    def _root(self) -> str:
        return f"{_TYPE}{self.cluster}"

    def _path(self, key: Key) -> str:
        return f"{self._root}/{key.kind.resource}/{key.namespace or '-'}/{key.name}"
