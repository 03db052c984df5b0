"""The resource group that contains the platform."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import resources


@dataclass(frozen=True, kw_only=True)
class ResourceGroupArgs:
    """Inputs of `ResourceGroup`. `protect` applies, because the deletion of a group deletes everything in it."""

    name: str
    location: str
    tags: dict[str, str]
    before_create: pulumi.ResourceHook
    protect: bool


class ResourceGroup(pulumi.ComponentResource):
    """A resource group.

    Outputs: `name`, `id`.
    """

    name: pulumi.Output[str]
    id: pulumi.Output[str]

    def __init__(self, name: str, args: ResourceGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:ResourceGroup", name, None, opts)
        group = resources.ResourceGroup(
            name,
            resource_group_name=args.name,
            location=args.location,
            tags=args.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                hooks=pulumi.ResourceHookBinding(before_create=[args.before_create]),
            ),
        )
        self.name = group.name
        self.id = group.id
        self.register_outputs({"name": self.name, "id": self.id})
