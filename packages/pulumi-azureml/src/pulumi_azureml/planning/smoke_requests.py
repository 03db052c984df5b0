"""The request beside an endpoint's file, which a rollout sends to a new deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pulumi_azureml.planning import documents
from pulumi_azureml.planning.problems import Problem

_FIX = "write the body of a request to the endpoint"


def check_request(root: Path, path: str) -> Iterator[Problem]:
    """Report a request that is not JSON. An endpoint does not need one."""
    if not (root / path).exists():
        return
    text = documents.read_text(root, path)
    if isinstance(text, Problem):
        yield text
        return
    try:
        json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        yield Problem(path, error.lineno, f"is not JSON: {error.msg}", _FIX)
    except (ValueError, RecursionError) as error:
        yield Problem(path, 0, f"is not JSON: {error}", _FIX)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a value of JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an object has a key twice")
    return dict(pairs)
