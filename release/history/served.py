"""The models that a stack's endpoints served, from the updates that Pulumi recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from infra import NAMESPACE
from infra.outputs import ModelOutput
from release.configuration import promoted
from release.history.reason import Reason

if TYPE_CHECKING:
    from pulumi.automation import ConfigValue, UpdateSummary

_MODELS = f"{NAMESPACE}:models"


class Served(BaseModel):
    """A model version of an endpoint, and the update that rolled it out or tried to."""

    endpoint: str = Field(description="Name of the endpoint in the YAML.")
    model: str = Field(description="Name of the model.")
    version: str = Field(description="Version of the model.")
    registry: str | None = Field(default=None, description="Registry of the version. Null if it is in the workspace.")
    result: Literal["serving", "served", "failed"] = Field(
        description="`serving`: it serves now. `served`: another version replaced it. `failed`: the update failed, and "
        "the endpoint still serves the previous version."
    )
    since: datetime = Field(description="End of the update.")
    until: datetime | None = Field(default=None, description="When another version replaced it.")
    commit: str | None = Field(default=None, description="Commit of the files that were deployed.")
    job: str | None = Field(default=None, description="Training job of the model.")
    deployed_by: str | None = Field(default=None, description="Who ran the update.")
    approved_by: str | None = Field(default=None, description="Who approved it.")
    title: str = Field(description="First line of the update's message.")

    @property
    def reference(self) -> ModelOutput:
        """The model version."""
        return ModelOutput(name=self.model, version=self.version, registry=self.registry)


class History(BaseModel):
    """The output of `release history --output json`."""

    history_version: Literal[1] = Field(
        default=1, description="Version of this format. A breaking change increments it."
    )
    stack: str = Field(description="Name of the stack.")
    entries: list[Served] = Field(description="The oldest first.")


def served(updates: Iterable[UpdateSummary]) -> list[Served]:
    """Return what the endpoints served, the oldest first.

    Args:
        updates: The updates of a stack, the newest first, as Pulumi returns them.
    """
    entries: list[Served] = []
    now: dict[str, Served] = {}
    for update in reversed(list(updates)):
        at = update.end_time or update.start_time
        if update.kind == "destroy" and update.result == "succeeded":
            wanted: dict[str, ModelOutput] = {}
        elif update.kind == "update":
            wanted = dict(_models(update.config))
        else:
            continue
        changed = {name: model for name, model in wanted.items() if name not in now or now[name].reference != model}
        if update.result != "succeeded":
            entries += [_entry(update, name, model, "failed", at) for name, model in changed.items()]
            continue
        for name in (changed.keys() | now.keys() - wanted.keys()) & now.keys():
            ended = now.pop(name)
            ended.result, ended.until = "served", at.replace(tzinfo=UTC)
        for name, model in changed.items():
            now[name] = _entry(update, name, model, "serving", at)
            entries.append(now[name])
    return entries


def _entry(
    update: UpdateSummary, endpoint: str, model: ModelOutput, result: Literal["serving", "failed"], at: datetime
) -> Served:
    reason = Reason.read(update.message or "")
    environment = update.environment or {}
    return Served(
        endpoint=endpoint,
        model=model.name,
        version=model.version,
        registry=model.registry,
        result=result,
        since=at.replace(tzinfo=UTC),
        commit=environment.get("git.head") or reason.commit,
        job=reason.job,
        deployed_by=reason.deployed_by or environment.get("git.author"),
        approved_by=reason.approved_by,
        title=reason.title,
    )


def _models(config: Mapping[str, ConfigValue]) -> Iterator[tuple[str, ModelOutput]]:
    """Yield the promoted models in a stack's configuration, by endpoint."""
    written = json.loads(config[_MODELS].value) if _MODELS in config else {}
    for name, each in written.items():
        model = promoted(each)
        if model is not None:
            yield name, model
