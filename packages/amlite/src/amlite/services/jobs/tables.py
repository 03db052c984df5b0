"""Tables that the file `MLTable` of a folder describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amlite.core import bodies, contained
from amlite.core.errors import AzureError
from amlite.core.wire import Json
from amlite.services.jobs.data import DataAccessError

FILE = "MLTable"
_READERS = {"read_delimited": "delimited", "read_parquet": "parquet", "read_json_lines": "json_lines"}
_DELIMITERS = {"\\t": "\t", "tab": "\t", "comma": ","}


def is_table(folder: Path) -> bool:
    """Whether the folder has an `MLTable`."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Json:
    """Return a table: `files` (paths), `format` (delimited, parquet, json_lines; `files` of no reader), `delimiter`.

    Raises DataAccessError for unsupported tables: other transformations, or files elsewhere than in the folder.
    """
    try:
        content = bodies.read_yaml(contained.text(folder / FILE, folder))
    except (AzureError, ValueError) as error:
        raise DataAccessError(f"the table's file {FILE} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("paths"), list):
        raise DataAccessError(f"the table's file {FILE} has no list 'paths'")
    files = [str(file) for entry in content["paths"] for file in _files(folder, entry)]
    form, delimiter = "files", ","
    for step in content.get("transformations") or []:
        name, options = (step, {}) if isinstance(step, str) else next(iter(step.items()))
        if name not in _READERS or form != "files":
            known = ", ".join(_READERS)
            raise DataAccessError(f"{FILE}: the transformation '{name}' is not supported; use one of {known}")
        form = _READERS[name]
        delimiter = str((options or {}).get("delimiter") or ",")
    return {"files": files, "format": form, "delimiter": _DELIMITERS.get(delimiter, delimiter)}


def _files(folder: Path, entry: Any) -> list[Path]:
    kind, value = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else ("", "")
    path = Path(str(value))
    if kind not in ("file", "folder", "pattern") or "://" in str(value) or path.is_absolute() or ".." in path.parts:
        raise DataAccessError(
            f"{FILE}: the path {entry} is not supported; use 'file', 'folder' or 'pattern', relative to {FILE}"
        )
    relative = str(value).removeprefix("./")
    found = sorted(folder.glob(relative)) if kind == "pattern" else [folder / relative]
    if kind == "folder":
        found = sorted((folder / relative).rglob("*"))
    files = [path for path in found if path.is_file() and path.name != FILE]
    if not files:
        raise DataAccessError(f"{FILE}: the path '{value}' matches no file in the table's folder")
    return files
