"""The filters of event subscriptions: event types, subjects, and advanced filters on the fields of an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.wire import Json

STATUS_CHANGED = "Microsoft.MachineLearningServices.RunStatusChanged"
COMPLETED = "Microsoft.MachineLearningServices.RunCompleted"
SERVED = (STATUS_CHANGED, COMPLETED)
# Azure's other event types, which amlite raises no events of.
OTHERS = (
    "Microsoft.MachineLearningServices.ModelRegistered",
    "Microsoft.MachineLearningServices.ModelDeployed",
    "Microsoft.MachineLearningServices.DatasetDriftDetected",
)
_MOST_FILTERS, _MOST_VALUES, _MOST_LETTERS = 25, 25, 512
_TOP_LEVEL = {
    "id": "id",
    "topic": "topic",
    "subject": "subject",
    "eventtype": "eventType",
    "dataversion": "dataVersion",
}


def _text(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: compare(str(value).lower(), str(wanted).lower())


# operator -> (test of one value, whether the filter matches where all tests fail)
_OPERATORS: dict[str, tuple[Callable[[Any, Any], bool], bool]] = {
    "stringin": (_text(lambda value, wanted: value == wanted), False),
    "stringnotin": (_text(lambda value, wanted: value == wanted), True),
    "stringcontains": (_text(lambda value, wanted: wanted in value), False),
    "stringnotcontains": (_text(lambda value, wanted: wanted in value), True),
    "stringbeginswith": (_text(str.startswith), False),
    "stringnotbeginswith": (_text(str.startswith), True),
    "stringendswith": (_text(str.endswith), False),
    "stringnotendswith": (_text(str.endswith), True),
}


def check(given: Json) -> Json:
    """Return a subscription's filter with the defaults. Raises Event Grid's AzureError 400 for a malformed one."""
    types = given.get("includedEventTypes") or list(SERVED)
    for kind in types:
        if kind in OTHERS:
            raise _refusal(f"filter.includedEventTypes: '{kind}' is not raised by this local Azure")
        if kind not in SERVED:
            raise _refusal(f"filter.includedEventTypes: '{kind}' is not an event type of the topic")
    advanced = given.get("advancedFilters") or []
    if len(advanced) > _MOST_FILTERS:
        raise _refusal(f"filter.advancedFilters: at most {_MOST_FILTERS} are allowed")
    for number, each in enumerate(advanced):
        where = f"filter.advancedFilters[{number}]"
        if str(each.get("operatorType")).lower() not in _OPERATORS:
            raise _refusal(f"{where}.operatorType: use one of the string operators, not '{each.get('operatorType')}'")
        key = str(each.get("key") or "")
        if key.lower() not in _TOP_LEVEL and not (key.lower().startswith("data.") and key.count(".") <= 2):
            raise _refusal(f"{where}.key: '{key}' is neither a field of the event nor data.FIELD or data.FIELD.FIELD")
        values = each.get("values") or []
        if not 1 <= len(values) <= _MOST_VALUES or any(len(str(value)) > _MOST_LETTERS for value in values):
            raise _refusal(f"{where}.values: give 1 to {_MOST_VALUES} values of at most {_MOST_LETTERS} characters")
    return {"subjectBeginsWith": "", "subjectEndsWith": "", **given, "includedEventTypes": types}


def matches(wanted: Json, event: Json) -> bool:
    """Whether an event passes a filter. Text is compared without case, unless the subject's test says otherwise."""
    subject, begin, end = event["subject"], wanted["subjectBeginsWith"], wanted["subjectEndsWith"]
    if not wanted.get("isSubjectCaseSensitive"):
        subject, begin, end = subject.lower(), begin.lower(), end.lower()
    if event["eventType"] not in wanted["includedEventTypes"]:
        return False
    if not subject.startswith(begin) or not subject.endswith(end):
        return False
    return all(_passes(each, event) for each in wanted.get("advancedFilters") or [])


def _passes(wanted: Json, event: Json) -> bool:
    test, otherwise = _OPERATORS[wanted["operatorType"].lower()]
    value = _field(event, wanted["key"])
    if value is None:
        return otherwise
    passed = any(test(value, each) for each in wanted["values"])
    return passed is not otherwise


def _field(event: Json, key: str) -> Any:
    if key.lower() in _TOP_LEVEL:
        return event[_TOP_LEVEL[key.lower()]]
    value: Any = event
    for part in key.split("."):
        if not isinstance(value, dict):
            return None
        # Microsoft's examples write `data.RunTags`, and the event's schema `runTags`.
        value = next((each for name, each in value.items() if name.lower() == part.lower()), None)
    return value


def _refusal(message: str) -> AzureError:
    return AzureError(400, "InvalidRequest", f"properties.{message}.")
