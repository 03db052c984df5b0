"""Autoscale settings: rules that keep the number of a managed deployment's instances between two bounds.

Azure applies a profile's bounds immediately, and its rules as metrics arrive. amlite applies the bounds. It checks and
stores the rules but does not follow them, because the machine cannot provide a second instance. Source: the published
OpenAPI document of Microsoft.Insights/autoscaleSettings.
"""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.arm import resources
from amlite.services.arm.resources import resource_of
from amlite.services.machinelearning.endpoints import ONLINE_TYPE

TYPE = "Microsoft.Insights/autoscaleSettings"
_TARGET = f"{ONLINE_TYPE}/deployments".lower()
_MOST_PROFILES, _MOST_RULES = 20, 10
_TRIGGER = {
    "statistic": ("Average", "Min", "Max", "Sum", "Count"),
    "timeAggregation": ("Average", "Minimum", "Maximum", "Total", "Count", "Last"),
    "operator": ("Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"),
}
_ACTION = {
    "direction": ("None", "Increase", "Decrease"),
    "type": ("ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue"),
}
_REQUIRED = ("metricName", "metricResourceUri", "timeGrain", "timeWindow", "threshold")


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, _old: Json | None) -> Json:
    properties: Json = body["properties"]
    profiles = properties.get("profiles")
    if not isinstance(profiles, list) or not 1 <= len(profiles) <= _MOST_PROFILES:
        raise _invalid("profiles", f"must be a list of 1 to {_MOST_PROFILES} profiles")
    if not all(isinstance(profile, dict) for profile in profiles):
        raise _invalid("profiles", "must be a list of objects")
    for number, profile in enumerate(profiles):
        _check_profile(profile, f"profiles[{number}]")
    target = ResourceId.parse(str(properties.get("targetResourceUri") or ""))
    if target is None or target.type.lower() != _TARGET:
        raise _invalid(
            "targetResourceUri", "must be the ARM id of a managed online deployment (amlite scales nothing else)"
        )
    deployment = resource_of(platform, target).body
    if deployment["properties"]["endpointComputeType"].lower() != "managed":
        raise _invalid("targetResourceUri", "names a Kubernetes deployment, which scales by its own scale settings")
    for other in platform.store.of_type(TYPE):
        taken = other.body["properties"]["targetResourceUri"].lower() == str(target).lower()
        if taken and other.id.lower() != str(resource_id).lower():
            raise AzureError(
                409, "Conflict", f"The resource '{target}' has the autoscale setting '{other.body['name']}' already."
            )
    return {**body, "properties": {"enabled": False, "name": resource_id.name, "notifications": None, **properties}}


def _check_profile(profile: Json, where: str) -> None:
    if not profile.get("name"):
        raise _invalid(f"{where}.name", "is required")
    least, most, default = bounds(profile, where)
    if not 0 <= least <= default <= most:
        raise _invalid(
            f"{where}.capacity", f"minimum ({least}), default ({default}) and maximum ({most}) are not in order"
        )
    rules = profile.get("rules")
    if not isinstance(rules, list) or len(rules) > _MOST_RULES:
        raise _invalid(f"{where}.rules", f"must be a list of at most {_MOST_RULES} rules")
    for number, rule in enumerate(rules):
        at = f"{where}.rules[{number}]"
        trigger, action = rule.get("metricTrigger") or {}, rule.get("scaleAction") or {}
        missing = [f"metricTrigger.{name}" for name in _REQUIRED if trigger.get(name) in (None, "")]
        missing += ["scaleAction.cooldown"] if not action.get("cooldown") else []
        if missing:
            raise _invalid(at, f"is without {', '.join(missing)}")
        for part, given, known in (("metricTrigger", trigger, _TRIGGER), ("scaleAction", action, _ACTION)):
            for name, values in known.items():
                if str(given.get(name)).lower() not in {value.lower() for value in values}:
                    raise _invalid(f"{at}.{part}.{name}", f"must be one of {', '.join(values)}")


def bounds(profile: Json, where: str) -> tuple[int, int, int]:
    """Return a profile's minimum, maximum and default instances, which it has as text. Raises AzureError 400."""
    capacity = profile.get("capacity") or {}
    try:
        return int(capacity["minimum"]), int(capacity["maximum"]), int(capacity["default"])
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(f"{where}.capacity", "needs minimum, maximum and default, whole numbers as text") from error


async def _apply(platform: Platform, resource_id: ResourceId) -> None:
    """Bring the number of the target's instances within the bounds of the first profile that has no schedule."""
    properties = resource_of(platform, resource_id).body["properties"]
    profile = next((each for each in properties["profiles"] if not _scheduled(each)), None)
    document = platform.store.get(properties["targetResourceUri"])
    if not properties["enabled"] or profile is None or document is None:
        return
    least, most, _ = bounds(profile, "profiles")
    capacity = document.body["sku"]["capacity"]
    wanted = max(1, least, min(most, capacity))
    if wanted != capacity:
        document.body["sku"]["capacity"] = wanted
        platform.store.put(document.id, document.type, document.body)
        await resources.provision(platform, document.id)


def _scheduled(profile: Json) -> bool:
    return bool(profile.get("fixedDate") or profile.get("recurrence"))


def _invalid(where: str, what: str) -> AzureError:
    return AzureError(400, "InvalidAutoscaleSetting", f"properties.{where}: {what}.")


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[^<>%&?/\\#*]{1,260}",
        linked={
            "properties.targetResourceUri": "write",
            "properties.profiles.rules.metricTrigger.metricResourceUri": "read",
        },
        prepare=_prepare,
        created=_apply,
    )
]
