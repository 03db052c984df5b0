"""A planned asset as the inputs of a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from pulumi_azureml.planning import Asset, Overridden
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs, inputs_of


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A planned asset as a resource's inputs.

    Attributes:
        workspace: the workspace, or for a shared asset the registry, that contains it.
        name: the name in Azure, which is the resource's id.
        version: the version. For a kind without versions in Azure, the start of the content hash.
        content_hash: the SHA-256 of its content, in hex.
        definition: CLI v2 YAML as a dictionary without metadata. Paths are relative to the project, references exact.
        metadata: the properties that can change within a version: description, display_name, tags. Values may be
            outputs.
        path: the YAML file, for messages.
        files: path → digest of its files, for previews.
        overridden: the values that the stack sets in place of the file's, by dotted key.
        trees: folders in the definition by their keys, with the hash of the upload.
        outside: the references to assets that the workspace must have, because no file defines them.
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
    overridden: Mapping[str, Overridden] = field(default_factory=dict)
    outside: Sequence[Mapping[str, str]] = ()
    own: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        asset: Asset,
        workspace: WorkspaceArgs | RegistryArgs,
        later: Mapping[str, Any] | None = None,
        **own: Any,
    ) -> Planned:
        """Build the inputs from an asset that the catalogue planned.

        Args:
            asset: the planned asset.
            workspace: the workspace or registry that contains it.
            later: metadata that the plan does not have.
            **own: the inputs that only this kind has.
        """
        return cls(
            workspace=workspace,
            name=asset.azure_name,
            version=asset.version,
            content_hash=asset.content_hash,
            definition={key: value for key, value in asset.definition.items() if key not in asset.metadata},
            metadata=_with(asset.metadata, later or {}),
            path=asset.path,
            files=asset.files,
            trees=hashes(asset),
            overridden=asset.overridden,
            outside=outside(asset),
            own=own,
        )

    def props(self) -> dict[str, Any]:
        """Return the provider's inputs."""
        return {
            **inputs_of(self.workspace),
            "name": self.name,
            "version": self.version,
            "content_hash": self.content_hash,
            "definition": dict(self.definition),
            "metadata": _metadata(self.metadata),
            "path": self.path,
            "files": dict(self.files),
            "trees": trees(self.trees),
            "overridden": overridden(self.overridden),
            **({"outside": [dict(each) for each in self.outside]} if self.outside else {}),
            **self.own,
        }


def overridden(values: Mapping[str, Overridden]) -> dict[str, Any] | None:
    """Return what a stack sets as previews show it: by key, the option and the file's value. None if it sets nothing.

    It is for people. What counts is the definition, which has the stack's values.
    """
    return {
        key: {"set_by": each.option} | ({"in_file": each.in_file} if each.in_file is not None else {})
        for key, each in values.items()
    } or None


def outside(asset: Asset) -> list[dict[str, str]]:
    """Return the references to assets that no file defines in the form that Pulumi stores."""
    return [{"kind": each.kind, "reference": each.text, "at": each.place(asset.path)} for each in asset.outside]


def trees(hashes_: Mapping[tuple[str | int, ...], str]) -> list[dict[str, Any]]:
    """Return files, folders and hashes in the form that Pulumi stores."""
    return [{"keys": list(keys), "hash": hash_} for keys, hash_ in hashes_.items()]


def hashes(asset: Asset) -> dict[tuple[str | int, ...], str]:
    """Return the hashes of the asset's files and folders, which are compared again before an upload.

    A YAML file of which only the parsed content counts, such as a conda file, has none.
    """
    return {keys: tree.hash for keys, tree in asset.trees.items() if not tree.is_parsed}


def _with(metadata: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    tags = {**(metadata.get("tags") or {}), **later.get("tags", {})}
    return {**metadata, **later, "tags": tags}


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata in the form that Azure returns: no empty values, and tags as strings."""
    tags = {
        key: value if isinstance(value, pulumi.Output) else str(value)
        for key, value in (metadata.get("tags") or {}).items()
    }
    whole = {**metadata, "tags": tags}
    return {key: value for key, value in whole.items() if isinstance(value, pulumi.Output) or value}
