"""Monitors of schedules (`CreateMonitor`): their checks, and the runs that compute their signals.

azure-ai-ml sends them in the form of the API version 2023-06-01-preview, which later models do not have. amlite
computes data drift, prediction drift and data quality. Like Azure, it reads data in datastores with credentials only.
Sources: the OpenAPI document of that version, and the page "Monitor the performance of models deployed to production".
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from amlite.core import durations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import Models
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.lifecycle import JobFailure, Produced, Work, to_its_end
from amlite.services.machinelearning import datastores, references
from amlite.services.schedules import runs, signals
from amlite.services.storage import blobs

# All of the data of a signal is in memory at the same time.
_MOST_DATA = 256 << 20

RUN = "schedules.monitor"
# The fields that amlite reads, in the form of a published model.
_FIELDS: Json = {
    "Monitor": {
        "alertNotificationSetting": "model:Alert",
        "computeConfiguration": "model:Compute",
        "monitoringTarget": "model:Target",
        "signals": "map:map:any",
    },
    "Alert": {"alertNotificationType": "str", "emailNotificationSetting": "model:Email"},
    "Email": {"emails": "list:str"},
    "Compute": {"instanceType": "str", "runtimeVersion": "str"},
    "Target": {"deploymentId": "str"},
    "Signal": {
        "featureDataTypeOverride": "map:str",
        "features": "model:Features",
        "metricThresholds": "list:model:Metric",
        "mode": "str",
        "productionData": "model:Data",
        "referenceData": "model:Data",
    },
    "Features": {"features": "list:str"},
    "Metric": {"dataType": "str", "metric": "str", "threshold": "model:Threshold"},
    "Threshold": {"value": "float"},
    "Data": {
        "inputDataType": "str",
        "preprocessingComponentId": "str",
        "uri": "str",
        "windowEnd": "datetime",
        "windowOffset": "duration",
        "windowSize": "duration",
        "windowStart": "datetime",
    },
}
_REQUIRED = {"Metric": ("metric",)}
_MODELS = Models(
    {
        "models": {
            model: {
                "fields": {name: [kind, "r" if name in _REQUIRED.get(model, ()) else ""] for name, kind in of.items()}
            }
            for model, of in _FIELDS.items()
        },
        "enums": {},
    },
    code="ValidationError",
    types_only=True,
)
BREACHED = "azureml_modelmonitor_threshold_breached"
_SIGNALS = ("DataDrift", "PredictionDrift", "DataQuality")
_OTHERS = (
    "FeatureAttributionDrift", "ModelPerformance", "Custom", "GenerationSafetyQuality", "GenerationTokenStatistics",
)  # fmt: skip
_SIZES = ("standard_e4s_v3", "standard_e8s_v3", "standard_e16s_v3", "standard_e32s_v3", "standard_e64s_v3")
_HOUR = re.compile(r"/(\d{4})/(\d\d)/(\d\d)(?:/(\d\d))?(?:/(\d\d))?/[^/]+$")


def checked(platform: Platform, workspace_id: str, definition: Any) -> Json:
    """Return a monitor without nulls. Raises the service's AzureError 400 for one that it refuses."""
    definition = _written("Monitor", definition, "")
    compute = definition.get("computeConfiguration") or {}
    if str(compute.get("instanceType")).lower() not in _SIZES:
        raise _refusal("computeConfiguration.instanceType", f"must be one of {', '.join(_SIZES)}")
    if not compute.get("runtimeVersion"):
        raise _refusal("computeConfiguration.runtimeVersion", "The runtimeVersion field is required")
    alert = definition.get("alertNotificationSetting") or {}
    emails = (alert.get("emailNotificationSetting") or {}).get("emails")
    if alert.get("alertNotificationType") == "Email" and not emails:
        raise _refusal("alertNotificationSetting.emailNotificationSetting.emails", "The emails field is required")
    target = (definition.get("monitoringTarget") or {}).get("deploymentId")
    if target and platform.store.get(target) is None:
        raise _refusal("monitoringTarget.deploymentId", f"the deployment '{target}' was not found")
    if not definition.get("signals"):
        raise _refusal("signals", "The signals field is required")
    signals = {
        name: _checked_signal(platform, workspace_id, f"signals.{name}", signal)
        for name, signal in definition["signals"].items()
    }
    return {**definition, "signals": signals}


def _checked_signal(platform: Platform, workspace_id: str, where: str, signal: Json) -> Json:
    kind = signal.get("signalType")
    if kind in _OTHERS:
        raise _refusal(f"{where}.signalType", f"amlite computes {', '.join(_SIGNALS)}, not {kind}")
    if kind not in _SIGNALS:
        raise _refusal(f"{where}.signalType", f"'{kind}' is not a known signalType")
    signal = _written("Signal", signal, f"{where}.")
    for part in ("productionData", "referenceData"):
        data = signal.get(part) or {}
        if not data.get("uri"):
            raise _refusal(f"{where}.{part}.uri", "The uri field is required")
        if data.get("preprocessingComponentId"):
            raise _refusal(f"{where}.{part}.preprocessingComponentId", "is not part of this local Azure")
        if data.get("inputDataType") == "Static" and not data.keys() >= {"windowStart", "windowEnd"}:
            raise _refusal(f"{where}.{part}", "The windowStart and windowEnd fields are required")
        try:
            _window(data, platform.clock.now())
        except OverflowError as error:
            raise _refusal(f"{where}.{part}", "the window does not end in a year from 1 to 9999") from error
        references.location(platform, workspace_id, data["uri"])
    return signal


def _written(model: str, body: Any, where: str) -> Json:
    """Return a body with the types of its model."""
    if problems := _MODELS.problems(model, body):
        path, what = problems[0]
        raise _refusal(f"{where}{path}".strip("."), what)
    return _MODELS.writable(model, body)


def _refusal(where: str, what: str) -> AzureError:
    return AzureError(400, "ValidationError", f"properties.action.monitorDefinition.{where}: {what}.")


def submit(platform: Platform, schedule: Document, due: dt.datetime, name: str) -> str:
    """Start the run of a monitor that is due, and return its name."""
    return runs.begin(platform, schedule, due, name, RUN, source=schedule.id, at=due.isoformat())


async def run(platform: Platform, arguments: Json) -> None:
    """Compute the signals of a monitor as the work of its run, which ends as any job does."""
    schedule, document = platform.store.get(arguments["source"]), platform.store.get(arguments["job"])
    if schedule is None or document is None or (job := Job(document.id, document.body)).ended:
        return
    definition = schedule.body["properties"]["action"]["monitorDefinition"]
    due = dt.datetime.fromisoformat(arguments["at"])

    async def work(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
        change(platform, job.id, status="Running")
        try:
            await _compute(platform, job, definition, due)
        except signals.UnusableDataError as failure:
            raise JobFailure("UserError", str(failure)) from failure

    await to_its_end(platform, job, {runs.KIND: work})


async def _compute(platform: Platform, job: Job, definition: Json, due: dt.datetime) -> None:
    tags: dict[str, str] = {}
    results: dict[str, str] = {}
    for name, signal in definition["signals"].items():
        production = await _rows(platform, job.workspace_id, signal["productionData"], due)
        reference = await _rows(platform, job.workspace_id, signal["referenceData"], due)
        found = await asyncio.to_thread(signals.evaluate, signal, production, reference)
        breached = [each for each in found if each.breached]
        for each in found:
            results[f"{name}.{each.feature}.{each.metric}"] = f"{each.value:.6g}"
        if breached and signal.get("mode", "Enabled") != "Disabled":
            text = f"{name} has failed due to one or more features violating metric thresholds"
            tags[BREACHED] = "; ".join(filter(None, [tags.get(BREACHED, ""), text]))
    kept = {**job.properties["properties"], **results}
    change(platform, job.id, properties={"tags": {**job.properties["tags"], **tags}, "properties": kept})


async def _rows(platform: Platform, workspace_id: str, data: Json, due: dt.datetime) -> list[Json]:
    """Return the rows of a signal's data in its window."""
    place = references.location(platform, workspace_id, data["uri"])
    _require_credentials(platform, workspace_id, place)
    await datastores.require(platform, workspace_id, place, None)
    start, end = _window(data, due)
    rows: list[Json] = []
    left = _MOST_DATA
    for name in await blobs.names(platform, place):
        if start is not None and end is not None and not _within(name, start, end):
            continue
        content = await blobs.read(platform, blobs.BlobPath(place.account, place.container, name), most=left)
        left -= len(content)
        rows += await asyncio.to_thread(signals.parse, name, content.decode("utf-8", "replace"), start, end)
    if not rows:
        raise signals.UnusableDataError(f"the data '{data['uri']}' has no rows in the window of the signal")
    return rows


def _require_credentials(platform: Platform, workspace_id: str, place: blobs.BlobPath) -> None:
    """Raise AzureError 400 for data in a datastore without credentials, which serverless Spark jobs cannot read."""
    for store in platform.store.below(f"{workspace_id}/datastores", datastores.TYPE):
        properties = store.body["properties"]
        same = (properties.get("accountName"), properties.get("containerName")) == (place.account, place.container)
        if same and properties["credentials"]["credentialsType"] == "None":
            raise AzureError(
                400,
                "UserError",
                f"The datastore '{store.body['name']}' has identity-based access. Model monitoring reads datastores "
                "with credentials only: an account key or a SAS token.",
            )


def _window(data: Json, due: dt.datetime) -> tuple[dt.datetime | None, dt.datetime | None]:
    if data.get("inputDataType") in ("Trailing", "Rolling"):
        offset = durations.parse(data.get("windowOffset") or "P0D") or dt.timedelta()
        end = due - offset
        return end - (durations.parse(data.get("windowSize") or "P7D") or dt.timedelta(days=7)), end
    if data.get("inputDataType") == "Static":
        first, last = (signals.moment(data[key]).astimezone(dt.UTC) for key in ("windowStart", "windowEnd"))
        return first, last
    return None, None


def _within(name: str, start: dt.datetime, end: dt.datetime) -> bool:
    """Whether the folder of a file's time can have rows of a window."""
    found = _HOUR.search(f"/{name}")
    if found is None:
        return True
    year, month, day, hour, minute = (int(part) if part else None for part in found.groups())
    length = dt.timedelta(minutes=1) if minute is not None else dt.timedelta(hours=1 if hour is not None else 24)
    try:
        first = dt.datetime(year or 1, month or 1, day or 1, hour or 0, minute or 0, tzinfo=dt.UTC)
        return first < end and first + length > start
    except (ValueError, OverflowError):
        return True  # the numbers are no time
