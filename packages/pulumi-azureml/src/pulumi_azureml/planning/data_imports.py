"""Imports of data: the `import_data` of a schedule. Its mistakes are reported here, with file and key.

Sources: "CLI (v2) schedule YAML schema for data import", "Import data assets", and what azure-ai-ml sends: it drops the
keys of a source that are not in `_SENT`.
"""

from __future__ import annotations

import re
from typing import Any

from pulumi_azureml.planning.drafts import Draft
from pulumi_azureml.planning.problems import listing

_KEY = "import_data"
# The type of a source -> what azure-ai-ml sends of it, and the key that says what to import.
_SENT = {"database": ("query", "connection"), "file_system": ("path", "connection")}
_CONNECTION = re.compile(r"azureml:[A-Za-z0-9][A-Za-z0-9_-]{2,32}")
_PLACE = re.compile(r"azureml://(?:subscriptions/.+/)?datastores/[^/]+(?:/.*)?", re.IGNORECASE)
_DATA = {"database": "mltable", "file_system": "uri_folder"}


def collect(draft: Draft) -> None:
    """Report the mistakes of an import that azure-ai-ml and Azure find late, or not at all."""
    given = draft.definition[_KEY]
    if not isinstance(given, dict):
        fix = "write the import below `import_data:`, or the path of a file that has it"
        said = f"names the file '{given}', which does not exist here" if isinstance(given, str) else "is empty"
        draft.problem((_KEY,), f"'{_KEY}' {said}", fix)
        return
    path = given.get("path")
    if isinstance(path, str) and not _PLACE.fullmatch(path):
        fix = "write where the data goes, such as `azureml://datastores/workspaceblobstore/paths/sales/${{name}}`"
        draft.problem((_KEY, "path"), f"the path of the import cannot be '{path}'", fix)
    source = given.get("source")
    if isinstance(source, dict):
        _source(draft, source, given.get("type"))


def _source(draft: Draft, source: dict[str, Any], data: object) -> None:
    keys = (_KEY, "source")
    kind = str(source.get("type") or "file_system").lower()
    if kind not in _SENT:
        return  # the schema refuses it
    for key in sorted(source.keys() - {"type", *_SENT[kind]}):
        fix = f"use {listing(_SENT[kind])}"
        draft.problem((*keys, key), f"azure-ai-ml does not send '{key}' of a source of type '{kind}'", fix)
    what = _SENT[kind][0]
    if not source.get(what):
        draft.problem(keys, f"the source has no '{what}'", f"add `{what}:`, which says what is imported")
    connection = source.get("connection")
    if isinstance(connection, str) and not _CONNECTION.fullmatch(connection):
        fix = "write `azureml:` and the name of a connection of the workspace"
        draft.problem((*keys, "connection"), f"'{connection}' is not a connection", fix)
    if data is not None and str(data).lower() != _DATA[kind]:
        message = f"an import from a source of type '{kind}' makes data of type '{_DATA[kind]}', not '{data}'"
        draft.problem((_KEY, "type"), message, f"write `type: {_DATA[kind]}`")
