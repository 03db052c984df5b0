"""Where set-up reads and writes: the checkout, its virtual environment, and the caches outside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PULUMI_VERSION = "3.259.0"
"""The Pulumi CLI's version; the same as the SDK's in pyproject.toml and of the modules in pulumi-cli/go.mod."""


@dataclass(frozen=True)
class Layout:
    """Every folder that set-up touches.

    Attributes:
        repository: The checkout.
        cache: What all checkouts of this user share; safe to delete.
        pulumi_home: Where the official installer, the Automation API and this set-up put Pulumi CLIs.
    """

    repository: Path
    cache: Path
    pulumi_home: Path

    @classmethod
    def of(cls, repository: Path, environment: Mapping[str, str] = os.environ) -> Layout:
        """The layout for a checkout.

        Args:
            repository: The checkout's root.
            environment: Read for HOME, XDG_CACHE_HOME and PULUMI_HOME.
        """
        home = Path(environment.get("HOME") or Path.home())
        cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
        return cls(
            repository=repository,
            cache=cache / "azureml-platform",
            pulumi_home=Path(environment.get("PULUMI_HOME") or home / ".pulumi"),
        )

    @property
    def venv(self) -> Path:
        """The checkout's virtual environment."""
        return self.repository / ".venv"

    @property
    def bin(self) -> Path:
        """Holds a link to every tool; the one folder that has to be on PATH."""
        return self.venv / "bin"

    @property
    def recipes(self) -> Path:
        """The pinned inputs that ship with the repository: lock files and Go modules."""
        return self.repository / "bootstrap"

    @property
    def logs(self) -> Path:
        """One log file a phase."""
        return self.cache / "logs"

    @property
    def toolchain(self) -> Path:
        """What set-up found, for the next run."""
        return self.venv / "toolchain.json"
