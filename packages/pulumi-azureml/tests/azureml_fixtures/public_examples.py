"""Measure how many files of a checkout of public examples the catalogue plans, of those that azure-ai-ml submits.

`docs/az-ml-files.md` has the record. To measure again, with a clone of https://github.com/Azure/azureml-examples:

PYTHONPATH=packages/pulumi-azureml/tests .venv/bin/python -m azureml_fixtures.public_examples FOLDER COMMIT
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from amlite.testing import LocalAzure, Workspace
from azureml_fixtures.asking import submits
from pulumi_azureml.planning import CatalogueErrors, CatalogueSettings, Folders, load_catalogue
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.recognising import recognise

RECORD = Path(__file__).with_name("public_examples.json")
_PARTS = ("cli", "sdk")


def measure(root: Path) -> dict[str, Any]:
    """Return the numbers of files by kind and outcome, each refusal of ours, and each refusal of the client.

    A refusal of the client has its reason and ours, or what becomes of the file.
    """
    found = {path: (kind, data) for path, kind, data in _definitions(root)}
    endpoints = {str(data.get("name")): path for path, (kind, data) in found.items() if kind.endswith("_endpoint")}
    counts: dict[str, dict[str, int]] = {}
    refused: dict[str, str] = {}
    by_client: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as state, LocalAzure.started(Path(state)) as azure, azure.signed_in():
        client = Workspace.create(azure, "examples").client()
        for path, (kind, data) in found.items():
            if not _loads(root / path, kind, data):
                continue
            endpoint = endpoints.get(str(data.get("endpoint_name")), path)
            outcome, why = _outcome(root, path, endpoint)
            if said := submits(client, KINDS[kind].loader_of(data), root / path):
                by_client[path] = [said.replace(f"{root}/", ""), why or f"nothing: the file is {outcome}"]
                outcome = "not submitted"
            elif outcome == "refused":
                refused[path] = why
            numbers = counts.setdefault(kind, {})
            numbers[outcome] = numbers.get(outcome, 0) + 1
    return {"counts": counts, "refused": refused, "by_client": by_client}


def _definitions(root: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the files that define an asset or a job: path, kind, content."""
    for part in _PARTS:
        for file in sorted((root / part).rglob("*")):
            if file.suffix not in (".yml", ".yaml") or not file.is_file():
                continue
            with contextlib.suppress(yaml.YAMLError, UnicodeDecodeError):
                data = yaml.safe_load(file.read_text("utf-8"))
                known = recognise(data) if isinstance(data, dict) else None
                if known is not None and known.kind:
                    yield file.relative_to(root).as_posix(), known.kind, data


def _loads(file: Path, kind: str, data: dict[str, Any]) -> bool:
    """Whether azure-ai-ml can load a file."""
    from azure.ai.ml.entities import _load_functions

    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            getattr(_load_functions, KINDS[kind].loader_of(data))(file)
        except Exception:  # noqa: BLE001 - whatever it is, the file is none of azure-ai-ml's
            return False
    return True


def _outcome(root: Path, path: str, endpoint: str) -> tuple[str, str]:
    """Return what becomes of a file, as the only one of its project beside its endpoint, and why."""
    files = tuple(f"/{each}".replace("[", "\\[") for each in dict.fromkeys((path, endpoint)))
    folders = Folders(assets="none", pipelines="none", shared="none/shared", files=files)
    settings = CatalogueSettings(None, folders=folders, cache_folder=None, check_with_azure=False)
    try:
        plan = load_catalogue(root, settings)
    except CatalogueErrors as errors:
        return "refused", "; ".join(each.message for each in errors.problems)
    return ("left", "") if any(each.path == path for each in plan.left) else ("planned", "")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    record = {"commit": sys.argv[2], **measure(Path(sys.argv[1]).absolute())}
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
