"""The estimate, as a part of the documents that the release writes."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field


class CostLine(BaseModel):
    """The monthly cost of one resource."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resource: str = Field(description="Name of the resource or asset.")
    detail: str = Field(default="", description="What the estimate counts, such as `Standard_DS3_v2, 2 instances`.")
    before: float | None = Field(description="Cost now. Null if the resource is new, or if no price is known.")
    after: float | None = Field(
        description="Cost after the update. Null if the resource is deleted, or if no price is known."
    )
    unknown_before: list[str] = Field(
        default_factory=list, description="Meters without a known price. `before` does not have them."
    )
    unknown_after: list[str] = Field(
        default_factory=list, description="Meters without a known price. `after` does not have them."
    )


class Cost(BaseModel):
    """An estimate of the monthly cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field(description="Currency code, such as `USD`.")
    before: float = Field(description="Cost of the stack now.")
    after: float = Field(description="Cost of the stack after the update.")
    difference: float = Field(description="`after` minus `before`.")
    assumptions: list[str] = Field(default_factory=list, description="Assumptions of the estimate.")
    lines: list[CostLine] = Field(default_factory=list, description="Cost of each resource.")
    unknown: list[str] = Field(
        default_factory=list, description="Meters without a known price. The sums do not have them."
    )


def amount(value: float | None, unknown: Sequence[str]) -> str:
    """Return an amount as text, or "" if there is none. A part without a known price is `unknown`, and not 0."""
    if value is None:
        return "unknown" if unknown else ""
    return f"{value:.2f}{' + unknown' if unknown else ''}"
