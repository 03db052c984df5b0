"""System topics and their event subscriptions, as ARM keeps them."""

from __future__ import annotations

import uuid

from amlite.core import outgoing
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.eventgrid import delivery, filters
from amlite.services.eventgrid.delivery import SUBSCRIPTION_TYPE, TOPIC_TYPE
from amlite.services.machinelearning.references import WORKSPACE_TYPE
from amlite.services.managedidentity import system_assigned

_SOURCE_TYPE = "Microsoft.MachineLearningServices.Workspaces"
_SCHEMA = "EventGridSchema"
# Where a subscription names what gets its events, or those that nobody took. Its writer must be able to write there.
# Source: the page "Authorizing access to Event Grid resources".
_HANDLERS = (
    "destination",
    "deliveryWithResourceIdentity.destination",
    "deadLetterDestination",
    "deadLetterWithResourceIdentity.deadLetterDestination",
)
_LONGEST_MINUTES, _MOST_ATTEMPTS = 1440, 30


def _topic(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    properties: Json = body["properties"]
    if properties["topicType"].lower() != _SOURCE_TYPE.lower():
        raise AzureError(400, "InvalidRequest", f"properties.topicType: amlite has topics of {_SOURCE_TYPE} only.")
    source = platform.store.get(properties["source"])
    if source is None or source.type != WORKSPACE_TYPE.lower():
        raise AzureError(400, "InvalidRequest", f"properties.source: '{properties['source']}' was not found.")
    if old is not None and old["properties"]["source"].lower() != source.id.lower():
        raise AzureError(400, "InvalidRequest", "properties.source cannot be changed.")
    for other in platform.store.of_type(TOPIC_TYPE):
        if (
            other.body["properties"]["source"].lower() == source.id.lower()
            and other.id.lower() != str(resource_id).lower()
        ):
            raise AzureError(
                400,
                "InvalidRequest",
                f"Only one system topic is allowed per source. '{other.body['name']}' is that of '{source.id}'.",
            )
    identity = system_assigned.assigned(platform, body.get("identity"), old)
    metric = (old or {}).get("properties", {}).get("metricResourceId") or str(uuid.uuid4())
    added = {"source": source.id, "metricResourceId": metric}
    return {**body, **({"identity": identity} if identity else {}), "properties": {**properties, **added}}


async def _topic_deleting(platform: Platform, resource_id: ResourceId) -> None:
    document = platform.store.get(str(resource_id))
    if document is not None:
        system_assigned.forget(platform, document.body)


def _subscription(platform: Platform, resource_id: ResourceId, body: Json, _old: Json | None) -> Json:
    properties: Json = body["properties"]
    topic = platform.store.get(str(resource_id.parent))
    destination, url = _destination(platform, properties, topic.body if topic else {})
    if properties.get("eventDeliverySchema", _SCHEMA) != _SCHEMA:
        raise _refusal("eventDeliverySchema", f"amlite delivers in {_SCHEMA} only")
    for name in ("expirationTimeUtc", "labels"):
        if properties.get(name):
            raise _refusal(name, "is not part of this local Azure")
    retry = {"maxDeliveryAttempts": _MOST_ATTEMPTS, "eventTimeToLiveInMinutes": _LONGEST_MINUTES}
    retry |= properties.get("retryPolicy") or {}
    if not 1 <= retry["maxDeliveryAttempts"] <= _MOST_ATTEMPTS:
        raise _refusal("retryPolicy.maxDeliveryAttempts", f"must be between 1 and {_MOST_ATTEMPTS}")
    if not 1 <= retry["eventTimeToLiveInMinutes"] <= _LONGEST_MINUTES:
        raise _refusal("retryPolicy.eventTimeToLiveInMinutes", f"must be between 1 and {_LONGEST_MINUTES}")
    shown = {
        **properties,
        **destination,
        "topic": str(resource_id.parent),
        "eventDeliverySchema": _SCHEMA,
        "retryPolicy": retry,
        "filter": filters.check(properties.get("filter") or {}),
    }
    # Azure does not return the whole URL with the resource, because its query can hold a key. Nothing is refused any
    # more: the webhook that confirmed keeps its events until another one can take them over.
    delivery.remember_url(platform, str(resource_id), url)
    return {**body, "properties": shown}


def _destination(platform: Platform, properties: Json, topic: Json) -> tuple[Json, str | None]:
    """Check where events go. Return the destination in the form in which Azure shows it, and the URL of a webhook."""
    identity, plain = properties.get("deliveryWithResourceIdentity"), properties.get("destination")
    if bool(identity) is bool(plain):
        raise _refusal("destination", "give either destination or deliveryWithResourceIdentity")
    dead = properties.get("deadLetterWithResourceIdentity")
    if properties.get("deadLetterDestination"):
        raise _refusal("deadLetterDestination", "amlite takes deadLetterWithResourceIdentity only")
    for each in (identity, dead):
        if each and (str((each.get("identity") or {}).get("type")) != "SystemAssigned" or not topic.get("identity")):
            raise _refusal("deliveryWithResourceIdentity.identity", "the topic has no identity of that type")
    if dead:
        _require(
            platform,
            dead.get("deadLetterDestination") or {},
            "StorageBlob",
            "blobContainerName",
            "blobServices/default/containers",
        )
    wanted = (identity or {}).get("destination") or plain or {}
    if wanted.get("endpointType") == "StorageQueue":
        if plain:
            raise _refusal("destination", "amlite delivers to a queue by deliveryWithResourceIdentity only")
        _require(platform, wanted, "StorageQueue", "queueName", "queueServices/default/queues")
        return {}, None
    if wanted.get("endpointType") != "WebHook" or identity:
        raise _refusal("destination.endpointType", "amlite delivers to a StorageQueue (by identity) or a WebHook")
    url = str((wanted.get("properties") or {}).get("endpointUrl") or "")
    if not url.lower().startswith("https://") and not outgoing.is_loopback(url):
        raise _refusal("destination.properties.endpointUrl", "must begin with https://")
    shown = {"endpointBaseUrl": delivery.base(url)}
    return {"destination": {"endpointType": "WebHook", "properties": shown}}, url


async def _full_url(platform: Platform, resource_id: ResourceId, _body: Json) -> Json:
    return {"endpointUrl": delivery.url_of(platform, str(resource_id))}


def _require(platform: Platform, destination: Json, kind: str, key: str, path: str) -> None:
    given = destination.get("properties") or {}
    if (
        destination.get("endpointType") != kind
        or platform.store.get(f"{given.get('resourceId')}/{path}/{given.get(key)}") is None
    ):
        raise _refusal(
            f"destination ({kind})", f"'{given.get('resourceId')}' has no {path.rpartition('/')[2]} '{given.get(key)}'"
        )


def _refusal(where: str, what: str) -> AzureError:
    return AzureError(400, "InvalidRequest", f"properties.{where}: {what}.")


TYPES = [
    ResourceType(
        TOPIC_TYPE,
        pattern=r"[A-Za-z0-9-]{3,128}",
        rule="System topic names are 3-128 letters, digits and hyphens.",
        required=("properties.source", "properties.topicType"),
        linked={"properties.source": "Microsoft.EventGrid/eventSubscriptions/write"},
        asynchronous=True,
        prepare=_topic,
        deleting=_topic_deleting,
    ),
    ResourceType(
        SUBSCRIPTION_TYPE,
        pattern=r"[A-Za-z0-9-]{3,64}",
        rule="Event subscription names are 3-64 letters, digits and hyphens.",
        located=False,
        linked={f"properties.{path}.properties.resourceId": "write" for path in _HANDLERS},
        asynchronous=True,
        prepare=_subscription,
        created=delivery.validate,
        deleting=delivery.forget,
        actions={"getfullurl": _full_url},
    ),
]
