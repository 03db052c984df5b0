"""Tables that the file `MLTable` of a folder describes.

Source for its keys: the page "CLI (v2) mltable YAML schema".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from amlite.core import bodies, contained
from amlite.core.errors import AzureError
from amlite.core.wire import Json
from amlite.services.jobs.data import DataAccessError

FILE = "MLTable"
_READERS = {"read_delimited": "delimited", "read_parquet": "parquet", "read_json_lines": "json_lines"}
_DELIMITERS = {"\\t": "\t", "tab": "\t", "comma": ","}
_ENCODINGS = {"utf8": "utf-8", "iso88591": "iso-8859-1", "latin1": "latin-1", "ascii": "ascii", "utf16": "utf-16",
              "windows1252": "cp1252"}  # fmt: skip
_HEADERS = ("all_files_same_headers", "from_first_file", "all_files_different_headers", "no_header")
_SETTINGS = ("delimiter", "encoding", "header", "empty_as_string", "include_path_column", "infer_column_types",
             "support_multi_line", "partition_size", "invalid_lines")  # fmt: skip
_TYPES = {"string": "string", "int": "integer", "long": "integer", "float": "number", "double": "number",
          "boolean": "boolean", "bool": "boolean", "datetime": "datetime"}  # fmt: skip
_PARTITION = "extract_columns_from_partition_format"
_COLUMN = re.compile(r"\{([^{}:]+)(:[^{}]*)?\}")


def is_table(folder: Path) -> bool:
    """Whether the folder has an `MLTable`."""
    return (folder / FILE).is_file()


def of_files(files: list[str], form: str) -> Json:
    """Return a table without a description."""
    reading = {"delimiter": ",", "encoding": "utf-8", "header": True, "texts": False, "gaps": True, "path": False}
    return {"files": files, "format": form, **reading, "steps": [], "partitions": {}}


def read(folder: Path) -> Json:
    """Return a table: `files`, `format`, how to read a delimited file, the `steps` for each file, the `partitions`.

    The format is `delimited`, `parquet`, `json_lines`, or `files` if nothing reads the files. `partitions` has the
    columns that the path of a file gives, by file. Raises DataAccessError for what would not be honoured.
    """
    try:
        content = bodies.read_yaml(contained.text(folder / FILE, folder))
    except (AzureError, ValueError) as error:
        raise DataAccessError(f"the table's file {FILE} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("paths"), list):
        raise DataAccessError(f"the table's file {FILE} has no list 'paths'")
    table = of_files([str(file) for entry in content["paths"] for file in _files(folder, entry)], "files")
    for step in content.get("transformations") or []:
        name, options = (step, {}) if isinstance(step, str) else next(iter(step.items()))
        if name in _READERS and table["format"] == "files":
            table |= {"format": _READERS[name], **_reading(options or {})}
        elif name == _PARTITION:
            table["partitions"] = _partitions(folder, table["files"], (options or {}).get("partition_format"))
            table["steps"].append([name, None])
        elif name in ("drop_columns", "keep_columns"):
            table["steps"].append([name, _names(options)])
        elif name == "convert_column_types":
            table["steps"].append([name, list(_conversions(options))])
        else:
            known = ", ".join((*_READERS, _PARTITION, "drop_columns", "keep_columns", "convert_column_types"))
            raise DataAccessError(f"{FILE}: the transformation '{name}' is not supported; use one of {known}")
    return table


def groups(table: Json, keys: Sequence[str]) -> list[Json]:
    """Return the files that have the same values of partition keys, in the order of the values: `values`, `files`."""
    found: dict[tuple[str, ...], list[str]] = {}
    for file in table["files"]:
        columns = table["partitions"].get(file, {})
        if missing := [key for key in keys if key not in columns]:
            known = ", ".join(columns) or "none"
            raise DataAccessError(
                f"partition_keys: the table has no partition by {', '.join(missing)}; its {FILE} names the columns of "
                f"its partitions in {_PARTITION}: {known}"
            )
        found.setdefault(tuple(columns[key] for key in keys), []).append(file)
    return [{"values": dict(zip(keys, values, strict=True)), "files": found[values]} for values in sorted(found)]


def _reading(options: Json) -> Json:
    encoding, header = str(options.get("encoding") or "utf8"), str(options.get("header") or _HEADERS[0])
    delimiter = str(options.get("delimiter") or ",")
    python = _ENCODINGS.get(encoding.lower().replace("-", "").replace("_", ""))
    unknown = [name for name in options if name not in _SETTINGS]
    if python is None or header not in _HEADERS or unknown:
        wrong = f"'{unknown[0]}'" if unknown else f"'{encoding if python is None else header}'"
        known = f"the headers {', '.join(_HEADERS)} and the encodings {', '.join(_ENCODINGS)}"
        raise DataAccessError(f"{FILE}: {wrong} is not supported; use the settings {', '.join(_SETTINGS)}, {known}")
    return {
        "delimiter": _DELIMITERS.get(delimiter, delimiter),
        "encoding": python,
        "header": header != "no_header",
        "texts": options.get("infer_column_types") is False,
        "gaps": not options.get("empty_as_string"),
        "path": bool(options.get("include_path_column")),
    }


def _partitions(folder: Path, files: list[str], form: Any) -> dict[str, Json]:
    """Return the columns that the format of partitions finds at the end of each file's path."""
    form = str(form or "").lstrip("/")
    columns = [found[1] for found in _COLUMN.finditer(form)]
    if not columns or any(found[2] for found in _COLUMN.finditer(form)):
        raise DataAccessError(f"{FILE}: the partition_format '{form}' is not supported; write columns of text, such as "
                              "{store}/{file_name}.{extension}")  # fmt: skip
    literal = [re.escape(part) for part in _COLUMN.sub("\0", form).split("\0")]
    pattern = re.compile("(?:^|/)" + "([^/]+?)".join(literal) + "$")
    found = {}
    for file in files:
        match = pattern.search(Path(file).relative_to(folder).as_posix())
        if match is None:
            place = Path(file).relative_to(folder).as_posix()
            raise DataAccessError(f"{FILE}: the path '{place}' does not end with the partition_format '{form}'")
        found[file] = dict(zip(columns, match.groups(), strict=True))
    return found


def _conversions(options: Any) -> Iterator[tuple[list[str], str, Any]]:
    """Yield the columns, the type and the formats of a time."""
    for each in options if isinstance(options, list) else [options]:
        wanted = (each or {}).get("column_type") if isinstance(each, dict) else None
        kind, details = next(iter(wanted.items())) if isinstance(wanted, dict) and wanted else (wanted, {})
        extra = details if isinstance(details, dict) else {}
        if kind not in _TYPES or not set(extra) <= {"formats"}:
            known = ", ".join(_TYPES)
            raise DataAccessError(f"{FILE}: the column_type {wanted} is not supported; use one of {known}, "
                                  "with 'formats' for a datetime")  # fmt: skip
        yield _names(each.get("columns")), _TYPES[str(kind)], extra.get("formats") or []


def _names(given: Any) -> list[str]:
    return [str(name) for name in (given if isinstance(given, list) else [given]) if name is not None]


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
