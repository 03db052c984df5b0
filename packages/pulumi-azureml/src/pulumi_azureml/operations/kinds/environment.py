"""Environments: a version for each content, archived and never deleted."""

from __future__ import annotations

from pulumi_azureml.operations.kind import Props
from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning.kinds import environment


class EnvironmentOperations(VersionedOperations):
    """An environment, handled like every versioned asset, plus the image that the program built.

    Further input: `image`, the `name@digest` of the image that was built from the definition's `build:` context; None
    where Azure ML builds the context itself.
    """

    planned = environment.KIND
    collection = "environments"
    significant = (*VersionedOperations.significant, "image")

    def definition(self, props: Props) -> Props:
        """Replace the build context with the image that the program built."""
        definition = super().definition(props)
        if props.get("image") is not None:
            definition.pop("build", None)
            definition["image"] = props["image"]
        return definition


OPERATIONS = EnvironmentOperations()
