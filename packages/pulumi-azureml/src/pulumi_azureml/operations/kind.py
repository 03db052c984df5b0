"""Base class for the Azure operations of a kind. Each kind is one module in `operations/kinds`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.planning.kind import Kind

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

Props = dict[str, Any]
_T = TypeVar("_T")


class Operations(ABC):
    """Azure operations of one kind of resource. Inputs and outputs are plain dictionaries, as Pulumi stores them.

    Every kind's inputs: `workspace` {subscription_id, resource_group, name} or `registry`, `owner` (project/stack),
    `adopt`, `name`, `version`, `content_hash` (SHA-256, hex), `definition` (CLI v2 YAML as a dictionary, local paths
    relative to the project, references exact), `metadata` (what can change under a version), `path` (the YAML file),
    `files` (path → digest), `trees` (folders in the definition: {keys, hash}), `overridden` (what the stack sets in
    place of the file's values, for previews: key → {set_by, in_file}), `outside` (references to assets that no file
    defines, if there are any: {kind, reference, at}), and the kind's own. What a preview does not know
    yet is None. Every kind's output: `resource_id`.

    Attributes:
        planned: the kind's planning rules.
        outputs: the properties that Azure sets, not the program.
        options: the options in `ConfigKeys` that its messages name.
        significant: a change of one of these inputs is a change of the resource; everything else follows from them.
    """

    planned: ClassVar[Kind]
    outputs: ClassVar[tuple[str, ...]] = ("resource_id",)
    options: ClassVar[tuple[str, ...]] = ("adopt", "deployer", "operation_minutes")
    significant: ClassVar[tuple[str, ...]] = ("version", "content_hash", "metadata")

    @property
    def name(self) -> str:
        """The kind's name in plans and states."""
        return self.planned.name

    @property
    def title(self) -> str:
        """The kind's name in words, for messages."""
        return self.planned.title

    def label(self, props: Props) -> str:
        """Return a resource's kind and name, for messages."""
        return f"{self.title} '{props['name']}'"

    def check_inputs(self, _olds: Props, _news: Props) -> Mapping[str, str | AssetError]:
        """Return, in the preview, problems of the new inputs given those of the last update: input → reason.

        Those of the last update are empty for a new resource, and for one that moves to another name or workspace.
        """
        return {}

    def definition(self, props: Props) -> dict[str, Any]:
        """Return the whole definition: content, metadata, our tags."""
        tags = ownership.tagged(props["metadata"].get("tags"), props["owner"], props["content_hash"])
        return {**props["definition"], **props["metadata"], "name": props["name"], "tags": tags}

    @abstractmethod
    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Bring Azure to the wanted state, whatever an earlier attempt left. Return the outputs besides the inputs.

        Raises:
            AssetError: the operation failed. The previous live state is unchanged.
        """

    @abstractmethod
    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Return the properties, changed only where Azure differs, or None if the resource is gone."""

    @abstractmethod
    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete the resource, or archive it if Azure cannot delete it. Do nothing if it is gone."""


def endpoint_label(what: str, name: str, azure_name: str) -> str:
    """Return an endpoint for messages: its name in the YAML, and its name in Azure if they differ."""
    return f"{what} '{name}'" if name == azure_name else f"{what} '{name}' ('{azure_name}' in Azure)"


def found(read: Callable[[], _T]) -> _T | None:
    """Return the result of `read`, or None if Azure has no such resource."""
    from pulumi_azureml.operations.sdk import ResourceNotFoundError

    try:
        return read()
    except ResourceNotFoundError as error:
        if error.__cause__ is not None:  # azure-ai-ml says so of whatever hinders it to read a deployment template
            raise error.__cause__ from None
        return None
