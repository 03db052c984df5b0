"""The folders of set-up: the checkout, its virtual environment, and the caches outside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import SetupError

PULUMI_VERSION = "3.259.0"
"""The version of the Pulumi CLI, of the SDK in pyproject.toml, and of the modules in pulumi-cli/go.mod."""

OWN_FOLDERS = "Set XDG_CACHE_HOME and PULUMI_HOME to folders that you make, or make these your own."


@dataclass(frozen=True)
class Layout:
    """The folders that set-up reads and writes.

    Attributes:
        repository: The checkout.
        cache: The cache that all checkouts of this user share. You can delete it.
        pulumi_home: The folder in which the official installer, the Automation API and this set-up install Pulumi CLIs.
    """

    repository: Path
    cache: Path
    pulumi_home: Path

    @classmethod
    def of(cls, repository: Path, environment: Mapping[str, str] = os.environ) -> Layout:
        """Return the layout for a checkout.

        Args:
            repository: The checkout's root.
            environment: Environment variables: HOME, XDG_CACHE_HOME and PULUMI_HOME are read.
        """
        # Absolute, because programs run in other folders.
        home = Path(environment.get("HOME") or Path.home()).absolute()
        cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache").absolute()
        return cls(
            repository=repository,
            cache=cache / "azureml-platform",
            pulumi_home=Path(environment.get("PULUMI_HOME") or home / ".pulumi").absolute(),
        )

    def check(self) -> None:
        """Raise SetupError for a cache of another user, whose programs would run as this one. Root is trusted."""
        for folder in (self.cache, self.pulumi_home):
            if folder.exists() and folder.stat().st_uid not in (0, os.geteuid()):
                raise SetupError(f"{folder} belongs to another user", fix=OWN_FOLDERS)

    @property
    def venv(self) -> Path:
        """The checkout's virtual environment."""
        return self.repository / ".venv"

    @property
    def bin(self) -> Path:
        """The folder with a link to every tool. Only this folder must be on PATH."""
        return self.venv / "bin"

    @property
    def recipes(self) -> Path:
        """The pinned inputs that ship with the repository: lock files and Go modules."""
        return self.repository / "bootstrap"

    @property
    def logs(self) -> Path:
        """The folder with one log file per phase."""
        return self.cache / "logs"

    @property
    def toolchain(self) -> Path:
        """The file with the results of set-up, for the next run."""
        return self.venv / "toolchain.json"
