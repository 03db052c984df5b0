"""What is done with a kind of resource. Each kind is one file in `operations/kinds`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pulumi_azureml.operations import ownership
from pulumi_azureml.planning.kind import Kind

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

Props = dict[str, Any]
_T = TypeVar("_T")


class Operations(ABC):
    """What is done with a kind of resource. Inputs and outputs are plain dictionaries, as Pulumi keeps them.

    Every kind's inputs: `workspace` {subscription_id, resource_group, name} or `registry`, `owner` (project/stack),
    `adopt`, `name`, `version`, `content_hash` (SHA-256, hex), `definition` (CLI v2 YAML as a dictionary, local paths
    relative to the project, references exact), `metadata` (what can change under a version), `path` (the YAML file),
    `files` (path → digest), `trees` (folders in the definition: {keys, hash}), and the kind's own. What a preview does
    not know yet is None. Every kind's output: `resource_id`.

    Attributes:
        planned: how the kind is planned.
        outputs: the properties that Azure says, not the program.
        options: the options in `ConfigKeys` that its messages name.
        significant: a change of one of these inputs is a change of the resource; everything else follows from them.
    """

    planned: ClassVar[Kind]
    outputs: ClassVar[tuple[str, ...]] = ("resource_id",)
    options: ClassVar[tuple[str, ...]] = ("adopt", "operation_minutes")
    significant: ClassVar[tuple[str, ...]] = ("version", "content_hash", "metadata")

    @property
    def name(self) -> str:
        """What the kind is called in plans and states."""
        return self.planned.name

    @property
    def title(self) -> str:
        """The name in words, for messages."""
        return self.planned.title

    def check_inputs(self, _olds: Props, _news: Props) -> dict[str, str]:
        """Say, in the preview, what is wrong with new inputs beside those of the last update: input → reason."""
        return {}

    def definition(self, props: Props) -> dict[str, Any]:
        """Return the whole definition: content, metadata, our tags."""
        tags = ownership.tagged(props["metadata"].get("tags"), props["owner"], props["content_hash"])
        return {**props["definition"], **props["metadata"], "name": props["name"], "tags": tags}

    @abstractmethod
    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Bring Azure to the wanted state, from whatever an earlier attempt left; return outputs beside the inputs.

        Raises:
            AssetError: it cannot be done; what was live before still is.
        """

    @abstractmethod
    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Return the properties as they are in Azure, changed only where Azure differs; None when it is gone."""

    @abstractmethod
    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete it, or archive what Azure cannot delete; nothing happens when it is gone."""


def found(read: Callable[[], _T]) -> _T | None:
    """Return what `read` gets from Azure; None where there is no such thing."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return read()
    except ResourceNotFoundError:
        return None
