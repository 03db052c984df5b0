"""Values that mean what was written.

YAML 1.1, which `az ml` reads, takes `1.10` for 1.1, `0123456` for an octal number and `yes` for true. Where Azure takes
text, the text in the file counts, and a warning names the place. Where Azure takes a number, a spelling that other
versions of YAML read as another number is refused.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any

from pulumi_azureml.planning import schema
from pulumi_azureml.planning.assets import Definition, get, put
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.inputs import Components, input_type
from pulumi_azureml.planning.problems import Problem

# Mappings of names to texts that azure-ai-ml's schemas leave open.
_TEXTS = ("environment_variables", "properties", "tags")
_NUMBERS = frozenset({"integer", "number"})
_INPUT, _STEP_INPUT = 2, 4


class Spelling:
    """Corrects the values of one definition. `problems` and `warnings` are those found so far."""

    def __init__(self, document: Document, definition: Definition) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._document = document
        self._definition = definition

    def by_schema(self, kind: str, type_name: str) -> None:
        """Correct the values that have a type in azure-ai-ml's schema."""
        for keys, text in self._document.written.items():
            if not self._has(keys):
                continue
            types = schema.types_at(kind, type_name, self._document.data, keys)
            if keys[-1] == "default" and len(keys) > 1:
                types = {str(get(self._definition, keys[:-1]).get("type"))}
            if any(name in keys[:-1] for name in _TEXTS) or types == {"string"} or keys == ("version",):
                self._as_text(keys, text)
            elif "any" not in types:
                self._as_number(keys, text, is_number=types <= _NUMBERS and bool(types))
        for keys, value in _floats(self._definition):
            if not math.isfinite(value):
                message = f"'{'.'.join(map(str, keys))}' is {value}, which is not a number that Azure can store"
                self.problems.append(self._document.problem(keys, message, "write a finite number"))

    def by_component(self, components: Components, overridden: Collection[KeyPath]) -> None:
        """Correct the values of a pipeline's and its steps' inputs, whose types the components declare."""
        for keys, text in self._document.written.items():
            if not self._has(keys) or keys in overridden:
                continue
            match keys:
                case ("inputs", str(name)) | ("inputs", str(name), "value"):
                    self._input(keys, text, self._pipeline_input(name, keys, text, components))
                case ("jobs", step, "inputs", port) | ("jobs", step, "inputs", port, "value"):
                    job = get(self._definition, ("jobs", step))
                    reference = job.get("component", job.get("trial"))
                    declared = components(reference) if isinstance(reference, str) else {}
                    known = declared.get(str(port))
                    self._input(keys, text, known.get("type") if isinstance(known, dict) else None)

    def by_pipeline(self, pipeline: Definition) -> None:
        """Correct the inputs that a schedule changes, by the values in the pipeline that it starts."""
        theirs: dict[str, Any] = pipeline.get("inputs") or {}
        for keys, text in self._document.written.items():
            if keys[:2] == ("create_job", "inputs") and self._has(keys):
                value = theirs.get(str(keys[2]))
                value = value.get("value") if isinstance(value, dict) else value
                self._input(keys, text, "string" if isinstance(value, str) else None)

    def _has(self, keys: KeyPath) -> bool:
        """Whether the definition has the file's value, and no one of the stack's."""
        try:
            return get(self._definition, keys) is not None
        except (KeyError, IndexError, TypeError):
            return False

    def _pipeline_input(self, name: str, keys: KeyPath, text: str, components: Components) -> str | None:
        """Return the type of a pipeline's input, or None if neither the pipeline nor a component declares it."""
        value = get(self._definition, keys)
        found = input_type(name, self._definition, components)
        put(self._definition, keys, text)
        as_text = input_type(name, self._definition, components)
        put(self._definition, keys, value)
        return found if found == as_text else None

    def _input(self, keys: KeyPath, text: str, type_: str | None) -> None:
        if type_ == "string":
            self._as_text(keys, text)
        elif type_ != "boolean":
            self._as_number(keys, text, is_number=type_ in _NUMBERS)

    def _as_text(self, keys: KeyPath, text: str) -> None:
        self._warn(keys, text, get(self._definition, keys))
        put(self._definition, keys, text)

    def _as_number(self, keys: KeyPath, text: str, *, is_number: bool) -> None:
        """Refuse a number that other versions of YAML read differently. If the type is open, keep the text."""
        value = get(self._definition, keys)
        if _reads(text, value):
            return
        if is_number and not isinstance(value, bool):
            message = f"YAML 1.1 reads '{text}' as {value}, and other versions do not"
            self.problems.append(self._document.problem(keys, message, "write the number with decimal digits only"))
        elif not is_number:
            self._as_text(keys, text)

    def _warn(self, keys: KeyPath, text: str, value: Any) -> None:
        read = str(value).lower() if isinstance(value, bool) else str(value)
        if read != text:
            message = f"'{'.'.join(map(str, keys))}' is the text '{text}', which YAML 1.1 reads as {read}"
            self.warnings.append(self._document.problem(keys, message, f"write it in quotes: '{text}'"))


def _reads(text: str, value: Any) -> bool:
    """Whether every version of YAML reads a text as a value."""
    if isinstance(value, bool):
        return text.lower() in ("true", "false")
    try:
        read = float(text)
    except ValueError:
        return not math.isfinite(value)
    # 010 is eight in YAML 1.1.
    return bool(read == value)


def _floats(value: Any, keys: KeyPath = ()) -> Iterator[tuple[KeyPath, float]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _floats(item, (*keys, key))
    elif isinstance(value, float):
        yield keys, value
