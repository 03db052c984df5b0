"""The last word on a definition: azure-ai-ml's own loaders, asked once for each new content.

What passed is remembered by content and azure-ai-ml's version, so a tree that has not changed imports nothing.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pulumi_azureml.planning.assets import Asset, AssetId, Definition, content_hash
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.stat_cache import write_whole

_REMEMBERED = 20_000


def check(
    assets: Iterable[Asset],
    documents: Mapping[str, Document],
    root: Path,
    cache_folder: Path | None,
) -> list[Problem]:
    """Problems that azure-ai-ml has with the definitions. Only those that have not passed before are loaded.

    `assets` come in dependency order, and an asset is not asked about when one that it depends on was refused.
    `documents` holds the file of each, for the lines.
    """
    version = importlib.metadata.version("azure-ai-ml")
    file = cache_folder / f"accepted-{version}.json" if cache_folder else None
    accepted = _read(file)
    passed: list[str] = []
    refused: set[AssetId] = set()
    problems: list[Problem] = []
    for asset in assets:
        key = content_hash({"kind": asset.kind, "definition": asset.definition})
        if key in accepted or refused & set(asset.depends_on):
            continue
        error = _load(asset, KINDS[asset.kind].loader_of(asset.definition), root)
        if error is None:
            passed.append(key)
        else:
            refused.add(asset.id)
            problems += _problems(error, documents[asset.path])
    if passed and file is not None:
        kept = [*accepted, *passed][-_REMEMBERED:]
        with contextlib.suppress(OSError):
            write_whole(file, json.dumps(kept))
    return problems


def _read(file: Path | None) -> dict[str, None]:
    if file is not None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            return dict.fromkeys(json.loads(file.read_bytes()))
    return {}


def _load(asset: Asset, loader_name: str, root: Path) -> Exception | None:
    """Load one definition as `az ml` would, with everything it prints kept away."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            import marshmallow
            from azure.ai.ml.entities import _load_functions
            from azure.ai.ml.exceptions import MlException

            loader = getattr(_load_functions, loader_name)
            with tempfile.TemporaryDirectory() as folder:
                _load_from(loader, asset, asset.on_disk(root), Path(folder))
        except (
            MlException,
            marshmallow.ValidationError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            OSError,
        ) as error:
            return error
        finally:
            logging.disable(level)
    return None


def _load_from(loader: Any, asset: Asset, definition: Definition, folder: Path) -> None:
    """A schedule's job is read from a file, so it gets one."""
    if asset.kind == "schedule" and isinstance(definition.get("create_job"), dict):
        job = folder / "job.yml"
        job.write_text(yaml.safe_dump(definition["create_job"], sort_keys=False), encoding="utf-8")
        definition["create_job"] = str(job)
    # All of it overrides an empty file: to write YAML only to have it read again takes longer than all the rest.
    loader(io.StringIO("{}"), relative_origin=str(folder / "asset.yml"), params_override=[definition])


def _problems(error: Exception, document: Document) -> list[Problem]:
    """A loader's complaint, with its report taken apart into places and messages."""
    text = str(getattr(error, "message", "") or error)
    try:
        report = json.loads(text[text.index("{") : text.rindex("}") + 1])
    except ValueError:
        first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
        return [_problem(document, "", first)]
    if isinstance(report.get("errors"), list):
        found = [(str(each.get("path", "")), str(each.get("message", ""))) for each in report["errors"]]
    else:
        found = [(str(key), json.dumps(value)) for key, value in report.items()]
    return [_problem(document, path, message) for path, message in found]


def _problem(document: Document, path: str, message: str) -> Problem:
    keys = () if path in {"", "*"} else tuple(path.split("."))
    where = f"'{path}': " if keys else ""
    fix = "correct the YAML as the reason says"
    return document.problem(keys, f"azure-ai-ml refuses {where}{message or 'this file'}", fix)
