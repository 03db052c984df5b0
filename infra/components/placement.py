"""The resource group, region, names, tags and protection that all components share."""

from dataclasses import dataclass

import pulumi

from infra.naming import Names


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Arguments that all components share.

    Attributes:
        resource_group: Name of the resource group. An output of the group, so that its resources depend on it.
        location: Azure region, as a short name.
        names: Names of the stack's resources.
        tags: Tags of all resources that can have tags.
        before_create: Called before a resource is created whose name must be free in Azure.
        protect: Whether resources that hold data are protected from deletion and replacement.
    """

    resource_group: pulumi.Input[str]
    location: str
    names: Names
    tags: dict[str, str]
    before_create: pulumi.ResourceHook
    protect: bool

    def hooks(
        self, more: pulumi.ResourceHookBinding | None = None, before_update: pulumi.ResourceHook | None = None
    ) -> pulumi.ResourceHookBinding:
        """Return the hooks of a resource whose name must be free in Azure. `more` contains its hooks for errors."""
        return pulumi.ResourceHookBinding(
            before_create=[self.before_create],
            before_update=[before_update] if before_update is not None else None,
            on_error=more.on_error if more is not None else None,
        )
