"""Action groups: who is told about an alert. Webhooks on this machine are called; amlite sends no mail.

Sources: the OpenAPI document of Microsoft.Insights/actionGroups, and the pages "Action groups" and "Common alert
schema".
"""

from __future__ import annotations

import json

from amlite.core import outgoing
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json

TYPE = "Microsoft.Insights/actionGroups"
NOTIFY = "monitoring.notify"
ALERT_TYPE = "monitoring/alerts"
_SERVED = ("emailReceivers", "webhookReceivers")
_OTHERS = (
    "armRoleReceivers", "automationRunbookReceivers", "azureAppPushReceivers", "azureFunctionReceivers",
    "eventHubReceivers", "incidentReceivers", "itsmReceivers", "logicAppReceivers", "smsReceivers", "voiceReceivers",
)  # fmt: skip
_MOST_LETTERS = 12
# Seconds before each new attempt to call a webhook.
_RETRIES = (5, 20, 5, 40, 5)
_MOST_ANSWER = 1 << 20


def _prepare(_platform: Platform, resource_id: ResourceId, body: Json, _old: Json | None) -> Json:
    properties: Json = body["properties"]
    short = properties.get("groupShortName")
    if not isinstance(short, str) or not 1 <= len(short) <= _MOST_LETTERS:
        raise _refusal("groupShortName", f"must have 1 to {_MOST_LETTERS} characters")
    for kind in _OTHERS:
        if properties.get(kind):
            raise _refusal(kind, "receivers of this kind are not part of this local Azure")
    names: set[str] = set()
    for kind, address in zip(_SERVED, ("emailAddress", "serviceUri"), strict=True):
        for number, receiver in enumerate(properties.get(kind) or []):
            where = f"{kind}[{number}]"
            for key in ("name", address):
                if not receiver.get(key):
                    raise _refusal(f"{where}.{key}", "is required")
            if receiver["name"].lower() in names:
                raise _refusal(f"{where}.name", f"'{receiver['name']}' is not unique in the action group")
            names.add(receiver["name"].lower())
            if kind == "webhookReceivers" and receiver.get("useAadAuth"):
                raise _refusal(f"{where}.useAadAuth", "secure webhooks are not part of this local Azure")
            if kind == "emailReceivers" and "@" not in receiver["emailAddress"]:
                raise _refusal(f"{where}.emailAddress", f"'{receiver['emailAddress']}' is not an email address")
    added: Json = {kind: [] for kind in (*_SERVED, *_OTHERS)}
    return {**body, "properties": {**added, "enabled": True, **properties}}


def _refusal(where: str, what: str) -> AzureError:
    return AzureError(400, "BadRequest", f"properties.{where}: {what}.")


def notify(platform: Platform, alert_id: str, groups: list[str]) -> None:
    """Tell the receivers of action groups about an alert. The call of a webhook is an operation, which is repeated."""
    for group_id in groups:
        document = platform.store.get(group_id)
        if document is None or not document.body["properties"]["enabled"]:
            continue
        for receiver in document.body["properties"]["emailReceivers"]:
            _note(platform, alert_id, "email", receiver["emailAddress"], "not sent: this local Azure sends no mail")
        for receiver in document.body["properties"]["webhookReceivers"]:
            if outgoing.is_loopback(receiver["serviceUri"]):
                arguments = {
                    "alert": alert_id,
                    "url": receiver["serviceUri"],
                    "common": bool(receiver.get("useCommonAlertSchema")),
                }
                platform.operations.begin(NOTIFY, arguments, resource_id=alert_id)
            else:
                _note(platform, alert_id, "webhook", receiver["serviceUri"], "not sent: it is not on this machine")


async def call_webhook(platform: Platform, arguments: Json) -> None:
    """Call a webhook until it answers with success, at most six times."""
    document = platform.store.get(arguments["alert"])
    if document is None:
        return
    body = json.dumps(_common(document.body) if arguments["common"] else _older(document.body))
    status = ""
    for pause in (0, *_RETRIES):
        if pause:
            await platform.clock.sleep(pause)
        try:
            headers = {"Content-Type": "application/json"}
            answer = await outgoing.send(
                platform, "POST", arguments["url"], headers=headers, body=body, most=_MOST_ANSWER
            )
        except outgoing.UnreachableError as error:
            status = f"failed: {error}"
            continue
        status = f"delivered ({answer.status})" if answer.ok else f"failed: HTTP {answer.status}"
        if answer.ok:
            break
    _note(platform, arguments["alert"], "webhook", arguments["url"], status)


def _note(platform: Platform, alert_id: str, kind: str, to: str, status: str) -> None:
    document = platform.store.get(alert_id)
    if document is not None:
        told = [*document.body["notifications"], {"kind": kind, "to": to, "status": status}]
        platform.store.put(alert_id, ALERT_TYPE, {**document.body, "notifications": told})


def _common(alert: Json) -> Json:
    """Return an alert in the common alert schema."""
    essentials = {
        "alertId": alert["id"],
        "alertRule": alert["rule"].rpartition("/")[2],
        "severity": f"Sev{alert['severity']}",
        "signalType": "Metric",
        "monitorCondition": alert["condition"],
        "monitoringService": "Platform",
        "alertTargetIDs": alert["scopes"],
        "firedDateTime": alert["at"],
        "description": alert["description"],
        "essentialsVersion": "1.0",
        "alertContextVersion": "1.0",
    }
    context = {"conditionType": "SingleResourceMultipleMetricCriteria", "condition": {"allOf": alert["criteria"]}}
    return {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials, "alertContext": context}}


def _older(alert: Json) -> Json:
    """Return an alert in the schema of metric alerts."""
    context = {
        "timestamp": alert["at"],
        "id": alert["rule"],
        "name": alert["rule"].rpartition("/")[2],
        "description": alert["description"],
        "conditionType": "SingleResourceMultipleMetricCriteria",
        "severity": str(alert["severity"]),
        "condition": {"allOf": alert["criteria"]},
        "resourceId": alert["scopes"][0],
    }
    status = "Activated" if alert["condition"] == "Fired" else "Deactivated"
    return {"schemaId": "AzureMonitorMetricAlert", "data": {"version": "2.0", "status": status, "context": context}}


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[^:<>+/&%\\?|]{1,260}",
        required=("properties.groupShortName",),
        creation=201,
        prepare=_prepare,
    )
]
