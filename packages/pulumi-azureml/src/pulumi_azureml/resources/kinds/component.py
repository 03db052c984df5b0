"""Components: a command, a parallel job, a Spark job or a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

import pulumi

from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.kinds.environment import Environment
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class ComponentArgs(Arguments):
    """Arguments of `Component`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version. The default is derived from the content's hash.
        display_name: a name for users. It can change within a version.
        type: the type of the component.
        inputs: name → {type, default, optional, …}.
        outputs: name → {type, …}.
        command: the command of a command component, for example `python main.py` or `Rscript main.R`.
        code: a folder relative to the project. Ignored files are not uploaded.
        environment: a resource or `azureml:NAME:VERSION`.
        jobs: the steps of a pipeline component.
        task: the task of a parallel component.
        entry: the script of a Spark component, `{"file": …}`.
        conf: the Spark configuration of a Spark component.
        resources: the number of instances and their type.
        extra: keys that only some types have (`args`, `mini_batch_size`, `py_files`, `is_deterministic`, …).
    """

    kind = "component"
    excluded = Arguments.excluded | {"extra"}

    version: str | None = None
    display_name: pulumi.Input[str] | None = None
    type: Literal["command", "parallel", "pipeline", "spark"] = "command"
    inputs: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None
    command: str | None = None
    code: str | None = None
    environment: Environment | str | None = None
    jobs: Mapping[str, Any] | None = None
    task: Mapping[str, Any] | None = None
    entry: Mapping[str, Any] | None = None
    conf: Mapping[str, Any] | None = None
    resources: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] | None = None

    def definition(self) -> dict[str, Any]:
        """Return the equivalent YAML."""
        return {**super().definition(), **self.written("extra", self.extra or {})}


class Component(Resource, module="azureml", name="Component"):
    """A component version. Code that has not changed is not uploaded again.

    New content creates a new version under the same resource and keeps the old one. Display name, description and tags
    are updated in place. Removal archives the versions. Fails if the version belongs to another stack or has different
    content.
    """

    kind = "component"
    arguments = ComponentArgs

    @overload
    def __init__(self, resource_name: str, args: ComponentArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        *,
        opts: pulumi.ResourceOptions | None = None,
        workspace: WorkspaceArgs | RegistryArgs,
        name: str = "",
        description: pulumi.Input[str] | None = None,
        tags: Mapping[str, pulumi.Input[str]] | None = None,
        version: str | None = None,
        display_name: pulumi.Input[str] | None = None,
        type: Literal["command", "parallel", "pipeline", "spark"] = "command",
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        command: str | None = None,
        code: str | None = None,
        environment: Environment | str | None = None,
        jobs: Mapping[str, Any] | None = None,
        task: Mapping[str, Any] | None = None,
        entry: Mapping[str, Any] | None = None,
        conf: Mapping[str, Any] | None = None,
        resources: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: ComponentArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)


RESOURCE = Component
