"""What a run takes from a cluster: the folders of claims, the values of secrets, and the identity of its pods."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline_runner.document import SecretVariable
from pipeline_runner.errors import RunnerError

IDENTITY_LABEL = "azure.workload.identity/use"
"""Pods with this label and the value `true` get the identity of their service account."""


@dataclass(frozen=True)
class Identity:
    """Variables and files that sign a step in to Azure."""

    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)


class Cluster(Protocol):
    """A cluster. Each method raises RunnerError for what does not exist."""

    def claim(self, name: str) -> Path:
        """Return the folder of a persistent volume claim on this machine."""

    def secret(self, variable: SecretVariable) -> str:
        """Return a value of a secret."""

    def identity(self, folder: Path) -> Identity:
        """Return the identity of the pods. `folder` is for files, and belongs to the run."""


@dataclass(frozen=True)
class LocalCluster:
    """A cluster of given values: claims by their folders, secrets by their keys, and one identity."""

    claims: Mapping[str, Path] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pods: Identity = field(default_factory=Identity)

    def claim(self, name: str) -> Path:
        """See `Cluster`."""
        if name not in self.claims:
            raise RunnerError(_missing("persistent volume claim", name, self.claims))
        folder = self.claims[name]
        if not folder.is_dir():
            raise RunnerError(f"the persistent volume claim '{name}' has the folder {folder}, which does not exist")
        return folder

    def secret(self, variable: SecretVariable) -> str:
        """See `Cluster`."""
        if variable.secret not in self.secrets:
            raise RunnerError(_missing("secret", variable.secret, self.secrets))
        content = self.secrets[variable.secret]
        if variable.key not in content:
            raise RunnerError(_missing(f"key in the secret '{variable.secret}'", variable.key, content))
        return content[variable.key]

    def identity(self, folder: Path) -> Identity:
        """See `Cluster`."""
        return self.pods


def _missing(kind: str, name: str, known: Collection[str]) -> str:
    there = f"there are: {', '.join(sorted(known))}" if known else "there is none"
    return f"there is no {kind} '{name}'; {there}"
