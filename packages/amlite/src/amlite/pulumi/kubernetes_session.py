"""One engine's connection to an API server: a kubeconfig, and objects by server-side apply."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from amlite.pulumi import plugin
from amlite.pulumi.values import UNKNOWN

MANAGER = "pulumi-kubernetes"
_SECONDS = 60


class ApiError(Exception):
    """The API server's refusal, or the reason why it cannot be reached."""


class ApiServer:
    """An API server, reached with the token of a kubeconfig."""

    def __init__(self, kubeconfig: str, context: str | None = None) -> None:
        """Read a kubeconfig: its text, or the path of the file. Raises ApiError for one without a token."""
        try:
            if "\n" not in kubeconfig and Path(kubeconfig).expanduser().is_file():
                kubeconfig = Path(kubeconfig).expanduser().read_text("utf-8")
            config = yaml.safe_load(kubeconfig)
            chosen = _named(config, "contexts", "context", context or config["current-context"])
            cluster = _named(config, "clusters", "cluster", chosen["cluster"])
            token = _named(config, "users", "user", chosen["user"])["token"]
        except (KeyError, TypeError, ValueError, OSError, yaml.YAMLError) as error:
            raise ApiError(
                f"the kubeconfig cannot be used: it needs a context with a server and a token ({error})"
            ) from error
        self._server = cluster["server"].rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        if authority := cluster.get("certificate-authority-data"):
            self._authority = tempfile.NamedTemporaryFile(suffix=".pem")  # noqa: SIM115 - as long as the session
            self._authority.write(base64.b64decode(authority))
            self._authority.flush()
            self._session.verify = self._authority.name
        self._resources: dict[str, dict[str, Any]] = {}

    def get(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the object that a body names, or None."""
        return self._ask("GET", self._path(body))

    def apply(self, body: Mapping[str, Any], *, dry: bool) -> dict[str, Any] | None:
        """Apply an object and return it. In a dry run, return None if its namespace does not exist."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        try:
            return self._ask("PATCH", self._path(body), query, json.dumps(body))
        except _NotFoundError as error:
            if dry:
                return None
            raise ApiError(str(error)) from error

    def delete(self, body: Mapping[str, Any]) -> None:
        """Delete the object that a body names. One that does not exist is deleted."""
        self._ask("DELETE", self._path(body))

    def waits_for_pod(self, claim: Mapping[str, Any]) -> bool:
        """Whether the storage class of a claim makes no disk before a pod needs it."""
        name = claim["spec"].get("storageClassName")
        if not name:
            return False
        wanted = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
        found = self.get(wanted)
        return (found or {}).get("volumeBindingMode") == "WaitForFirstConsumer"

    def _path(self, body: Mapping[str, Any]) -> str:
        api, kind = body["apiVersion"], body["kind"]
        base = f"/apis/{api}" if "/" in api else f"/api/{api}"
        if base not in self._resources:
            found = self._ask("GET", base) or {}
            self._resources[base] = {
                each["kind"]: each for each in found.get("resources", []) if "/" not in each["name"]
            }
        resource = self._resources[base].get(kind)
        if resource is None:
            raise ApiError(f'no matches for kind "{kind}" in version "{api}"')
        namespace = f"/namespaces/{body['metadata'].get('namespace') or 'default'}" if resource["namespaced"] else ""
        return f"{base}{namespace}/{resource['name']}/{body['metadata']['name']}"

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: str | None = None
    ) -> dict[str, Any] | None:
        headers = {"Content-Type": "application/apply-patch+yaml"} if body else {}
        try:
            answer = self._session.request(
                method, f"{self._server}{path}", params=query, data=body, headers=headers, timeout=_SECONDS
            )
        except requests.RequestException as error:
            raise ApiError(f"the cluster at {self._server} cannot be reached: {error}") from error
        if answer.status_code == 404 and method != "PATCH":
            return None
        found: dict[str, Any] = answer.json()
        if answer.status_code == 404:
            raise _NotFoundError(found.get("message", "not found"))
        if answer.status_code >= 400:
            raise ApiError(f"the server rejected {method} {path}: {found.get('message', answer.text)}")
        found.get("metadata", {}).pop("managedFields", None)
        return found


class KubernetesSession(plugin.Session):
    """One provider instance's connection, which its configuration names."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._cluster: ApiServer | None = None

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the provider's inputs."""
        with self._lock:
            self._settings = {key: value for key, value in settings.items() if value is not UNKNOWN}
            self._cluster = None

    @property
    def cluster(self) -> ApiServer:
        """The API server. Raises ApiError if the configuration names none."""
        with self._lock:
            if self._cluster is None:
                if "kubeconfig" not in self._settings:
                    raise ApiError("set kubeconfig on the kubernetes provider: amlite's provider reads no default one")
                self._cluster = ApiServer(str(self._settings["kubeconfig"]), self._settings.get("context"))
            return self._cluster


class _NotFoundError(Exception):
    """The API server's 404."""


def _named(config: Mapping[str, Any], group: str, key: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each[key] for each in config[group] if each["name"] == name)
    return found
