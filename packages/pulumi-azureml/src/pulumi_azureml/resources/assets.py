"""From the plan to resources: one resource an asset, in the order the catalogue found."""

from __future__ import annotations

import dataclasses
from typing import Any

import pulumi

from pulumi_azureml.kinds import MANAGED
from pulumi_azureml.resources.stack import Stack


class Assets(pulumi.ComponentResource):
    """Every asset of the plan. Output: `resources`, by kind and name."""

    resources: dict[str, dict[str, Any]]

    def __init__(self, name: str, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Assets", name, None, opts)
        stack = dataclasses.replace(stack, parent=self)
        self.resources = {}
        for asset in stack.plan.assets:
            if asset.waiting_for is not None:
                pulumi.info(
                    f"{asset.path} waits for {asset.waiting_for}: `release train`, or `azureml-platform:models`"
                )
            kind = MANAGED.get(asset.kind)
            if asset.registry is not None and not stack.publish:
                continue  # another stack does
            if kind is not None:  # a deployment is its endpoint's; a pipeline is the schedules' and the release's
                made = kind.declare(asset, stack)
                if made is not None:
                    stack.made[asset.id] = made
                    self.resources.setdefault(asset.kind, {})[asset.name] = made
        for asset in stack.plan.of("pipeline"):
            if asset.name in stack.runs:
                job = MANAGED["pipeline_job"].declare(asset, stack)
                self.resources.setdefault("pipeline_job", {})[asset.name] = job
        self.register_outputs({})
