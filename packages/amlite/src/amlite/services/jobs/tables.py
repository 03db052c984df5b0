"""Tables that the file `MLTable` of a folder describes.

Source for its keys: the page "CLI (v2) mltable YAML schema", and the schema in the package mltable 1.6.3.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
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
_COUNTS = ("take", "skip")
_SAMPLE = "take_random_sample"
# The steps that choose rows. They count or judge the rows of the whole table, not those of a file.
ROW_STEPS = (*_COUNTS, _SAMPLE, "filter")
_COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MOST_CHARACTERS = 1000
_COLUMN = re.compile(r"\{([^{}:]+)(:[^{}]*)?\}")


def is_table(folder: Path) -> bool:
    """Whether the folder has an `MLTable`."""
    return (folder / FILE).is_file()


def of_files(files: list[str], form: str) -> Json:
    """Return a table without a description."""
    reading = {"delimiter": ",", "encoding": "utf-8", "header": True, "texts": False, "gaps": True, "path": False}
    return {"files": files, "format": form, **reading, "steps": [], "partitions": {}, "whole": False}


def read(folder: Path) -> Json:
    """Return a table: `files`, `format`, how to read a delimited file, the `steps` for each file, the `partitions`.

    The format is `delimited`, `parquet`, `json_lines`, or `files` if nothing reads the files. `partitions` has the
    columns that the path of a file gives, by file. `whole` is whether a step chooses rows, so that the files are read
    as one. Raises DataAccessError for what would not be honoured.
    """
    try:
        content = bodies.read_yaml(contained.text(folder / FILE, folder))
    except (AzureError, ValueError) as error:
        raise DataAccessError(f"the table's file {FILE} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("paths"), list):
        raise DataAccessError(f"the table's file {FILE} has no list 'paths'")
    table = of_files([str(file) for entry in content["paths"] for file in _files(folder, entry)], "files")
    steps = content.get("transformations") or []
    if not isinstance(steps, list):
        raise DataAccessError(f"{FILE}: 'transformations' is no list; begin each with '- '")
    for step in steps:
        name, options = _step(step)
        if name in _READERS and table["format"] == "files":
            table |= {"format": _READERS[name], **_reading(_settings(name, options))}
        elif name == _PARTITION:
            table["partitions"] = _partitions(folder, table["files"], _settings(name, options).get("partition_format"))
            table["steps"].append([name, None])
        elif name in ("drop_columns", "keep_columns"):
            table["steps"].append([name, _chosen(name, options)])
        elif name == "convert_column_types":
            table["steps"].append([name, list(_conversions(options))])
        elif name in ROW_STEPS and table["format"] != "files":
            table["whole"] = True
            table["steps"].append([name, _rows(name, options)])
        elif name in ROW_STEPS:
            raise DataAccessError(f"{FILE}: '{name}' chooses rows; put it after {', '.join(_READERS)}")
        else:
            columns = (_PARTITION, "drop_columns", "keep_columns", "convert_column_types")
            known = ", ".join((*_READERS, *columns, *ROW_STEPS))
            raise DataAccessError(f"{FILE}: the transformation '{name}' is not supported; use one of {known}")
    return table


def _step(step: Any) -> tuple[str, Any]:
    """Return the name and the options of a transformation."""
    if isinstance(step, str):
        return step, None
    if not isinstance(step, dict) or len(step) != 1:
        raise DataAccessError(f"{FILE}: '{step}' is no transformation; write its name, or its name and its options")
    return next((str(name), options) for name, options in step.items())


def _settings(name: str, options: Any) -> Json:
    if options is not None and not isinstance(options, dict):
        raise DataAccessError(f"{FILE}: '{name}' takes settings, each with its name, not '{options}'")
    return options or {}


def groups(table: Json, keys: Sequence[str]) -> list[Json]:
    """Return the files that have the same values of partition keys, in the order of the values: `values`, `files`."""
    if table["whole"]:
        raise DataAccessError(
            f"partition_keys: amlite divides a table by its files, so it cannot have {', '.join(ROW_STEPS)}; "
            f"remove them from {FILE}, or partition_keys"
        )
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
    inferred = options.get("infer_column_types")
    if isinstance(inferred, dict) and set(inferred) - {"sample_size"}:
        raise DataAccessError(f"{FILE}: infer_column_types takes true, false or a sample_size here; for other types, "
                              "use convert_column_types")  # fmt: skip
    if options.get("invalid_lines") not in (None, "error"):
        raise DataAccessError(f"{FILE}: invalid_lines '{options['invalid_lines']}' is not supported; use 'error'")
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
    segments = [segment.split("\0") for segment in _COLUMN.sub("\0", form).split("/")]
    found = {}
    for file in files:
        place = Path(file).relative_to(folder)
        parts = place.parts[-len(segments) :]
        values = [_values(part, literals) for part, literals in zip(parts, segments, strict=False)]
        if len(parts) < len(segments) or None in values:
            raise DataAccessError(
                f"{FILE}: the path '{place.as_posix()}' does not end with the partition_format '{form}'"
            )
        found[file] = dict(zip(columns, [each for value in values for each in value or []], strict=True))
    return found


def _values(part: str, literals: list[str]) -> list[str] | None:
    """Return the shortest texts, one between each literal and the next, that make a part of a path; None if none do.

    A regular expression with many of them takes longer than anybody lives.
    """
    first, *middle = literals
    if not middle:
        return [] if part == first else None
    last, at, values = middle.pop(), len(first), []
    for literal in middle:
        end = part.find(literal, at + 1)
        if end < 0:
            return None
        values.append(part[at:end])
        at = end + len(literal)
    end = len(part) - len(last)
    return [*values, part[at:end]] if part.startswith(first) and part.endswith(last) and end > at else None


def _conversions(options: Any) -> Iterator[tuple[list[str], str, Any]]:
    """Yield the columns, the type and the formats of a time."""
    for each in options if isinstance(options, list) else [options]:
        wanted = (each or {}).get("column_type") if isinstance(each, dict) else None
        kind, details = next(iter(wanted.items())) if isinstance(wanted, dict) and wanted else (wanted, {})
        extra = details if isinstance(details, dict) else {}
        if str(kind) not in _TYPES or not set(extra) <= {"formats"}:
            known = ", ".join(_TYPES)
            raise DataAccessError(f"{FILE}: the column_type {wanted} is not supported; use one of {known}, "
                                  "with 'formats' for a datetime")  # fmt: skip
        if isinstance(each.get("columns"), dict):
            raise DataAccessError(f"{FILE}: convert_column_types takes names of columns here, not a pattern")
        yield _names(each.get("columns")), _TYPES[str(kind)], extra.get("formats") or []


def _chosen(step: str, given: Any) -> list[str] | Json:
    """Return the names of columns, or the pattern that their names contain. mltable finds none with `ignore_case`."""
    if not isinstance(given, dict):
        return _names(given)
    if unknown := set(given) - {"pattern", "invert"} or ({"pattern"} - set(given)):
        raise DataAccessError(f"{FILE}: {step} takes names, or a 'pattern' and 'invert', not {sorted(unknown)}")
    try:
        re.compile(_bounded(f"the pattern of {step}", given["pattern"]))
    except (re.error, OverflowError, RecursionError) as error:
        raise DataAccessError(f"{FILE}: the pattern of {step}, '{given['pattern']}', is none: {error}") from error
    return {"pattern": str(given["pattern"]), "invert": bool(given.get("invert"))}


def _rows(step: str, given: Any) -> Any:
    """Return how many rows, or the share and the seed of a sample, or the condition of a filter."""
    if step == "filter":
        return _condition(given)
    if step == _SAMPLE:
        options = given if isinstance(given, dict) else {}
        share, seed = options.get("probability"), options.get("seed")
        is_share = isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share <= 1
        if not is_share or not _is_count(seed) or set(options) != {"probability", "seed"}:
            raise DataAccessError(f"{FILE}: {step} takes a 'probability' from 0 to 1 and a 'seed', not {given}")
        return {"probability": share, "seed": seed}
    if not _is_count(given):
        raise DataAccessError(f"{FILE}: {step} takes a number of rows, not {given}")
    return given


def _is_count(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and given >= 0


def _condition(given: Any) -> Json:
    """Return the tree of a filter: `and`, `or`, `not`, and comparisons of a column, as mltable reads them."""
    try:
        return _node(ast.parse(_bounded("the filter", given).strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DataAccessError(
            f"{FILE}: the filter '{given}' is not supported; compare columns with values or columns by "
            f"{', '.join(_COMPARISONS.values())}, such as col(\"age\") > 30, and join comparisons by 'and', 'or', 'not'"
        ) from error


def _bounded(what: str, given: Any) -> str:
    if len(text := str(given)) > _MOST_CHARACTERS:
        raise DataAccessError(f"{FILE}: {what} has {len(text):,} characters; write at most {_MOST_CHARACTERS:,}")
    return text


def _node(found: ast.expr) -> Json:
    if isinstance(found, ast.BoolOp):
        return {
            "join": "and" if isinstance(found.op, ast.And) else "or",
            "parts": [_node(each) for each in found.values],
        }
    if isinstance(found, ast.UnaryOp) and isinstance(found.op, ast.Not):
        return {"not": _node(found.operand)}
    if isinstance(found, ast.Compare) and len(found.ops) == 1:
        left, right = _operand(found.left), _operand(found.comparators[0])
        sign = _COMPARISONS.get(type(found.ops[0]))
        if "column" not in left:
            left, right, sign = right, left, _MIRRORED.get(str(sign), sign)
        if "column" in left and sign is not None:
            return {"compare": sign, "column": left["column"], "with": right}
    if "column" in (operand := _operand(found)):
        return {"is": operand["column"]}
    raise ValueError("neither a condition nor a column")


def _operand(found: ast.expr) -> Json:
    match found:
        case ast.Name(id=name):
            return {"column": name}
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str() as name)], keywords=[]):
            return {"column": name}
        case ast.Constant(value=bool() | str() | int() | float() as value):
            return {"value": value}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if value is not True:
            return {"value": -value}
    raise ValueError("neither a column nor a value")


def _names(given: Any) -> list[str]:
    return [str(name) for name in (given if isinstance(given, list) else [given]) if name is not None]


def _files(folder: Path, entry: Any) -> list[Path]:
    kind, value = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else ("", "")
    path = Path(str(value))
    is_inside = "://" not in str(value) and not path.is_absolute() and ".." not in path.parts
    if kind not in ("file", "folder", "pattern") or not is_inside or (kind == "pattern" and not path.parts):
        raise DataAccessError(
            f"{FILE}: the path {entry} is not supported; use 'file', 'folder' or 'pattern', relative to {FILE}"
        )
    relative = str(value).removeprefix("./")
    found = [folder / relative]
    if kind == "pattern":
        found = [each for each in sorted(folder.rglob("*")) if _fits(each.relative_to(folder).parts, path.parts)]
    elif kind == "folder":
        found = sorted((folder / relative).rglob("*"))
    files = [path for path in found if path.is_file() and path.name != FILE]
    if not files:
        raise DataAccessError(f"{FILE}: the path '{value}' matches no file in the table's folder")
    return files


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a path fits a pattern: `**` is any folders. Neither links nor repetitions make it long."""
    places = _with_none(pattern, {0})
    for part in path:
        further = {place for place in places if pattern[place : place + 1] == ("**",)}
        others = [place for place in places - further if place < len(pattern)]
        places = _with_none(pattern, further | {each + 1 for each in others if fnmatchcase(part, pattern[each])})
    return len(pattern) in places


def _with_none(pattern: Sequence[str], places: set[int]) -> set[int]:
    """Return places in a pattern with those behind each `**`, which may be no folder."""
    found = set(places)
    for place, part in enumerate(pattern):
        if place in found and part == "**":
            found.add(place + 1)
    return found
