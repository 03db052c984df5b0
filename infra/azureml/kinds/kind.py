"""What every kind can do. Adding a kind is adding a file that looks like its neighbours, and a line in `__init__`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

Props = dict[str, Any]


class Kind(ABC):
    """A kind of resource. Inputs and outputs are plain dictionaries, as Pulumi keeps them.

    Every kind's inputs: `workspace` {subscription_id, resource_group, name}, `owner` (project/stack), `adopt`, `name`,
    `version`, `content_hash` (SHA-256, hex), `definition` (CLI v2 YAML as a dictionary, local paths relative to the
    project, references exact), `metadata` (what can change under a version), `path` (the YAML file), `files`
    (path → digest), `trees` (folders in the definition: {keys, hash}).
    """

    name: ClassVar[str]
    # A version of it, once made, never changes in Azure.
    immutable: ClassVar[bool] = False
    # A change of one of these inputs is a change of the resource; everything else follows from them.
    significant: ClassVar[tuple[str, ...]] = ("version", "content_hash", "metadata")

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
