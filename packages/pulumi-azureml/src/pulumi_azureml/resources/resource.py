"""What all resource classes are made of. Each kind's own class and arguments are in its file in `infra/kinds`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pulumi
from pulumi import dynamic

from pulumi_azureml.operations.connection import project_root
from pulumi_azureml.planning import Asset, Catalogue, CatalogueErrors, CatalogueSettings, plan_given, reference
from pulumi_azureml.provider import AzureMLProvider


@dataclass(frozen=True)
class WorkspaceArgs:
    """The workspace that a resource lives in, and the stack that owns it.

    Attributes:
        subscription_id: of the workspace.
        resource_group: its name.
        name: the workspace's name.
        owner: `project/stack`, written on what is made as a tag.
        adopt: take over what exists under the same name and was not made by the stack.
        location: its region, in which quota is looked at before a deployment is made; None looks at none.
        retain: how many versions of an asset stay usable; older ones of this stack are archived. 0 archives none.
    """

    subscription_id: pulumi.Input[str]
    resource_group: pulumi.Input[str]
    name: pulumi.Input[str]
    owner: str
    adopt: bool = False
    location: str | None = None
    retain: int = 0

    def place(self) -> dict[str, Any]:
        """Return the inputs that say where."""
        names = {"subscription_id": self.subscription_id, "resource_group": self.resource_group, "name": self.name}
        return {"workspace": names}


@dataclass(frozen=True)
class RegistryArgs:
    """The registry that a shared asset lives in; the other attributes as in `WorkspaceArgs`."""

    name: str
    owner: str
    adopt: bool = False
    location: None = None
    retain: int = 0

    def place(self) -> dict[str, Any]:
        """Return the inputs that say where."""
        return {"registry": self.name}


@dataclass(frozen=True)
class Planned:
    """A planned asset as a resource's inputs.

    Attributes:
        workspace: where it lives: a workspace or, for a shared asset, a registry.
        name: its name in Azure, which is the resource's id.
        version: its version, or for what has none in Azure the beginning of its content hash.
        content_hash: SHA-256, hex, of all that makes it what it is.
        definition: CLI v2 YAML as a dictionary without metadata; paths relative to the project, references exact.
        metadata: what may change under a version: description, display_name, tags.
        path: the YAML file, for messages.
        files: path → digest of the files that belong to it, for previews.
        trees: folders in the definition, by their keys in it, and the hash of what is uploaded.
        own: the inputs that only this kind has.
    """

    workspace: WorkspaceArgs | RegistryArgs
    name: str
    version: str
    content_hash: str
    definition: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    trees: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, asset: Asset, workspace: WorkspaceArgs | RegistryArgs, **own: Any) -> Planned:
        """Take over what the catalogue planned."""
        return cls(
            workspace=workspace,
            name=asset.name,
            version=asset.version,
            content_hash=asset.content_hash,
            definition={key: value for key, value in asset.definition.items() if key not in asset.metadata},
            metadata=asset.metadata,
            path=asset.path,
            files=asset.files,
            trees=folders(asset),
            own=own,
        )

    def props(self) -> dict[str, Any]:
        """Return the provider's inputs."""
        return {
            **self.workspace.place(),
            "owner": self.workspace.owner,
            "adopt": self.workspace.adopt,
            "location": self.workspace.location,
            "retain": self.workspace.retain,
            "name": self.name,
            "version": self.version,
            "content_hash": self.content_hash,
            "definition": dict(self.definition),
            "metadata": _metadata(self.metadata),
            "path": self.path,
            "files": dict(self.files),
            "trees": trees(self.trees),
            **self.own,
        }


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Typed arguments of a kind: the keys of its CLI v2 YAML. Subclasses add them as fields; None is not written.

    A value may be another resource of this package, which becomes a reference to its exact version and a dependency.
    Everything is a plain value, never an output: versions are planned before anything is registered.

    Attributes:
        workspace: where the resource lives; for an asset that has versions, a registry is a place too.
        name: its name in Azure.
        description: for people; can change under a version.
        tags: for people and searches; can change under a version.
    """

    kind: ClassVar[str]
    apart: ClassVar[frozenset[str]] = frozenset({"workspace"})

    workspace: WorkspaceArgs | RegistryArgs
    name: str
    description: str | None = None
    tags: Mapping[str, str] | None = None

    def definition(self) -> dict[str, Any]:
        """Return the YAML that says the same."""
        return {
            each.name: written(getattr(self, each.name))
            for each in fields(self)
            if each.name not in self.apart and getattr(self, each.name) is not None
        }

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return what is planned: a name for messages → kind and definition."""
        return {f"{self.kind} {self.name}": (self.kind, self.definition())}

    def planned(self, plan: Catalogue) -> Planned:
        """Return the inputs, from a plan of `documents`."""
        return Planned.of(plan[self.kind, self.name], self.workspace)

    def needs(self) -> list[pulumi.Resource]:
        """Return the resources among the values."""
        return list(_resources([getattr(self, each.name) for each in fields(self)]))


A = TypeVar("A", bound=Arguments)


class Resource(dynamic.Resource, Generic[A]):
    """A resource of Azure ML. Outputs of every kind: `name`, `version`, `resource_id` (ARM id).

    Attributes:
        reference: how another asset names exactly this version.
        azure_name: its name in Azure, known before anything is made.
    """

    name: pulumi.Output[str]
    version: pulumi.Output[str]
    resource_id: pulumi.Output[str]

    kind: ClassVar[str]

    def __init__(self, name: str, args: A | Planned, opts: pulumi.ResourceOptions | None = None) -> None:
        """Take typed arguments, or what the catalogue planned from a file.

        Raises:
            pulumi.RunError: the arguments are wrong; the message has every problem and its fix.
        """
        from pulumi_azureml.kinds import MANAGED

        if isinstance(args, Arguments):
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=args.needs()))
        planned = args if isinstance(args, Planned) else _plan(args)
        if isinstance(planned.workspace, RegistryArgs) and not MANAGED[self.kind].versioned:
            raise pulumi.RunError(f"{self.kind} '{planned.name}': only what has versions can live in a registry")
        self.azure_name = planned.name
        registry = planned.workspace.name if isinstance(planned.workspace, RegistryArgs) else None
        self.reference = reference(self.kind, planned.name, planned.version, registry)
        outputs = dict.fromkeys(MANAGED[self.kind].outputs)
        with _no_call_stack():
            super().__init__(AzureMLProvider(self.kind), name, {**planned.props(), **outputs}, opts)


@contextmanager
def _no_call_stack() -> Iterator[None]:
    """Keep the program's call stack out of the state: 1.3 KB a resource, naming files of the machine it ran on.

    Pulumi's SDK takes it with `traceback.extract_stack`, which heeds this limit; with one frame it writes none.
    """
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = 1
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before


def trees(folders_: Mapping[tuple[str | int, ...], str]) -> list[dict[str, Any]]:
    """Return folders and hashes as Pulumi keeps them."""
    return [{"keys": list(keys), "hash": hash_} for keys, hash_ in folders_.items()]


def folders(asset: Asset) -> dict[tuple[str | int, ...], str]:
    """Return the asset's folders: a single file is uploaded as it is."""
    return {keys: tree.hash for keys, tree in asset.trees.items() if tree.is_folder}


def _plan(args: Arguments) -> Planned:
    from pulumi_azureml.kinds import KINDS

    try:
        plan = plan_given(project_root(), KINDS, args.documents(), settings=CatalogueSettings(computes=None))
    except CatalogueErrors as errors:
        raise pulumi.RunError(str(errors)) from errors
    return args.planned(plan)


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata in the form in which Azure gives it back: nothing empty, tags of text."""
    tags = {key: str(value) for key, value in (metadata.get("tags") or {}).items()}
    return {key: value for key, value in {**metadata, "tags": tags}.items() if value}


def written(value: Any) -> Any:
    """Return a value as YAML has it."""
    match value:
        case Resource():
            return value.reference
        case pulumi.Output():
            raise pulumi.RunError(
                "an argument is an output, known only after an update, but versions are planned before: give a plain "
                "value, or the resource itself where another asset is meant"
            )
        case Mapping():
            return {str(key): written(item) for key, item in value.items() if item is not None}
        case list() | tuple():
            return [written(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: written(getattr(value, each.name)) for each in fields(value) if _given(value, each.name)}
    return value


def _given(value: Any, name: str) -> bool:
    return getattr(value, name) is not None


def _resources(value: Any) -> Iterator[pulumi.Resource]:
    match value:
        case Resource():
            yield value
        case Mapping():
            yield from _resources(list(value.values()))
        case list() | tuple():
            for item in value:
                yield from _resources(item)
    if is_dataclass(value) and not isinstance(value, type):
        yield from _resources([getattr(value, each.name) for each in fields(value)])
