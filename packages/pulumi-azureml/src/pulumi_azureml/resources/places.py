"""Workspaces and registries that hold resources, and their owners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pulumi

from pulumi_azureml.planning.config_keys import ConfigKeys


@dataclass(frozen=True, kw_only=True)
class WorkspaceArgs:
    """The workspace that a resource lives in, and the stack that owns it.

    Attributes:
        subscription_id: of the workspace.
        resource_group: its name.
        name: the workspace's name.
        owner: written on what is made as a tag; `project/stack` by default.
        adopt: take over what exists under the same name and was not made by the stack.
        location: its region, in which quota is looked at before a deployment is made; None looks at none.
        retain: how many versions of an asset stay usable; older ones of this stack are archived. 0 archives none.
        config_keys: from where the program takes its options, for messages.
    """

    subscription_id: pulumi.Input[str]
    resource_group: pulumi.Input[str]
    name: pulumi.Input[str]
    owner: str = ""
    adopt: bool = False
    location: str | None = None
    retain: int = 0
    config_keys: ConfigKeys = field(default_factory=ConfigKeys)

    def place(self) -> dict[str, Any]:
        """Return the inputs that say where."""
        names = {"subscription_id": self.subscription_id, "resource_group": self.resource_group, "name": self.name}
        return {"workspace": names}


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """The registry that a shared asset lives in; the other attributes as in `WorkspaceArgs`.

    Its name is a plain value: it is part of the reference by which other assets name this one.
    """

    name: str
    owner: str = ""
    adopt: bool = False
    retain: int = 0
    config_keys: ConfigKeys = field(default_factory=ConfigKeys)

    def place(self) -> dict[str, Any]:
        """Return the inputs that say where."""
        return {"registry": self.name}


def inputs_of(place: WorkspaceArgs | RegistryArgs) -> dict[str, Any]:
    """Return the inputs of every resource that lives there."""
    return {
        **place.place(),
        "owner": place.owner or f"{pulumi.get_project()}/{pulumi.get_stack()}",
        "adopt": place.adopt,
        "location": place.location if isinstance(place, WorkspaceArgs) else None,
        "retain": place.retain,
    }
