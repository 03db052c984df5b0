"""Factories, pipelines, triggers and linked services, as ARM keeps them."""

from __future__ import annotations

from collections.abc import Callable

from amlite.core.errors import AzureError
from amlite.core.expressions import ExpressionError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.datafactory import definition, execution, expressions, firing, runs
from amlite.services.datafactory.definition import invalid_reference
from amlite.services.datafactory.firing import BLOB_EVENTS, SCHEDULE, STARTED, STOPPED
from amlite.services.datafactory.runs import FACTORY_TYPE, LINKED_TYPE, PIPELINE_TYPE, TRIGGER_TYPE
from amlite.services.managedidentity import system_assigned
from amlite.services.storage.changes import CREATED, DELETED

_ACCOUNT_TYPE = "Microsoft.Storage/storageAccounts"
_FREQUENCIES = ("Minute", "Hour", "Day", "Week", "Month")
_RECURRENCE = {
    "endTime": "str",
    "frequency": "str",
    "interval": "int",
    "schedule": "map:any",
    "startTime": "str",
    "timeZone": "str",
}
_PATTERN = {"hours": "list:int", "minutes": "list:int", "monthDays": "list:int", "weekDays": "list:str"}
_VALUES = {"blobPathBeginsWith": "str", "blobPathEndsWith": "str", "events": "list:str", "recurrence": "map:any"}
_EVENT_KEYS = {"blobPathBeginsWith", "blobPathEndsWith", "events", "ignoreEmptyBlobs", "scope"}
_DATABRICKS_KEYS = {"authentication", "domain", "workspaceResourceId"}
_NAME = r"[A-Za-z0-9_][^.+?/<>*%&:\\]{0,259}"


def _factory(platform: Platform, _resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    properties: Json = body["properties"]
    for name in ("encryption", "globalParameters", "purviewConfiguration", "repoConfiguration"):
        if properties.get(name):
            raise AzureError(400, "BadRequest", f"properties.{name} is not part of this local Azure.")
    identity = system_assigned.assigned(platform, body.get("identity"), old)
    made = (old or {}).get("properties", {}).get("createTime") or platform.clock.stamp()
    added = {"createTime": made, "version": "2018-06-01"}
    return {**body, **({"identity": identity} if identity else {}), "properties": {**properties, **added}}


async def _factory_deleting(platform: Platform, resource_id: ResourceId) -> None:
    document = platform.store.get(str(resource_id))
    if document is None:
        return
    for record in platform.store.below(f"{runs.PIPELINE_RUN}{document.id}", runs.PIPELINE_RUN):
        await execution.cancel(platform, record.body["runId"])
    runs.forget(platform, document.id)
    system_assigned.forget(platform, document.body)


def _pipeline(platform: Platform, resource_id: ResourceId, body: Json, _old: Json | None) -> Json:
    linked = [each.body["name"] for each in platform.store.below(str(resource_id.parent), LINKED_TYPE)]
    definition.check(resource_id.name, body["properties"], linked)
    return body


def _linked_service(_platform: Platform, _resource_id: ResourceId, body: Json, _old: Json | None) -> Json:
    given = body["properties"]
    if given["type"] != "AzureDatabricks":
        raise AzureError(
            400,
            "BadRequest",
            f"properties.type: amlite has linked services of AzureDatabricks, not of {given['type']}.",
        )
    values = given["typeProperties"]
    if wrong := sorted(values.keys() - _DATABRICKS_KEYS):
        raise AzureError(400, "BadRequest", f"properties.typeProperties.{wrong[0]} is not part of this local Azure.")
    if values.get("authentication") != "MSI" or not values.get("domain") or not values.get("workspaceResourceId"):
        raise AzureError(
            400,
            "BadRequest",
            "properties.typeProperties: amlite signs in to Databricks with a domain, the authentication MSI and a "
            "workspaceResourceId.",
        )
    return body


def _trigger(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    if old is not None and old["properties"]["runtimeState"] == STARTED:
        raise _enabled()
    properties = body["properties"]
    for each in fields(properties, {"pipelines": "list:map:any"}, _refusal).get("pipelines", []):
        started = fields(each, {"pipelineReference": "map:any", "parameters": "map:any"}, _refusal)
        name = str(started.get("pipelineReference", {}).get("referenceName"))
        if platform.store.get(f"{resource_id.parent}/pipelines/{name}") is None:
            raise invalid_reference(name)
        try:
            expressions.check(each.get("parameters") or {})
        except ExpressionError as error:
            raise _refusal(f"pipelines: the parameters of '{name}': {error}") from error
    values = fields(fields(properties, {"typeProperties": "map:any"}, _refusal)["typeProperties"], _VALUES, _refusal)
    if properties["type"] == SCHEDULE:
        _check_schedule(platform, properties, values.get("recurrence", {}))
    elif properties["type"] == BLOB_EVENTS:
        _check_events(platform, values)
    else:
        raise _refusal(f"type: amlite has triggers of {SCHEDULE} and {BLOB_EVENTS}, not of {properties['type']}")
    return {**body, "properties": {**properties, "runtimeState": STOPPED}}


def _check_schedule(platform: Platform, properties: Json, recurrence: Json) -> None:
    given = fields(recurrence, _RECURRENCE, _refusal)
    fields(given.get("schedule", {}), _PATTERN, _refusal)
    for key in recurrence.keys() - _RECURRENCE.keys():
        raise _refusal(f"typeProperties.recurrence.{key} is not part of this local Azure")
    if (recurrence.get("schedule") or {}).get("monthlyOccurrences"):
        raise _refusal("typeProperties.recurrence.schedule.monthlyOccurrences is not part of this local Azure")
    if recurrence.get("frequency") not in _FREQUENCIES:
        raise _refusal(f"typeProperties.recurrence.frequency must be one of {', '.join(_FREQUENCIES)}")
    if not isinstance(recurrence.get("interval"), int) or not recurrence.get("startTime"):
        raise _refusal("typeProperties.recurrence needs an interval and a startTime")
    try:
        firing.schedule_of(properties, platform.clock.now())
    except AzureError as error:
        raise _refusal(f"typeProperties: {error.message}") from error


def _check_events(platform: Platform, values: Json) -> None:
    for key in values.keys() - _EVENT_KEYS:
        raise _refusal(f"typeProperties.{key} is not part of this local Azure")
    events = values.get("events") or []
    if not events or any(each not in (CREATED, DELETED) for each in events):
        raise _refusal(f"typeProperties.events must be some of {CREATED}, {DELETED}")
    if not values.get("blobPathBeginsWith") and not values.get("blobPathEndsWith"):
        raise _refusal("typeProperties needs blobPathBeginsWith or blobPathEndsWith")
    if values.get("blobPathBeginsWith") and not str(values["blobPathBeginsWith"]).startswith("/"):
        raise _refusal("typeProperties.blobPathBeginsWith must be /CONTAINER/blobs/FOLDER/")
    account = platform.store.get(str(values.get("scope")))
    if account is None or account.type != _ACCOUNT_TYPE.lower():
        raise _refusal(f"typeProperties.scope: the storage account '{values.get('scope')}' was not found")


def _check_trigger_deletion(_platform: Platform, _resource_id: ResourceId, body: Json) -> None:
    if body["properties"]["runtimeState"] == STARTED:
        raise _enabled()


async def _trigger_deleting(platform: Platform, resource_id: ResourceId) -> None:
    firing.forget(platform, str(resource_id))


def _unless_referenced(kind: str, names: Callable[[Json], set[str]]) -> Callable[[Platform, ResourceId, Json], None]:
    def check(platform: Platform, resource_id: ResourceId, body: Json) -> None:
        for other in platform.store.below(str(resource_id.parent), kind):
            if body["name"] in names(other.body["properties"]):
                raise AzureError(
                    400,
                    "BadRequest",
                    f"The document cannot be deleted since it is referenced by {other.body['name']}.",
                )

    return check


def _pipelines_of(trigger: Json) -> set[str]:
    return {each["pipelineReference"]["referenceName"] for each in trigger.get("pipelines") or []}


def _linked_services_of(pipeline: Json) -> set[str]:
    every = definition.every(pipeline.get("activities") or [])
    return {each["linkedServiceName"]["referenceName"] for each in every if each.get("linkedServiceName")}


def _enabled() -> AzureError:
    return AzureError(
        400, "TriggerEnabledCannotUpdate", "Cannot update enabled Trigger; the trigger needs to be disabled first. "
    )


def _refusal(message: str) -> AzureError:
    return AzureError(400, "BadRequest", f"The trigger is not valid: {message}.")


TYPES = [
    ResourceType(
        FACTORY_TYPE,
        pattern=r"[A-Za-z0-9](?!.*--)[A-Za-z0-9-]{1,61}[A-Za-z0-9]",
        rule="Factory names are 3-63 letters, digits and single hyphens, and start and end with a letter or digit.",
        globally_unique=True,
        taken=("DataFactoryNameInUse", "The specified resource name '{name}' is already in use. "),
        creation=200,
        tag="eTag",
        prepare=_factory,
        deleting=_factory_deleting,
    ),
    ResourceType(
        PIPELINE_TYPE,
        pattern=_NAME,
        rule="Pipeline names start with a letter, a digit or an underscore.",
        located=False,
        creation=200,
        tag="etag",
        prepare=_pipeline,
        check_deletion=_unless_referenced(TRIGGER_TYPE, _pipelines_of),
    ),
    ResourceType(
        TRIGGER_TYPE,
        pattern=_NAME,
        rule="Trigger names start with a letter, a digit or an underscore.",
        located=False,
        required=("properties.type", "properties.typeProperties"),
        creation=200,
        tag="etag",
        prepare=_trigger,
        check_deletion=_check_trigger_deletion,
        deleting=_trigger_deleting,
    ),
    ResourceType(
        LINKED_TYPE,
        pattern=_NAME,
        rule="Linked service names start with a letter, a digit or an underscore.",
        located=False,
        required=("properties.type", "properties.typeProperties"),
        creation=200,
        tag="etag",
        prepare=_linked_service,
        check_deletion=_unless_referenced(PIPELINE_TYPE, _linked_services_of),
    ),
]
