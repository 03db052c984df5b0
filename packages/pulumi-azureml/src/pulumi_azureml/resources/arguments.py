"""Typed arguments of resources, and their conversion to the equivalent YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Self

import pulumi

from pulumi_azureml.planning import Catalogue, CatalogueErrors, CatalogueSettings, Folders, plan_definitions
from pulumi_azureml.planning.project import project_root
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.planned import Planned

# Arguments that may be outputs. They can change within a version, so no version depends on them.
_METADATA = ("description", "display_name", "tags")


class Referable:
    """A resource that other resources accept as a reference to an asset.

    Attributes:
        reference: the reference by which another asset names exactly this version.
        azure_name: the name in Azure. It is known before the resource is created.
    """

    reference: str
    azure_name: str


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Typed arguments of a kind: the keys of its CLI v2 YAML. Subclasses add them as fields. None omits a key.

    A value may be another resource of this package. It becomes a reference to its exact version and a dependency.
    Versions are planned before any resource is registered, so values that a version depends on cannot be outputs.

    Attributes:
        excluded: the fields that are not keys of the YAML.
        workspace: the workspace that contains the resource. An asset with versions can be in a registry instead.
        name: the name in Azure. The default is the name of the Pulumi resource.
        description: a text for users. It can change within a version.
        tags: can change within a version.
    """

    kind: ClassVar[str]
    excluded: ClassVar[frozenset[str]] = frozenset({"workspace"})

    workspace: WorkspaceArgs | RegistryArgs
    name: str = ""
    description: pulumi.Input[str] | None = None
    tags: Mapping[str, pulumi.Input[str]] | None = None

    def named(self, resource_name: str) -> Self:
        """Return the arguments, with the resource's name if they have no name."""
        return self if self.name else replace(self, name=resource_name)

    def definition(self) -> dict[str, Any]:
        """Return the equivalent YAML, without metadata that is known later."""
        known = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in self.excluded}
        known |= dict.fromkeys(self.later())
        if "tags" in known:
            known["tags"] = {name: tag for name, tag in (self.tags or {}).items() if _is_plain(tag)} or None
        return {key: self.written(key, value) for key, value in known.items() if value is not None}

    def later(self) -> dict[str, Any]:
        """Return the metadata that is known only after an update."""
        found = {key: getattr(self, key) for key in _METADATA if isinstance(getattr(self, key, None), pulumi.Output)}
        tags = {name: tag for name, tag in (self.tags or {}).items() if not _is_plain(tag)}
        return {**found, "tags": tags} if tags else found

    def written(self, key: str, value: Any) -> Any:
        """Return the value of an argument as it is in YAML.

        Raises:
            pulumi.RunError: the value is an output.
        """
        return _written(value, f"{self.kind.replace('_', ' ')} '{self.name}': `{key}`")

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the documents to plan: the name in messages → kind and definition."""
        return {f"{self.kind.replace('_', ' ')} {self.name}": (self.kind, self.definition())}

    def planning_settings(self) -> CatalogueSettings:
        """Return the planning settings."""
        return CatalogueSettings(computes=None)

    def planned(self, plan: Catalogue) -> Planned:
        """Return the inputs from a plan of `documents`."""
        return Planned.of(plan[self.kind, self.name], self.workspace, self.later())

    def plan(self) -> Planned:
        """Plan the documents and return the inputs.

        Raises:
            pulumi.RunError: the arguments are wrong; the message has every problem and its fix.
        """
        try:
            plan = plan_definitions(project_root(), self.documents(), self.planning_settings())
        except CatalogueErrors as errors:
            raise pulumi.RunError(str(errors)) from errors
        planned = self.planned(plan)
        # Another resource of the program may create what a reference names, so no preview asks for it.
        own = {key: value for key, value in planned.own.items() if key != "outside"}
        return replace(planned, outside=(), own=own)

    def needs(self) -> list[pulumi.Resource]:
        """Return the resources among the values."""
        return list(_resources([getattr(self, each.name) for each in fields(self)]))


def settings_of_registry(place: WorkspaceArgs | RegistryArgs) -> CatalogueSettings:
    """Return the planning settings of what is in a registry, if it is."""
    if isinstance(place, WorkspaceArgs):
        return CatalogueSettings(computes=None)
    return CatalogueSettings(computes=None, registry=place.name, folders=Folders(shared="."))


def plain(value: Any) -> Any:
    """Return nested arguments as dictionaries without None values."""
    return _written(value, "an argument")


def _is_plain(value: Any) -> bool:
    return not isinstance(value, pulumi.Output)


def _written(value: Any, what: str) -> Any:
    match value:
        case Referable():
            return value.reference
        case pulumi.Resource():
            raise pulumi.RunError(f"{what} is a resource of another package: give its name")
        case pulumi.Output():
            raise pulumi.RunError(
                f"{what} is an output, known only after an update, but versions are planned before. "
                "Give a plain value; where another asset is meant, give the resource itself"
            )
        case Mapping():
            return {str(key): _written(item, what) for key, item in value.items() if item is not None}
        case list() | tuple():
            return [_written(item, what) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _written({each.name: getattr(value, each.name) for each in fields(value)}, what)
    return value


def _resources(value: Any) -> Iterator[pulumi.Resource]:
    match value:
        case pulumi.Resource():
            yield value
        case Mapping():
            yield from _resources(list(value.values()))
        case list() | tuple():
            for item in value:
                yield from _resources(item)
    if is_dataclass(value) and not isinstance(value, type):
        yield from _resources([getattr(value, each.name) for each in fields(value)])
