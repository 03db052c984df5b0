"""Base class of all resources. Each kind's class and arguments are one module in `resources/kinds`."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import pulumi
from pulumi import dynamic

from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning import Asset, reference
from pulumi_azureml.provider import AzureMLProvider
from pulumi_azureml.resources.arguments import Arguments, Referable
from pulumi_azureml.resources.declarations import Declarations
from pulumi_azureml.resources.places import RegistryArgs
from pulumi_azureml.resources.planned import Planned

# The old and the new resource have the same id in Azure. If the new one were created first, deleting the old one would
# delete it.
REPLACEMENT = pulumi.ResourceOptions(delete_before_replace=True)


class Resource(Referable, dynamic.Resource):
    """A resource of Azure ML. Outputs of every kind: `name`, `version`, `resource_id` (ARM id).

    Attributes:
        kind: the kind's name in plans and states.
        arguments: the class of its typed arguments.
        prefix: the prefix of a planned asset's resource name; the kind by default.
        is_needed: whether resources that refer to an asset of this kind wait for its resource.
    """

    name: pulumi.Output[str]
    version: pulumi.Output[str]
    resource_id: pulumi.Output[str]

    kind: ClassVar[str]
    arguments: ClassVar[type[Arguments]]
    prefix: ClassVar[str] = ""
    is_needed: ClassVar[bool] = True

    def __init__(
        self,
        resource_name: str,
        args: Arguments | Planned | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take typed arguments, as an object or by keyword, or an asset that the catalogue planned from a file.

        Raises:
            pulumi.RunError: the arguments are wrong; the message has every problem and its fix.
            TypeError: an argument is unknown or missing, or both an object and keywords are given.
        """
        if args is not None and values:
            raise TypeError(f"{resource_name}: give {type(args).__name__} or keyword arguments, not both")
        given = args if args is not None else self.arguments(**values)
        operations = OPERATIONS[self.kind]
        if operations.planned.only_shared and not isinstance(given.workspace, RegistryArgs):
            raise pulumi.RunError(f"{operations.title} '{given.name or resource_name}': give a registry as `workspace`")
        if isinstance(given, Arguments):
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=given.needs()))
            given = given.named(resource_name).plan()
        if isinstance(given.workspace, RegistryArgs) and not operations.planned.versioned:
            raise pulumi.RunError(f"{operations.title} '{given.name}': only assets with versions can be in a registry")
        self.azure_name = given.name
        registry = given.workspace.name if isinstance(given.workspace, RegistryArgs) else None
        self.reference = reference(self.kind, given.name, given.version, registry)
        with without_side_effects():
            props = {**given.props(), **dict.fromkeys(operations.outputs)}
            provider = AzureMLProvider(self.kind, given.workspace.config_keys)
            super().__init__(provider, resource_name, props, pulumi.ResourceOptions.merge(opts, REPLACEMENT))

    @classmethod
    def declare(cls, asset: Asset, declarations: Declarations) -> Self | None:
        """Create the resource of a planned asset. Return None if it cannot exist yet."""
        return cls.of(asset, declarations, declarations.planned(asset))

    @classmethod
    def of(cls, asset: Asset, declarations: Declarations, planned: Planned) -> Self:
        """Create the resource from a planned asset's inputs."""
        return cls(f"{cls.prefix or cls.kind}-{asset.name}", planned, declarations.options(asset))


@contextmanager
def without_side_effects() -> Iterator[None]:
    """Keep two side effects of Pulumi's SDK away from the state and from the program.

    The SDK keeps the program's call stack, which takes 1.3 KB per resource and names files of the machine. It calls
    `traceback.extract_stack`, which respects this limit, and omits a stack of one frame. Each dynamic resource also
    wraps a method of Python's pickler once more, until some 900 resources exceed the interpreter's recursion limit.
    """
    before = getattr(sys, "tracebacklimit", None)
    pickler: Any = pickle._Pickler
    wrapped = pickler._batch_setitems
    sys.tracebacklimit = 1
    try:
        yield
    finally:
        pickler._batch_setitems = wrapped
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before
