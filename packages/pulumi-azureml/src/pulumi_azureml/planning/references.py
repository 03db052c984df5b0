"""References as `az ml` writes them: `azureml:NAME`, `azureml:NAME@latest`, `azureml:NAME:VERSION`, files, ARM ids."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

_NAMED = re.compile(r"azureml:(?P<name>[^:@/]+)(?::(?P<version>[^:@/]+)|@(?P<label>[^:@/]+))?", re.IGNORECASE)
_IN_REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/(?P<kinds>components|data|deploymenttemplates|environments|models)/(?P<name>[^/]+)"
    r"/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class InRegistry:
    """An asset of a registry, with a version or a label."""

    registry: str
    kind: str
    name: str
    version: str
    label: str


@dataclass(frozen=True)
class Reference:
    """One parsed reference.

    Exactly one of `name` (an asset of the workspace, maybe one of this tree), `file` (a path relative to the root)
    and `elsewhere` (a registry or an ARM id, used unchanged) is set.
    """

    text: str
    name: str = ""
    version: str = ""
    label: str = ""
    file: str = ""
    elsewhere: bool = False

    @property
    def is_floating(self) -> bool:
        """Whether it has no version, so that the catalogue must find one."""
        return bool(self.name) and not self.version


def is_curated(environment: str) -> bool:
    """Whether an environment is one of Azure's own, which every workspace has and the service itself resolves."""
    return environment.lower().startswith("azureml-")


def is_asset(text: str) -> bool:
    """Whether a text refers to a named asset and not to a file, a URL or a datastore path."""
    return _NAMED.fullmatch(text) is not None


def parse(text: str, *, folder: str) -> Reference | None:
    """Parse a reference. File paths are relative to `folder`. Return None if the text is not a reference."""
    match = _NAMED.fullmatch(text)
    if match:
        return Reference(text, match["name"], match["version"] or "", match["label"] or "")
    if text.lower().startswith(("azureml:/", "/subscriptions/")):
        return Reference(text, elsewhere=True)
    if text.lower().startswith("azureml:") or not text.strip():
        return None
    return Reference(text, file=join(folder, text.removeprefix("file:")))


def in_registry(text: str) -> InRegistry | None:
    """Return the asset of a registry that a text refers to, or None if it refers to something else."""
    match = _IN_REGISTRY.fullmatch(text)
    if match is None:
        return None
    kind = match["kinds"].lower().removesuffix("s")
    kind = "deployment_template" if kind == "deploymenttemplate" else kind
    return InRegistry(match["registry"], kind, match["name"], match["version"] or "", match["label"] or "")


def names_asset(text: str) -> bool:
    """Whether a text refers to a named asset of the workspace or of a registry."""
    return is_asset(text) or in_registry(text) is not None


def registry_version(text: str) -> InRegistry | None:
    """Return the version of a registry's model that a text refers to, or None if it refers to something else."""
    found = in_registry(text)
    return found if found is not None and found.kind == "model" and found.version else None


def join(folder: str, path: str) -> str:
    """Return a path from a file in `folder`, relative to the root. It starts with `../` or `/` if it is outside."""
    return posixpath.normpath(posixpath.join(folder, path.replace("\\", "/")))


def is_inside(path: str) -> bool:
    """Whether a path from `join` lies under the root."""
    return not (path == ".." or path.startswith(("../", "/")) or re.match(r"[A-Za-z]:/", path))
