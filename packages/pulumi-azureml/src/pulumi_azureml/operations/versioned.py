"""Operations shared by the versioned assets: immutable versions, mutable metadata, archiving instead of deletion."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kind import Operations, Props, found
from pulumi_azureml.operations.retry import confirmed
from pulumi_azureml.operations.staging import load, staged

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)


class VersionedOperations(Operations):
    """Operations for a kind with versions in Azure. Subclasses name the client's collection.

    Attributes:
        collection: the attribute of MLClient that holds the kind's operations.
        write_options: the options of its `create_or_update`.
    """

    collection: ClassVar[str]
    write_options: ClassVar[Mapping[str, Any]] = {}

    def check_inputs(self, olds: Props, news: Props) -> dict[str, str]:
        """Refuse changed content under a version that the YAML pins."""
        pinned = olds.get("version") == news["version"]
        # A version that is not pinned is a prefix of the content hash and changes with it.
        if not pinned or olds["content_hash"] == news["content_hash"]:
            return {}
        reason = (
            f"{self.title} '{news['name']}' version {news['version']} is deployed with content "
            f"{olds['content_hash'][:12]}, but the files have {news['content_hash'][:12]}. {_how_to_change(news)}"
        )
        return {"version": reason}

    def definition(self, props: Props) -> dict[str, Any]:
        """Return the whole definition: content, metadata, exact version, our tags."""
        return {**super().definition(props), "version": props["version"]}

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create the version, or take over one from an earlier attempt of this stack."""
        operations = getattr(ml, self.collection)
        name, version = props["name"], props["version"]
        existing = self._get(operations, name, version)
        written = self._write(operations, props) if existing is None else self._take_over(operations, existing, props)
        if str(written.version) != version:
            raise AssetError(f"{self.title} '{name}' was written as version {written.version} instead of {version}")
        if existing is None:
            self._archive_old(operations, props)
        return {"resource_id": written.id}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read the version back. Changes to description and tags by others, and archiving, show as metadata."""
        operations = getattr(ml, self.collection)
        existing = self._get(operations, props["name"], props["version"])
        if existing is None:
            return None
        metadata = self._observed(existing, props["metadata"])
        # The client's entities do not show this, but its lists omit archived versions.
        name, version = props["name"], props["version"]

        def is_listed() -> bool | None:
            listed = found(lambda: list(operations.list(name=name))) or ()
            return any(str(each.version) == version for each in listed) or None

        if not confirmed(is_listed):
            metadata["archived"] = True
        return {**props, "metadata": metadata}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Archive every version of the asset that this stack made: Azure ML deletes none of them."""
        operations = getattr(ml, self.collection)
        archived = 0
        for existing in confirmed(lambda: found(lambda: list(operations.list(name=props["name"]))) or None) or ():
            current = str(existing.version) == props["version"] and not ownership.is_foreign(
                existing.tags, props["owner"]
            )
            if current or ownership.is_ours(existing.tags, props["owner"]):
                operations.archive(name=props["name"], version=str(existing.version))
                archived += 1
        if archived:
            _log.info("%s '%s': %d archived, since Azure ML deletes no version", self.title, props["name"], archived)

    def _take_over(self, operations: Any, existing: Any, props: Props) -> Any:
        name, version = props["name"], props["version"]
        what = f"{self.title} '{name}' version {version}"
        ownership.check(what, existing.tags, props["owner"], adopt=props["adopt"])
        # Another stack's content hash covers other YAML, even if that YAML is equivalent.
        is_foreign = ownership.is_foreign(existing.tags, props["owner"])
        content = None if is_foreign else (existing.tags or {}).get(ownership.CONTENT)
        if content not in (None, props["content_hash"]):
            raise AssetError(f"{what} exists with other content. {_how_to_change(props)}")
        existing = operations.restore(name=name, version=version) or existing
        if content is not None and not self._metadata_differs(existing, props):
            return existing
        if props.get("registry"):
            # The files are not uploaded again, so Azure cannot compare: only the tag shows whether the content is ours.
            if (existing.tags or {}).get(ownership.CONTENT) != props["content_hash"]:
                raise AssetError(
                    f"{what} cannot be adopted, because nothing shows that its content is the same. "
                    f"{_how_to_change(props)}"
                )
            return self._describe_shared(operations, existing, props, what)
        from pulumi_azureml.operations.sdk import HttpResponseError

        try:
            # Write the whole definition instead of a modified copy of Azure's, so that Azure compares all the content.
            return self._write(operations, props)
        except HttpResponseError as error:
            if content is not None or error.status_code not in (400, 409):
                raise
            # Without a content hash, only Azure can determine whether the version's content is ours.
            raise AssetError(f"{what} cannot be adopted, because its content differs: {error}") from error

    def _describe_shared(self, operations: Any, existing: Any, props: Props, what: str) -> Any:
        """Change description and tags of a version in a registry, which accepts its files only once."""
        from pulumi_azureml.operations.sdk import HttpResponseError

        self._describe(existing, self.definition(props))
        try:
            return operations.create_or_update(existing)
        except HttpResponseError as error:
            if error.status_code != 409:
                raise
            raise AssetError(
                f"{what} is in a registry, where its description and tags cannot change. Revert the change, or set "
                f"another `version:` in {props['path']}"
            ) from error

    def _metadata_differs(self, existing: Any, props: Props) -> bool:
        is_ours = ownership.is_ours(existing.tags, props["owner"])
        return not is_ours or self._observed(existing, props["metadata"]) != props["metadata"]

    def _observed(self, existing: Any, metadata: Props) -> Props:
        """Return Azure's metadata in the form of `metadata`."""
        return ownership.observed(existing, metadata)

    def _describe(self, existing: Any, wanted: Props) -> None:
        """Change the client's entity of a version in a registry to the wanted metadata."""
        existing.tags, existing.description = wanted["tags"], wanted.get("description")

    def _archive_old(self, operations: Any, props: Props) -> None:
        """Archive this stack's versions beyond those to retain. Archived versions remain usable."""
        if not props.get("retain"):
            return
        ours = [each for each in operations.list(name=props["name"]) if ownership.is_ours(each.tags, props["owner"])]
        newest_first = sorted(ours, key=lambda each: each.creation_context.created_at, reverse=True)
        for old in newest_first[props["retain"] :]:
            operations.archive(name=props["name"], version=str(old.version))
            what = f"{self.title} '{props['name']}' version {old.version}"
            _log.info("%s: archived, %d are retained", what, props["retain"])

    def _write(self, operations: Any, props: Props) -> Any:
        with staged(self.definition(props), props.get("trees", []), props["path"]) as definition:
            return operations.create_or_update(load(self.planned.loader, definition), **self.write_options)

    @staticmethod
    def _get(operations: Any, name: str, version: str) -> Any | None:
        return found(lambda: operations.get(name=name, version=version))


def _how_to_change(props: Props) -> str:
    """Return the fix for changed content under a pinned version."""
    return (
        f"A version is immutable: in {props['path']}, increase `version:`, or remove it to derive versions from the "
        "content"
    )
