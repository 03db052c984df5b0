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
        subscription_id: the subscription of the workspace.
        resource_group: the name of its resource group.
        name: the name of the workspace.
        owner: the owner in the tags of each asset. The default is `project/stack`.
        adopt: whether to take over existing assets with the same names that this stack did not create.
        location: the region in which quota is checked before a deployment is created. None skips the check.
        retain: the number of versions of an asset to keep. Older versions of this stack are archived. 0 keeps all.
        config_keys: the configuration keys that messages name.
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
    """The registry that contains a shared asset. The other attributes are the same as in `WorkspaceArgs`.

    The name cannot be an output, because it is part of the references to the asset.
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
    """Return the inputs that every resource there has in common."""
    return {
        **place.place(),
        "owner": place.owner or f"{pulumi.get_project()}/{pulumi.get_stack()}",
        "adopt": place.adopt,
        "location": place.location if isinstance(place, WorkspaceArgs) else None,
        "retain": place.retain,
    }
