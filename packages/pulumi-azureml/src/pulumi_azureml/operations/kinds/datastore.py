"""Datastores: created and updated in their metadata. Their target never changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kind import Operations, Props, found
from pulumi_azureml.operations.retry import confirmed
from pulumi_azureml.operations.staging import load
from pulumi_azureml.planning.kinds import datastore

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# The keys of a datastore's target. Azure sets the endpoint and protocol unless the YAML does.
_PLACE = ("type", "account_name", "container_name", "filesystem", "file_share_name", "endpoint", "protocol")


class DatastoreOperations(Operations):
    """A datastore. Only its metadata is updated: the target of a name never changes."""

    planned = datastore.KIND

    def check_inputs(self, olds: Props, news: Props) -> dict[str, str]:
        """Refuse a new target for an existing name."""
        before, after = olds.get("definition") or {}, news["definition"]
        moved = [key for key in _PLACE if before.get(key) != after.get(key) and before.get(key) and after.get(key)]
        if not moved:
            return {}
        changes = ", ".join(f"{key} {before[key]} → {after[key]}" for key in moved)
        return {
            "definition": f"datastore '{news['name']}' would refer to other storage ({changes}). {_how_to_move(news)}"
        }

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create the datastore or update its metadata, after checking its owner and target."""
        existing = self._get(ml, props["name"])
        if existing is not None:
            what = f"datastore '{props['name']}'"
            ownership.check(what, existing.tags, props["owner"], adopt=props["adopt"])
            moved = [f"{key} {there}" for key, there in _elsewhere(existing, props["definition"]).items()]
            if moved:
                raise AssetError(
                    f"{what} exists and refers to other storage ({', '.join(moved)}). {_how_to_move(props)}"
                )
        made = ml.datastores.create_or_update(load(self.planned.loader, self.definition(props)))
        return {"resource_id": made.id}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back. A target or credentials that others changed show in `content_hash`."""
        from azure.ai.ml.entities import NoneCredentialConfiguration

        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        elsewhere = _elsewhere(existing, props["definition"])
        if elsewhere or not isinstance(existing.credentials, NoneCredentialConfiguration):
            content = ownership.CHANGED
        metadata = ownership.observed(existing, props["metadata"])
        definition = {**props["definition"], **elsewhere}
        return {**props, "content_hash": content, "definition": definition, "metadata": metadata}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete the datastore but not its data. Leave another stack's datastore alone."""
        existing = confirmed(lambda: self._get(ml, props["name"]))
        if existing is not None and not ownership.is_foreign(existing.tags, props["owner"]):
            ml.datastores.delete(props["name"])

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        return found(lambda: ml.datastores.get(name))


def _elsewhere(existing: Any, definition: Props) -> Props:
    """Return the target's keys whose values differ in Azure, with Azure's values."""
    there = {key: getattr(existing, key, None) for key in _PLACE if key in definition}
    there["type"] = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(getattr(existing.type, "value", existing.type))).lower()
    return {key: value for key, value in there.items() if value != definition[key]}


def _how_to_move(props: Props) -> str:
    return f"Everything that uses it would read other data. Use another name in {props['path']}"


OPERATIONS = DatastoreOperations()
