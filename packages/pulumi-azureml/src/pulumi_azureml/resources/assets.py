"""Create a resource for each planned asset, in the order of the plan."""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_azureml.resources.declarations import AssetsArgs, Declarations
from pulumi_azureml.resources.kinds import RESOURCES


class Assets(pulumi.ComponentResource):
    """A component resource with all assets of a plan. Output: `resources`, by kind and name."""

    resources: dict[str, dict[str, Any]]

    def __init__(
        self,
        resource_name: str,
        args: AssetsArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        type_name: str = "azureml:index:Assets",
    ) -> None:
        """Create the resources.

        Args:
            resource_name: the name of the component resource.
            args: the plan and the settings for all assets.
            opts: options of the component resource.
            type_name: the type of the component resource in states.
        """
        super().__init__(type_name, resource_name, None, opts)
        declarations = Declarations(args, self)
        self.resources = {}
        for left_out in args.plan.excluded:
            if left_out.id.kind in RESOURCES and "/" not in left_out.id.name:  # an endpoint includes its deployments
                pulumi.info(f"{left_out.path} is left out of this stack: {left_out.option} is true")
        for left in args.plan.left:
            pulumi.info(f"{left.path} is left to `az ml`: it is {left.what}, and {left.why}")
        for asset in args.plan.assets:
            if asset.waiting_for is not None:
                hint = f": {args.waiting_hint}" if args.waiting_hint else ""
                pulumi.info(f"{asset.path} waits for {asset.waiting_for}{hint}")
            if asset.registry is not None and not args.publish:
                continue  # another stack registers it
            resource = RESOURCES.get(asset.kind)
            made = resource.declare(asset, declarations) if resource is not None else None
            if resource is None or made is None:
                continue
            if resource.is_needed:
                declarations.made[asset.id] = made
            self.resources.setdefault(asset.kind, {})[asset.name] = made
        self.register_outputs({})
