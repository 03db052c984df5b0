"""A real cluster, reached by the Kubernetes API: what a run takes from it."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from pipeline_runner.cluster import Identity
from pipeline_runner.containers import lines
from pipeline_runner.document import SecretVariable
from pipeline_runner.errors import RunnerError
from pipeline_runner.step import Say

_SECONDS = 30
_AUDIENCE = "api://AzureADTokenExchange"
_CLIENT_ID = "azure.workload.identity/client-id"
# Where the webhook of Microsoft Entra Workload ID mounts the token, and the lifetime of its tokens.
_TOKEN = "/var/run/secrets/azure/tokens/azure-identity-token"  # noqa: S105 - a path
_LIFETIME = 3600
_AUTHORITY = "https://login.microsoftonline.com/"


@dataclass
class KubernetesCluster:
    """The claims, secrets and service account of a namespace.

    The steps run on this machine, so a claim has to have a folder here. One whose volume is a disk in Azure gets a
    folder below `stand_ins`. `fallback` is the identity if the API server does not issue tokens of service accounts.
    `folders` has the claims that were asked for, by their folders.
    """

    kubeconfig: str
    namespace: str
    service_account: str
    tenant_id: str
    stand_ins: Path
    fallback: Callable[[], Identity]
    say: Say
    folders: dict[Path, str] = field(default_factory=dict)
    _session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        """Read the kubeconfig."""
        content = yaml.safe_load(self.kubeconfig)
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        if not user.get("token"):
            raise RunnerError("the kubeconfig has no token; this runner does not run sign-in plugins")
        self._server = str(cluster["server"]).rstrip("/")
        self._session.headers["Authorization"] = f"Bearer {user['token']}"
        self._authority = cluster.get("certificate-authority-data")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def claim(self, name: str) -> Path:
        """See `Cluster`."""
        claim = self._get("persistentvolumeclaims", name, "persistent volume claim")
        volume = claim["spec"].get("volumeName")
        if not volume:
            raise RunnerError(f"the persistent volume claim '{name}' has no volume: it is {claim['status']['phase']}")
        found = self.ask("GET", f"/api/v1/persistentvolumes/{volume}")
        path = found["spec"].get("hostPath", {}).get("path") if found else None
        if path is None:
            folder = self.stand_ins / name
            folder.mkdir(parents=True, exist_ok=True)
            self.say(f"the disk of the claim {name} is in Azure; here, {folder} takes its place")
            return folder
        self.folders[Path(path)] = name
        return Path(path)

    def secret(self, variable: SecretVariable) -> str:
        """See `Cluster`."""
        data = self._get("secrets", variable.secret, "secret").get("data") or {}
        if variable.key not in data:
            raise RunnerError(f"the secret '{variable.secret}' has no key '{variable.key}'")
        return base64.b64decode(data[variable.key]).decode()

    def identity(self, folder: Path) -> Identity:
        """Return what the webhook of Microsoft Entra Workload ID gives a pod of the service account."""
        account = self._get("serviceaccounts", self.service_account, "service account")
        client_id = account["metadata"].get("annotations", {}).get(_CLIENT_ID)
        if not client_id:
            raise RunnerError(f"the service account '{self.service_account}' has no annotation {_CLIENT_ID}")
        path = f"{self._path('serviceaccounts', self.service_account)}/token"
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [_AUDIENCE], "expirationSeconds": _LIFETIME},
        }
        answer = self.ask("POST", path, asked)
        if answer is None:
            self.say("the cluster issues no tokens of service accounts; the steps sign in as this machine does")
            return self.fallback()
        file = folder / "identity-token"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(answer["status"]["token"])
        variables = {
            "AZURE_CLIENT_ID": client_id,
            "AZURE_TENANT_ID": self.tenant_id,
            "AZURE_AUTHORITY_HOST": _AUTHORITY,
            "AZURE_FEDERATED_TOKEN_FILE": _TOKEN,
        }
        return Identity(variables, {_TOKEN: file})

    def _path(self, kind: str, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{kind}/{name}"

    def _get(self, kind: str, name: str, what: str) -> dict[str, Any]:
        found = self.ask("GET", self._path(kind, name))
        if found is None:
            raise RunnerError(f"the cluster has no {what} '{name}' in the namespace '{self.namespace}'")
        return found

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the answer of the API server, or None for what does not exist. Raises RunnerError for a refusal."""
        with self._sent(method, path, body) as answer:
            if answer.status_code in (404, 405):
                return None
            found: dict[str, Any] = answer.json()
            return found

    def lines(self, path: str) -> Iterator[str]:
        """Yield the lines of a log as they are written."""
        with self._sent("GET", path, stream=True) as answer:
            yield from lines(answer.iter_content(chunk_size=None))

    @contextmanager
    def _sent(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, stream: bool = False
    ) -> Iterator[requests.Response]:
        url = f"{self._server}{path}"
        with tempfile.NamedTemporaryFile(suffix=".pem") as authority:
            if self._authority:
                authority.write(base64.b64decode(self._authority))
                authority.flush()
            verify = authority.name if self._authority else True
            # A log has no end as long as its container runs.
            seconds = (_SECONDS, None) if stream else (_SECONDS, _SECONDS)
            try:
                answer = self._session.request(method, url, json=body, timeout=seconds, verify=verify, stream=stream)
            except requests.RequestException as error:
                raise RunnerError(f"the cluster does not answer at {self._server}: {error}") from error
        with answer:
            if not answer.ok and answer.status_code not in (404, 405):
                text = answer.text[:300]
                raise RunnerError(f"the cluster refuses {method} {path} with {answer.status_code}: {text}")
            yield answer
