"""What the estimate assumes about the use of a stack, which no plan says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from release.errors import ReleaseError

HOURS = 730.0
"""The hours of a month, as Azure's own calculator counts them."""

_FILE = Path(__file__).parent / "assumptions.yml"


class Assumptions(BaseModel):
    """The use of a stack in a month."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    active_hours: float = Field(ge=0, le=HOURS, description="Hours that each node above a cluster's minimum works.")
    instance_hours: float = Field(
        ge=0, le=HOURS, description="Hours that a compute instance runs, if it stops by a schedule or when it is idle."
    )
    jobs: float = Field(ge=0, description="Jobs on a cluster. After each, its nodes wait for the idle time.")
    rollouts: float = Field(ge=0, description="Rollouts of an endpoint. Each runs a second deployment.")
    rollout_minutes: float = Field(ge=0, description="Minutes of a rollout besides the time that each step bakes.")
    storage_gb: float = Field(ge=0, description="GB in a storage account.")
    log_gb: float = Field(ge=0, description="GB that are ingested into a Log Analytics workspace.")
    vault_operations: float = Field(ge=0, description="Operations on a key vault.")
    own_private_endpoints: float = Field(
        ge=0, description="Private endpoints that Azure adds to a managed network for the workspace's own resources."
    )

    def sentences(self) -> Iterator[str]:
        """Yield the assumptions in words."""
        yield (
            f"A month has {HOURS:g} hours. Each node above a cluster's minimum works {self.active_hours:g} of them, in "
            f"{self.jobs:g} jobs, and waits for the idle time after each."
        )
        yield (f"A compute instance that stops by itself runs {self.instance_hours:g} hours, and any other {HOURS:g}.")
        yield (
            f"An endpoint has {self.rollouts:g} rollouts. Each runs a second deployment for {self.rollout_minutes:g} "
            "minutes and the time that its steps bake."
        )
        yield (
            f"A storage account holds {self.storage_gb:g} GB, a Log Analytics workspace ingests {self.log_gb:g} GB, "
            f"and a key vault answers {self.vault_operations:g} operations."
        )
        yield (
            f"A managed network has {self.own_private_endpoints:g} private endpoints for the workspace's own "
            "resources, those of its rules, and a firewall if a rule names a host."
        )


def read(given: Mapping[str, str] | None = None, file: Path = _FILE) -> Assumptions:
    """Return the assumptions of the file, with those that are given in their place.

    Raises:
        ReleaseError: A value is wrong, or a name is not an assumption.
    """
    values: Any = yaml.safe_load(file.read_text("utf-8"))
    try:
        return Assumptions.model_validate({**values, **(given or {})})
    except (ValidationError, TypeError) as error:
        problems = error.errors(include_url=False) if isinstance(error, ValidationError) else []
        lines = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems] or [f"  {error}"]
        raise ReleaseError(
            "\n".join(["the assumptions of the cost estimate are wrong", *lines]),
            fix=f"edit release/cost/{file.name} or --assume. It has: {', '.join(Assumptions.model_fields)}",
        ) from error
