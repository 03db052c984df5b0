"""Imports of data by schedules (`ImportData`): their checks, and the runs, which fail here.

An import copies data of Snowflake, Azure SQL or Amazon S3 by an engine of Azure Data Factory. amlite has neither, so a
schedule is as in Azure, and each of its runs ends with the reason. azure-ai-ml sends the form of the API version
2023-06-01-preview, which later models do not have. Source: the OpenAPI document of that version.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.lifecycle import JobFailure, Produced, Work, to_its_end
from amlite.services.schedules import runs

RUN = "schedules.import"
# The type of a source -> the field that says what is imported.
_SOURCES = {"database": "query", "file_system": "path"}
_TEXTS = {"assetName": "str", "dataUri": "str", "source": "map:any"}


def check(definition: Any) -> None:
    """Raise the service's AzureError 400 for an import without a name, a place or a source."""
    if not isinstance(definition, dict):
        raise AzureError(400, "ValidationError", "properties.action.dataImportDefinition must be an object.")
    definition = fields(definition, _TEXTS)
    for name in _TEXTS:
        if not definition.get(name):
            raise _refusal(name, f"The {name} field is required")
    source = fields(definition["source"], {"sourceType": "str", "connection": "str", "query": "str", "path": "str"})
    kind = str(source.get("sourceType"))
    if kind not in _SOURCES:
        raise _refusal("source.sourceType", f"must be one of {', '.join(_SOURCES)}, not '{kind[:60]}'")
    for name in ("connection", _SOURCES[kind]):
        if not source.get(name):
            raise _refusal(f"source.{name}", f"The {name} field is required")


def _refusal(where: str, what: str) -> AzureError:
    return AzureError(400, "ValidationError", f"properties.action.dataImportDefinition.{where}: {what}.")


def submit(platform: Platform, schedule: Document, due: dt.datetime, name: str) -> str:
    """Start the run of an import that is due, and return its name."""
    source = schedule.body["properties"]["action"]["dataImportDefinition"]["source"]
    return runs.begin(platform, schedule, due, name, RUN, connection=source["connection"])


async def run(platform: Platform, arguments: Json) -> None:
    """End the run of an import, as any job ends."""
    document = platform.store.get(arguments["job"])
    if document is None or (job := Job(document.id, document.body)).ended:
        return

    async def work(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
        change(platform, job.id, status="Running")
        name = arguments["connection"].removeprefix("azureml:")
        known = platform.store.get(f"{job.workspace_id}/connections/{name}")
        why = f"Data is not imported through connection '{name}': this local Azure reaches no other data sources."
        raise JobFailure("UserError", why if known else f"{why} The workspace has no connection '{name}' either.")

    await to_its_end(platform, job, {runs.KIND: work})
