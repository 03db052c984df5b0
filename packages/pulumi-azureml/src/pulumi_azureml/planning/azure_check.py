"""Final validation of definitions with azure-ai-ml's own loaders and checks, run once for each new content.

Passed checks are cached by content and azure-ai-ml's version, so an unchanged tree does not import azure-ai-ml.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import re
import tempfile
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.assets import Asset, AssetId, Definition, content_hash
from pulumi_azureml.planning.documents import Document, KeyPath, read
from pulumi_azureml.planning.kinds import KINDS, data, schedule
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.stat_cache import write_whole

_REMEMBERED = 20_000
_NO_COMPUTE = "Compute not set"
_CHOICES = re.compile(r"^(?:Must be one of: |Value .+ passed is not in set \[)([^\]]+?)\]?\.?$")
# azure-ai-ml checks them again before it sends them.
_CHECKED = ("component", "pipeline_job")
# azure-ai-ml chooses a class by these keys, and looks for them in the file only.
DECISIVE = ("type", "task", "create_monitor", "import_data")


def check(
    assets: Iterable[Asset],
    broken: Collection[str],
    documents: Mapping[AssetId, Document],
    root: Path,
    cache_folder: Path | None,
) -> list[Problem]:
    """Return the problems that azure-ai-ml finds. Only definitions that have not passed before are loaded.

    `assets` are in dependency order. An asset is skipped if its file is in `broken`, or if one of its dependencies was
    skipped or refused.
    `documents` holds each asset's document, for line numbers.
    """
    version = importlib.metadata.version("azure-ai-ml")
    file = cache_folder / f"checked-{version}.json" if cache_folder else None
    accepted = _read(file)
    passed: list[str] = []
    refused: set[AssetId] = set()
    problems: list[Problem] = []
    assets = list(assets)
    scheduled = {need for asset in assets if asset.kind == "schedule" for need in asset.depends_on}
    for asset in assets:
        if documents[asset.id].path in broken or refused & set(asset.depends_on):
            refused.add(asset.id)
            continue
        key = content_hash({"kind": asset.kind, "definition": asset.definition})
        if key in accepted:
            continue
        error = _load(asset, KINDS[asset.kind].loader_of(asset.definition), root)
        if error is None and (wrong := _table_problems(asset, root)):
            refused.add(asset.id)
            problems += wrong
        elif error is None:
            passed.append(key)
        elif asset.id in scheduled and isinstance(error, _InvalidError) and {*error.messages.values()} == {_NO_COMPUTE}:
            continue  # the schedule can set it
        else:
            refused.add(asset.id)
            problems += _problems(error, documents[asset.id])
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
    """Load one definition as `az ml` would, and suppress its output."""
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


def _table_problems(asset: Asset, root: Path) -> list[Problem]:
    """Return what azure-ai-ml refuses in the description of a table that it would upload."""
    if asset.kind != "data" or asset.definition.get("type") != "mltable" or not asset.trees:
        return []
    import marshmallow
    from azure.ai.ml.entities._data.mltable_metadata import MLTableMetadata
    from azure.ai.ml.exceptions import MlException

    description = read(root, f"{asset.definition['path']}/{data.MLTABLE}")
    if isinstance(description, Problem):
        return [description]
    try:
        MLTableMetadata._load(description.data, str(root / description.path))
    except (MlException, marshmallow.ValidationError) as error:
        return _problems(error, description)
    return []


def _load_from(loader: Any, asset: Asset, definition: Definition, folder: Path) -> None:
    """Write to files what azure-ai-ml reads from files only, such as a schedule's job."""
    definition = control_flow.with_files(definition, folder)
    if asset.kind == "schedule" and "create_job" in definition and not schedule.repeats(definition["create_job"]):
        job = folder / "job.yml"
        job.write_text(yaml.safe_dump(definition["create_job"], sort_keys=False), encoding="utf-8")
        definition["create_job"] = str(job)
    # Pass everything as overrides of an empty file: writing YAML and parsing it again takes longer than all the rest.
    decisive = {key: definition.pop(key) for key in DECISIVE if key in definition}
    place = str(folder / "asset.yml")
    entity = loader(io.StringIO(json.dumps(decisive)), relative_origin=place, params_override=[definition])
    if asset.kind in _CHECKED:
        _check_to_send(entity)


class _InvalidError(ValueError):
    """azure-ai-ml would not send a definition: `messages` by dotted key."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__("; ".join(messages.values()))
        self.messages = messages


def _check_to_send(entity: Any) -> None:
    """Check a component or a job as azure-ai-ml does before it sends it."""
    from azure.ai.ml.entities._builders import BaseNode

    # A job that is not a pipeline is loaded as a step.
    for each in (entity, entity._to_job()) if isinstance(entity, BaseNode) else (entity,):
        validate = getattr(each, "_validate", None)
        found = validate() if validate is not None else None
        if found is not None and not found.passed:
            raise _InvalidError(found.error_messages)


def _problems(error: Exception, document: Document) -> list[Problem]:
    """Convert a loader's error report into problems with locations and messages."""
    if isinstance(error, _InvalidError):
        # It says the same at each key that is part of it.
        places = {message: place for place, message in reversed([*error.messages.items()])}
        return [_problem(document, _keys(place), message) for message, place in places.items()]
    text = str(getattr(error, "message", "") or error)
    try:
        report, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
    except ValueError:
        first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
        return [_problem(document, (), first)]
    if isinstance(report.get("errors"), list):
        found = [
            place
            for each in report["errors"]
            for place in _inner(_keys(str(each.get("path", ""))), str(each.get("message", "")))
        ]
    else:
        found = list(_messages(report, ()))
    by_place: dict[KeyPath, str] = {}
    for keys, message in found:
        by_place.setdefault(keys, message)
    return [_problem(document, keys, message) for keys, message in by_place.items()]


def _messages(report: Any, keys: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield the messages in marshmallow's report, with their places."""
    if isinstance(report, dict):
        for key, item in report.items():
            yield from _messages(item, keys if key == "_schema" else (*keys, key))
    elif isinstance(report, list) and report and all(isinstance(item, dict) for item in report):
        # One report for each form that the value can have. The right form is the one that has the value's type.
        yield from _messages(next((item for item in report if "type" not in item), report[0]), keys)
    elif isinstance(report, list):
        for item in report:
            yield from _messages(item, keys)
    else:
        yield keys, str(report).strip().splitlines()[0] if str(report).strip() else "it is invalid"


def _inner(keys: KeyPath, text: str) -> Iterator[tuple[KeyPath, str]]:
    """Yield what a message says, which may contain a report of its own."""
    try:
        report, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
    except ValueError:
        yield keys, text
    else:
        yield from _messages(report, keys)


def _keys(path: str) -> KeyPath:
    return () if path in {"", "*"} else tuple(path.split("."))


def _problem(document: Document, keys: KeyPath, message: str) -> Problem:
    where, last = ".".join(map(str, keys)), str(keys[-1]) if keys else ""
    choices = _CHOICES.search(message)
    if where and message == "Field may not be null.":
        return document.problem(keys, f"'{where}' is empty", f"write a value for `{last}:`, or remove the key")
    if where and message == "Missing data for required field.":
        return document.problem(keys, f"'{where}' is missing", f"add `{last}:`")
    if where and choices is not None:
        return document.problem(keys, f"'{where}' has a value that is not allowed", f"use one of {choices[1]}")
    if message == _NO_COMPUTE:
        fix = "add `default_compute:` to the `settings:` of the pipeline, or `compute:` to the step"
        return document.problem(keys, f"{'.'.join(map(str, keys[:-1]))} has no compute", fix)
    where = f"'{where}'" if where else "this file"
    reason = f": {message}" if message else ""
    return document.problem(keys, f"azure-ai-ml refuses {where}{reason}", "correct the YAML as the reason says")
