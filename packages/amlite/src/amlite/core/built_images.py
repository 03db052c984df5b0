"""Images that this user built before, on any engine.

A push leaves the layers of an image in the user's cache. A record says which build had which manifest. Another engine,
or the registry of another state folder, then gets the image without a build.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from amlite.core.runtime import cache_folder

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_SECONDS = 60.0


@dataclass(frozen=True)
class BuiltImage:
    """A pushed image: its manifest, and the base image for which a substitute was used, or None."""

    manifest: str
    substituted: str | None

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return f"sha256:{hashlib.sha256(self.manifest.encode()).hexdigest()}"

    @property
    def id(self) -> str:
        """The image's id on an engine: the digest of its configuration."""
        return str(json.loads(self.manifest)["config"]["digest"])

    @property
    def blobs(self) -> Sequence[str]:
        """The digests of the configuration and of the layers."""
        return [self.id, *(layer["digest"] for layer in json.loads(self.manifest)["layers"])]


def find(build: str) -> BuiltImage | None:
    """Return the image of a build, or None. A damaged record counts as none."""
    try:
        return BuiltImage(**json.loads(_record(build).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remember(build: str, image: BuiltImage) -> None:
    """Write the record of a build."""
    record = _record(build)
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = record.with_name(f"{build}.{uuid.uuid4().hex}")
    temporary.write_text(json.dumps(asdict(image)), "utf-8")
    temporary.replace(record)


def _record(build: str) -> Path:
    return cache_folder() / "image-builds" / f"{build}.json"


class Repository:
    """A repository of amlite's registry at its loopback address, such as `127.0.0.1:5000/name/train`."""

    def __init__(self, repository: str, credentials: tuple[str, str]) -> None:
        """Sign in when the first request needs it."""
        self.name = repository
        self.credentials = credentials
        self._address, _, self._path = repository.partition("/")
        self._session = requests.Session()
        self._session.trust_env = False  # loopback has no proxy

    def publish(self, image: BuiltImage, tag: str) -> bool:
        """Give the repository an image whose layers are in the user's cache. Return whether the registry took it."""
        try:
            self._sign_in()
            if not all(self._request("HEAD", f"blobs/{digest}").ok for digest in image.blobs):
                return False
            return self._request("PUT", f"manifests/{tag}", image.manifest).ok
        except requests.RequestException:
            return False

    def manifest(self, digest: str) -> str | None:
        """Return the manifest of a pushed image, or None if it has another format than Docker's."""
        try:
            self._sign_in()
            answer = self._request("GET", f"manifests/{digest}")
        except requests.RequestException:
            return None
        return answer.text if answer.ok and answer.headers.get("Content-Type") == _MANIFEST else None

    def _sign_in(self) -> None:
        scope = {"service": self._address, "scope": f"repository:{self._path}:pull,push"}
        url = f"http://{self._address}/oauth2/token"
        answer = self._session.get(url, params=scope, auth=self.credentials, timeout=_SECONDS)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def _request(self, method: str, path: str, body: str | None = None) -> requests.Response:
        url = f"http://{self._address}/v2/{self._path}/{path}"
        headers = {"Accept": _MANIFEST, "Content-Type": _MANIFEST}
        return self._session.request(method, url, data=body, headers=headers, timeout=_SECONDS)
