"""Log Analytics workspaces, Application Insights components and autoscale settings."""

from __future__ import annotations

import uuid

from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.monitoring import actions, alerts, autoscale


def _workspace(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    customer = old["properties"]["customerId"] if old else str(uuid.uuid4())
    return {**body, "properties": {"retentionInDays": 30, **body["properties"], "customerId": customer}}


def _component(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    key = old["properties"]["InstrumentationKey"] if old else str(uuid.uuid4())
    added = {
        "AppId": old["properties"]["AppId"] if old else str(uuid.uuid4()),
        "InstrumentationKey": key,
        "ConnectionString": f"InstrumentationKey={key};IngestionEndpoint=https://{body['location']}-1.in.applicationinsights.azure.com/",
    }
    return {**body, "properties": {**body["properties"], **added}}


TYPES = [
    *actions.TYPES,
    *alerts.TYPES,
    *autoscale.TYPES,
    ResourceType(
        "Microsoft.OperationalInsights/workspaces",
        pattern=r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
        rule="Workspace names are 4-63 letters, digits and hyphens and begin and end with a letter or digit.",
        asynchronous=True,
        prepare=_workspace,
    ),
    ResourceType(
        "Microsoft.Insights/components",
        pattern=r"[^%&\\?/]{0,254}[^%&\\?/. ]",
        required=("kind", "properties.Application_Type"),
        creation=200,
        prepare=_component,
    ),
]
