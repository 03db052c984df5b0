"""Checks the rules of gates before anything is uploaded: every gate.yml, and the overrides that a pipeline sets."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml.gate.src.rules import RulesError, mistakes, overridden
from pulumi_azureml import Catalogue, Problem
from pulumi_azureml.planning.documents import Document, read

_FILES = "ml/**/gate.yml"
_COMPONENT = "gate"
_INPUT = re.compile(r"\$\{\{\s*parent\.inputs\.(\w+)\s*\}\}")
_REFERENCE = re.compile(r"azureml:(?://registries/[^/]+/\w+/)?([^:@/]+)(?:[:@/].*)?")


def problems(root: Path) -> list[Problem]:
    """Return the mistakes in every gate.yml below `ml/`, with file and line."""
    found: list[Problem] = []
    for file in sorted(root.glob(_FILES)):
        document = read(root, file.relative_to(root).as_posix())
        if isinstance(document, Problem):
            found.append(document)
            continue
        found += [document.problem(each.keys, each.problem, each.fix) for each in mistakes(document.data)]
    return found


def override_problems(root: Path, catalogue: Catalogue, pipeline: Mapping[str, Any]) -> Iterator[str]:
    """Yield an error for each gate of a pipeline whose overrides do not fit its gate.yml."""
    inputs = pipeline.get("inputs") or {}
    for step, job in (pipeline.get("jobs") or {}).items():
        if _named(job.get("component")) != _COMPONENT:
            continue
        given = {name: _value(value, inputs) for name, value in (job.get("inputs") or {}).items()}
        document = _rules(root, catalogue, given.get("rules"))
        if document is None or not isinstance(given.get("overrides"), str):
            continue
        try:
            changed = overridden(document.data, given["overrides"])
        except RulesError as error:
            yield f"step '{step}': {error}"
            continue
        yield from (f"step '{step}': overrides {given['overrides']!r}: {each}" for each in mistakes(changed))


def _rules(root: Path, catalogue: Catalogue, value: Any) -> Document | None:
    """Return the gate.yml of an input, or None if no file of the project is its value or the file has mistakes."""
    name = _named(value.get("path") if isinstance(value, Mapping) else value)
    asset = next((each for each in catalogue.of("data") if each.name == name), None)
    document = read(root, str(asset.definition["path"])) if asset is not None else None
    return document if isinstance(document, Document) and not mistakes(document.data) else None


def _named(reference: Any) -> str | None:
    """Return the name in a reference to a version in the workspace or a registry, or None."""
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    return match[1] if match else None


def _value(value: Any, inputs: Mapping[str, Any]) -> Any:
    """Return a step's input, or the input of the pipeline that it is bound to."""
    match = _INPUT.fullmatch(value) if isinstance(value, str) else None
    return inputs.get(match[1]) if match else value
