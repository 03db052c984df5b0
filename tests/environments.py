"""Environments on the local Azure, as a user brings them up with make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.checkout import Checkout

_FOLDER = ".amlite/environments"


@dataclass(frozen=True)
class Environments:
    """Some of the environments of a clone. Images are not built: that is the concern of other tests."""

    clone: Checkout
    stacks: tuple[str, ...]

    def up(self) -> None:
        """Bring all of them up."""
        self.clone.run(f"AMLITE_DOCKER=off make environments ENVIRONMENTS='{' '.join(self.stacks)}'")

    def down(self) -> None:
        """Destroy all of them. Nothing may be left in their states."""
        self.clone.run(f"AMLITE_DOCKER=off make environments-down ENVIRONMENTS='{' '.join(self.stacks)}'")
        for stack in self.stacks:
            exported = json.loads(self.pulumi(f"stack export -s {stack}"))
            assert exported["deployment"].get("resources", []) == []

    def pulumi(self, command: str, expect: int = 0) -> str:
        """Run a command of Pulumi in the project of the environments."""
        return self.clone.run(f".venv/bin/amlite run -- pulumi --cwd {_FOLDER} --non-interactive {command}", expect)

    def endpoints(self) -> dict[str, str]:
        """Return the name in Azure of each environment's endpoint."""
        return {stack: self._outputs(stack)["endpoints"]["flight-delay"]["name"] for stack in self.stacks}

    def tracked(self) -> dict[str, str]:
        """Return Pulumi's files in the repository."""
        return {path.name: path.read_text("utf-8") for path in self.clone.root.glob("Pulumi*.yaml")}

    def _outputs(self, stack: str) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.pulumi(f"stack output --json -s {stack}"))
        return result
