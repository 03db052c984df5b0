"""Values that mean what was written.

YAML 1.1, which `az ml` reads, takes `1.10` for 1.1, `0123456` for an octal number and `yes` for true. Where Azure takes
text, the text in the file counts, and a warning names the place. Where Azure takes a number, a spelling that other
versions of YAML read as another number is refused.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pulumi_azureml.planning import schema
from pulumi_azureml.planning.assets import Definition, get, put
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.inputs import Components, input_type
from pulumi_azureml.planning.problems import Problem

# Mappings to texts that azure-ai-ml's schemas leave open.
_TEXTS = ("conda_file", "environment_variables", "properties", "tags")
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
            if not self._has(keys) or self._is_input(keys):
                continue
            types = schema.types_at(kind, type_name, self._document.data, keys)
            if keys[-1] == "default" and len(keys) > 1:
                types = {str(get(self._definition, keys[:-1]).get("type"))}
            if any(name in keys[:-1] for name in _TEXTS) or types == {"string"} or keys == ("version",):
                self._as_text(keys, text)
            elif "any" not in types and types != {"boolean"}:
                self._as_number(keys, text, is_number=types <= _NUMBERS and bool(types))
        for keys in self._document.dates:
            if self._has(keys):
                text = str(get(self._definition, keys))
                self._warn_of(keys, f"'{_dotted(keys)}' is the text '{text}', which YAML 1.1 reads as a date", text)
        for keys, read in self._document.keys.items():
            if self._has(keys):
                self._warn_of(keys, f"the key '{_dotted(keys)}' is text, which YAML 1.1 reads as {read}", str(keys[-1]))

    def by_no_component(self) -> None:
        """Correct the inputs of a job that no component declares, and the values that an expression can be part of."""
        for keys, text in self._document.written.items():
            if self._has(keys) and self._is_input(keys):
                self._input(keys, text, None)

    def check_numbers(self) -> None:
        """Report numbers that JSON cannot carry."""
        for keys, value in _floats(self._definition):
            if not math.isfinite(value):
                message = f"'{_dotted(keys)}' is {value}, which is not a number that Azure can store"
                self.problems.append(self._document.problem(keys, message, "write a finite number"))

    def by_component(self, components: Components, overridden: Collection[KeyPath]) -> None:
        """Correct the values of a pipeline's and its steps' inputs, whose types the components declare."""
        for keys, text in self._document.written.items():
            if not self._has(keys) or keys in overridden:
                continue
            match keys:
                case ("inputs", str(name)) | ("inputs", str(name), "value"):
                    self._input(keys, text, self._pipeline_input(name, keys, text, components))
                case ("jobs", str(step), "inputs", str(port)) | ("jobs", str(step), "inputs", str(port), "value"):
                    job = get(self._definition, ("jobs", step))
                    self._input(keys, text, declared(job, components).get(port))
                case ("jobs", str(step), "search_space", str(port), "values", _):
                    job = get(self._definition, ("jobs", step))
                    if declared(job, components).get(port) == "string":
                        self._as_text(keys, text)

    def by_pipeline(self, pipeline: Definition) -> None:
        """Correct the inputs that a schedule changes, by the values in the pipeline that it starts."""
        theirs: dict[str, Any] = pipeline.get("inputs") or {}
        for keys, text in self._document.written.items():
            if keys[:2] == ("create_job", "inputs") and self._has(keys):
                value = theirs.get(str(keys[2]))
                value = value.get("value") if isinstance(value, dict) else value
                self._input(keys, text, "string" if isinstance(value, str) else None)

    def _is_input(self, keys: KeyPath) -> bool:
        """Whether a value is that of an input of a job or of a step, whose type its component says."""
        match keys:
            case ("inputs", _) | ("inputs", _, "value"):
                return True
            case ("jobs", _, "inputs", _) | ("jobs", _, "inputs", _, "value"):
                return True
        return False

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
        value = get(self._definition, keys)
        if type_ in _NUMBERS:
            self._as_number(keys, text, is_number=True)
        elif type_ == "string" or (type_ != "boolean" and not _is_as_written(text, value)):
            self._as_text(keys, text)

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
        read = _shown(value)
        if read != text:
            self._warn_of(keys, f"'{_dotted(keys)}' is the text '{text}', which YAML 1.1 reads as {read}", text)

    def _warn_of(self, keys: KeyPath, message: str, text: str) -> None:
        self.warnings.append(self._document.problem(keys, message, f"write it in quotes: '{text}'"))


def sent_as_read(document: Document) -> Iterator[Problem]:
    """Yield warnings of the texts in a file of conda that azure-ai-ml sends as YAML 1.1 reads them."""
    read = {keys: _shown(get(document.data, keys)) for keys in document.written}
    wrong = {keys: read[keys] for keys, text in document.written.items() if read[keys] != text}
    for keys, value in {**wrong, **dict.fromkeys(document.dates, "a date")}.items():
        text = document.written.get(keys) or str(get(document.data, keys))
        message = f"azure-ai-ml sends '{_dotted(keys)}' as YAML 1.1 reads it: '{text}' is {value}"
        yield document.problem(keys, message, f"write it in quotes: '{text}'")


def declared(step: Mapping[str, Any], components: Components) -> dict[str, Any]:
    """Return the types of the inputs of a step's component, which is in a file or in the step."""
    reference = step.get("component", step.get("trial"))
    ports = components(reference) if isinstance(reference, str) else None
    if isinstance(reference, dict):
        ports = reference.get("inputs")
    named = ports.items() if isinstance(ports, Mapping) else ()
    return {str(name): port.get("type") for name, port in named if isinstance(port, dict)}


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dotted(keys: KeyPath) -> str:
    return ".".join(map(str, keys))


def _is_as_written(text: str, value: Any) -> bool:
    """Whether a value reads as a text in each version of YAML, and is written as azure-ai-ml sends it."""
    return _reads(text, value) and _shown(value) == text.lower()


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
