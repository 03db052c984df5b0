"""Text in a stack file that Pulumi reads as a number: `postfix: 001` reaches the program as 1."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from pulumi_azureml.planning import Problem
from pulumi_azureml.planning.documents import Document, KeyPath, read


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


def takes_text(field: FieldInfo | None) -> bool:
    """Whether a setting, or each entry of a list or a map of it, is text."""
    return field is not None and "str" in str(field.annotation)


def _differs(document: Document, keys: KeyPath, text: str) -> bool:
    """Whether a number has another spelling than the one that Pulumi makes of it. Pulumi leaves `yes` as it is."""
    value: Any = document.data
    for key in keys:
        value = value[key]
    return not isinstance(value, bool) and str(value) != text
