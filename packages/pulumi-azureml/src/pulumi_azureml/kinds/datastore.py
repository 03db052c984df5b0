"""Datastores: `ml/**/datastore.yml`. A name for a storage account's container, read by the reader's own identity."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.managed import ManagedKind, Props, found
from pulumi_azureml.operations.retry import confirmed
from pulumi_azureml.operations.staging import load
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import DEFAULT_DATASTORES, Draft
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Resource

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# Where a datastore points. Its endpoint and protocol are Azure's own unless the YAML says them.
_PLACE = ("type", "account_name", "container_name", "filesystem", "file_share_name", "endpoint", "protocol")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")


@dataclass(frozen=True, kw_only=True)
class DatastoreArgs(Arguments):
    """Arguments of `Datastore`: the keys of its CLI v2 YAML. There are no credentials among them, on purpose.

    Attributes:
        type: what kind of storage it is.
        account_name: the storage account.
        container_name: of an `azure_blob`.
        filesystem: of an `azure_data_lake_gen2`.
        file_share_name: of an `azure_file`.
        endpoint: the cloud's storage suffix, such as `core.windows.net`, which it is by default.
        protocol: `https` by default.
    """

    kind = "datastore"

    type: Literal["azure_blob", "azure_data_lake_gen2", "azure_file"] = "azure_blob"
    account_name: str
    container_name: str | None = None
    filesystem: str | None = None
    file_share_name: str | None = None
    endpoint: str | None = None
    protocol: Literal["https", "wasbs", "abfss"] | None = None


class Datastore(Resource[DatastoreArgs], module="azureml", name="Datastore"):
    """A datastore that signs in by identity: who reads needs a role on the storage account, and no key exists.

    Description and tags are updated in place. Where it points never changes under a name: every data asset and job that
    names it would silently read other data, so the preview refuses it, as the service does. Removal deletes the name
    and no data. Fails when a datastore of the name is another stack's, or points elsewhere.
    """

    kind = "datastore"


class DatastoreKind(ManagedKind):
    """A blob container, a Data Lake Storage Gen2 file system or a file share of a storage account."""

    name = "datastore"
    loader = "load_datastore"
    schemas: ClassVar = {
        "azure_blob": "_datastore:AzureBlobSchema",
        "azure_data_lake_gen2": "_datastore:AzureDataLakeGen2Schema",
        "azure_file": "_datastore:AzureFileSchema",
    }
    metadata = frozenset({"description", "tags"})
    resource = Datastore

    def claims(self, path: str, _document: Document) -> bool:
        """Anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "datastore.yml"

    def schema_type(self, document: Document) -> str:
        """Which storage it is."""
        return str(document.data.get("type", ""))

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses, or that is the workspace's own."""
        if draft.id.name.lower() in DEFAULT_DATASTORES:
            message = f"'{draft.id.name}' is a datastore that every workspace makes itself"
            draft.problem(("name",), message, "use another name; refer to this one without a file of its own")
        elif not _NAME.fullmatch(draft.id.name):
            fix = "use letters, digits, '-' and '_', starting with a letter or digit, 255 at most"
            draft.problem(("name",), f"'{draft.id.name}' is not a valid datastore name", fix)

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Refuse secrets, without repeating them."""
        credentials = draft.definition.get("credentials")
        if credentials is not None:
            keys = ", ".join(sorted(map(str, credentials))) if isinstance(credentials, dict) else ""
            message = f"'credentials' do not belong into a repository{f' ({keys})' if keys else ''}"
            fix = (
                "remove `credentials:` (and replace what was committed): the datastore then signs in by identity; give "
                "who reads, such as the compute's identity, the role Storage Blob Data Reader on the account"
            )
            draft.problem(("credentials",), message, fix)

    def check_inputs(self, olds: Props, news: Props) -> dict[str, str]:
        """Refuse to let a name point elsewhere."""
        if olds.get("name") != news["name"]:
            return {}
        before, after = olds["definition"], news["definition"]
        moved = [key for key in _PLACE if before.get(key) != after.get(key) and before.get(key) and after.get(key)]
        if not moved:
            return {}
        changes = ", ".join(f"{key} {before[key]} → {after[key]}" for key in moved)
        return {"definition": f"datastore '{news['name']}' would point elsewhere ({changes}). {_how_to_move(news)}"}

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create the datastore or update its metadata; ownership and where it points are checked first."""
        existing = self._get(ml, props["name"])
        if existing is not None:
            what = f"datastore '{props['name']}'"
            ownership.check(what, existing.tags, props["owner"], adopt=props["adopt"])
            moved = [f"{key} {there}" for key, there in _elsewhere(existing, props["definition"]).items()]
            if moved:
                raise AssetError(f"{what} exists and points elsewhere ({', '.join(moved)}). {_how_to_move(props)}")
        made = ml.datastores.create_or_update(load(self.loader, self.definition(props)))
        return {"resource_id": made.id}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back; one that others pointed elsewhere or gave credentials shows in `content_hash`."""
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
        """Delete the name; the data stays. Another stack's is left alone."""
        existing = confirmed(lambda: self._get(ml, props["name"]))
        if existing is not None and not ownership.is_foreign(existing.tags, props["owner"]):
            ml.datastores.delete(props["name"])

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        return found(lambda: ml.datastores.get(name))


def _elsewhere(existing: Any, definition: Props) -> Props:
    """Return the keys that say where it points and that Azure has other values for, with those values."""
    there = {key: getattr(existing, key, None) for key in _PLACE if key in definition}
    there["type"] = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(getattr(existing.type, "value", existing.type))).lower()
    return {key: value for key, value in there.items() if value != definition[key]}


def _how_to_move(props: Props) -> str:
    return f"Everything that names it would read other data: in {props['path']}, use another name"


KIND = DatastoreKind()
