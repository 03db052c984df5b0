"""Values of a stack file that no setting can have, and text that Pulumi reads as a number or a date.

`postfix: 001` reaches the program as 1, and `built: 2013-10-01` with a time of day.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from pulumi_azureml.planning import Problem
from pulumi_azureml.planning.assets import get, put
from pulumi_azureml.planning.documents import Document, KeyPath, read

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST_LEVELS = 20
_MOST_CHARACTERS = 10_000
_MOST_NUMBER = 1 << 53


def unfit_values(value: Any, location: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield the location of each value that no setting can have, and the reason."""
    if len(location) > _MOST_LEVELS:
        yield location[:2], f"is nested more than {_MOST_LEVELS} levels deep"
    elif isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and (reason := _unfit_text(key)):
                yield location, f"has a key that {reason}"
            else:
                yield from unfit_values(each, (*location, key))
    elif isinstance(value, str):
        if reason := _unfit_text(value):
            yield location, reason
    elif isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= _MOST_NUMBER):
        yield location, "is not a number that Pulumi keeps as it is"


def _unfit_text(text: str) -> str:
    if _CONTROL.search(text):
        return "has control characters"
    return f"has more than {_MOST_CHARACTERS:,} characters" if len(text) > _MOST_CHARACTERS else ""


def retyped(file: Path, namespace: str) -> Iterator[tuple[KeyPath, str]]:
    """Yield the location and the text of each value without quotes that Pulumi changes, below a namespace's keys.

    A file that cannot be read has none: Pulumi reports it.
    """
    document = read(file.parent, file.name) if file.is_file() else None
    if document is None or isinstance(document, Problem):
        return
    for keys, text in document.written.items():
        match keys:
            case ("config", str(key), *rest) if key.startswith(f"{namespace}:") and _differs(document, keys, text):
                yield (key.removeprefix(f"{namespace}:"), *rest), text
    for keys in document.dates:
        match keys:
            case ("config", str(key), *rest) if key.startswith(f"{namespace}:"):
                yield (key.removeprefix(f"{namespace}:"), *rest), str(get(document.data, keys))


def with_text(value: str, location: KeyPath, text: str) -> str:
    """Return a value as Pulumi passes it, with a text in place of what Pulumi read at a location in it."""
    if not location:
        return json.dumps(text)
    content = json.loads(value)
    put(content, location, text)
    return json.dumps(content)


def takes_text(field: FieldInfo | None) -> bool:
    """Whether a setting, or each entry of a list or a map of it, is text."""
    return field is not None and "str" in str(field.annotation)


def _differs(document: Document, keys: KeyPath, text: str) -> bool:
    """Whether a number has another spelling than the one that Pulumi makes of it. Pulumi leaves `yes` as it is."""
    value = get(document.data, keys)
    return not isinstance(value, bool) and str(value) != text
