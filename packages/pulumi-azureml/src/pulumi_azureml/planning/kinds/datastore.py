"""Datastores: `ml/**/datastore.yml`. A container of a storage account, which readers access with their own identity."""

from __future__ import annotations

import posixpath
import re
from typing import ClassVar

from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import DEFAULT_DATASTORES, Draft
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import listing, suggestion
from pulumi_azureml.planning.settings import CatalogueSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")

# Sources: the YAML schemas of blob, data lake and file datastores.
_PROTOCOLS = ("abfs", "abfss", "http", "https", "wasb", "wasbs")

# "Naming and Referencing Containers, Blobs, and Metadata" and "... Shares, Directories, Files, and Metadata".
_CONTAINER = re.compile(r"\$root|\$web|\$logs|(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_CONTAINER_RULE = "use 3 to 63 lower-case letters, digits and single '-', starting and ending with a letter or digit"
_PLACES = (
    ("account_name", re.compile(r"[a-z0-9]{3,24}"), "use 3 to 24 lower-case letters and digits"),
    ("container_name", _CONTAINER, _CONTAINER_RULE),
    ("filesystem", _CONTAINER, _CONTAINER_RULE),
    ("file_share_name", _CONTAINER, _CONTAINER_RULE),
)


class DatastoreKind(Kind):
    """A blob container, a Data Lake Storage Gen2 file system or a file share of a storage account."""

    name = "datastore"
    loader = "load_datastore"
    schemas: ClassVar = {
        "azure_blob": "_datastore:AzureBlobSchema",
        "azure_data_lake_gen2": "_datastore:AzureDataLakeGen2Schema",
        "azure_file": "_datastore:AzureFileSchema",
    }
    metadata = frozenset({"description", "tags"})

    def claims(self, path: str) -> bool:
        """Claim files anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "datastore.yml"

    def schema_type(self, document: Document) -> str:
        """Return the type of storage."""
        return str(document.data.get("type", ""))

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses or that the workspace reserves."""
        if draft.id.name.lower() in DEFAULT_DATASTORES:
            message = f"'{draft.id.name}' is a default datastore, which every workspace has"
            draft.problem(("name",), message, "use another name; you can refer to this one without a file")
        elif not _NAME.fullmatch(draft.id.name):
            fix = "use letters, digits, '-' and '_', starting with a letter or digit, 255 at most"
            draft.problem(("name",), f"'{draft.id.name}' is not a valid datastore name", fix)

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Refuse secrets. The message does not contain them."""
        protocol = draft.definition.get("protocol")
        if protocol is not None and str(protocol).lower() not in _PROTOCOLS:
            advice = suggestion(str(protocol), _PROTOCOLS, otherwise=f"use one of {listing(_PROTOCOLS)}")
            draft.problem(("protocol",), f"'protocol' cannot be '{protocol}'", advice)
        for key, rule, advice in _PLACES:
            value = draft.definition.get(key)
            if isinstance(value, str) and value and not rule.fullmatch(value):
                draft.problem((key,), f"'{value}' cannot be a name in Azure Storage", advice)
        credentials = draft.definition.get("credentials")
        if credentials is not None:
            keys = ", ".join(sorted(map(str, credentials))) if isinstance(credentials, dict) else ""
            message = f"'credentials' must not be in a repository{f' ({keys})' if keys else ''}"
            fix = (
                "remove `credentials:` (and replace what was committed): the datastore then signs in by identity; give "
                "who reads, such as the compute's identity, the role Storage Blob Data Reader on the account"
            )
            draft.problem(("credentials",), message, fix)


KIND = DatastoreKind()
