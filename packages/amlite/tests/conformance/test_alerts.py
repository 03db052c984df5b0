"""Azure Monitor: metric alert rules on runs, events and endpoints, and the action groups that they tell.

Sources: the OpenAPI documents of Microsoft.Insights (metricAlerts, actionGroups), and the pages "Supported metrics",
"Action groups" and "Common alert schema".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from amlite.testing import Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import Json
from amlite_fixtures.receiver import Receiver, listening

GROUPS = "2023-01-01"
RULES = "2018-03-01"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def action_group(azureml_workspace: Workspace, receiver: Receiver) -> Iterator[str]:
    path = events.provider(azureml_workspace, f"Microsoft.Insights/actionGroups/ag-{uuid.uuid4().hex[:8]}")
    hook = {"name": "hook", "serviceUri": receiver.url, "useCommonAlertSchema": True}
    away = {"name": "away", "serviceUri": "https://hooks.example.com/alert", "useCommonAlertSchema": True}
    mail = {"name": "mail", "emailAddress": "team@example.com", "useCommonAlertSchema": True}
    receivers = {"webhookReceivers": [hook, away], "emailReceivers": [mail]}
    properties = {"groupShortName": "team", "enabled": True, **receivers}
    azureml_workspace.azure.put(path, {"location": "Global", "properties": properties}, GROUPS)
    yield path
    azureml_workspace.azure.remove(path, GROUPS)


@pytest.fixture
def rule(azureml_workspace: Workspace) -> Iterator[str]:
    path = events.provider(azureml_workspace, f"Microsoft.Insights/metricAlerts/rule-{uuid.uuid4().hex[:8]}")
    yield path
    azureml_workspace.azure.remove(path, RULES)


def body(scope: str, group: str, **criterion: object) -> Json:
    """Return a rule: more than no failed run in five minutes, unless the criterion says otherwise."""
    wanted = {
        "name": "first",
        "criterionType": "StaticThresholdCriterion",
        "metricName": "Failed Runs",
        "operator": "GreaterThan",
        "threshold": 0,
        "timeAggregation": "Total",
        **criterion,
    }
    return {
        "location": "global",
        "properties": {
            "description": "a run failed",
            "severity": 2,
            "enabled": True,
            "scopes": [scope],
            "evaluationFrequency": "PT1M",
            "windowSize": "PT5M",
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [wanted],
            },
            "actions": [{"actionGroupId": group}],
        },
    }


def fired(workspace: Workspace, rule: str) -> list[Json]:
    told = json.loads(workspace.azure.command("alerts", "--output", "json"))["alerts"]
    return [each for each in told if each["rule"] == rule]


def test_failed_run_fires_an_alert_once_and_tells_the_webhook(
    azureml_workspace: Workspace, rule: str, action_group: str, receiver: Receiver
) -> None:
    azureml_workspace.azure.advance(600)  # away from the runs of other tests
    dimension = {"name": "ExperimentName", "operator": "Include", "values": ["events"]}
    azureml_workspace.azure.put(rule, body(azureml_workspace.id, action_group, dimensions=[dimension]), RULES)
    events.finished_run(azureml_workspace)
    assert fired(azureml_workspace, rule) == []
    events.finished_run(azureml_workspace, line="exit 1")
    told = receiver.wait(1)[0]
    assert told["schemaId"] == "azureMonitorCommonAlertSchema"
    essentials = told["data"]["essentials"]
    assert (essentials["alertRule"], essentials["severity"]) == (rule.rpartition("/")[2], "Sev2")
    assert (essentials["monitorCondition"], essentials["alertTargetIDs"]) == ("Fired", [azureml_workspace.id])
    assert told["data"]["alertContext"]["condition"]["allOf"][0]["metricValue"] == 1
    events.finished_run(azureml_workspace, line="exit 1")
    notes = {each["to"]: each["status"] for each in fired(azureml_workspace, rule)[0]["notifications"]}
    assert notes["team@example.com"] == "not sent: this local Azure sends no mail"
    assert notes["https://hooks.example.com/alert"] == "not sent: it is not on this machine"
    azureml_workspace.azure.advance(600)
    for _ in range(3):
        azureml_workspace.azure.advance(61)
    assert [each["data"]["essentials"]["monitorCondition"] for each in receiver.wait(2)] == ["Fired", "Resolved"]
    assert len(fired(azureml_workspace, rule)) == 2
    assert "Fired     sev 2" in azureml_workspace.azure.command("alerts")


def test_matched_event_of_a_subscription_fires_an_alert(
    azureml_workspace: Workspace, rule: str, action_group: str, receiver: Receiver
) -> None:
    azure, topic = azureml_workspace.azure, events.topic(azureml_workspace)
    subscription = f"{topic['id']}/eventSubscriptions/alerted"
    azure.put(subscription, events.subscription(events.to_webhook(receiver.url)), events.EVENTS)
    dimension = {"name": "EventSubscriptionName", "operator": "Include", "values": ["alerted"]}
    wanted = body(topic["id"], action_group, metricName="MatchedEventCount", dimensions=[dimension])
    azure.put(rule, wanted, RULES)
    events.finished_run(azureml_workspace, {"drift_detected": "true"})
    kinds = {("alert" if isinstance(each, dict) else "event") for each in receiver.wait(2)}
    assert kinds == {"alert", "event"}
    azure.remove(topic["id"], events.EVENTS)


def test_webhook_of_an_action_group_is_called_again_until_it_answers(
    azureml_workspace: Workspace, rule: str, action_group: str, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    wanted = body(azureml_workspace.id, action_group, metricName="Completed Runs")
    azureml_workspace.azure.put(rule, wanted, RULES)
    events.finished_run(azureml_workspace)
    receiver.wait(1)
    azureml_workspace.azure.advance(6)
    receiver.wait(2)
    events.until(
        lambda: "delivered (200)" in [each["status"] for each in fired(azureml_workspace, rule)[0]["notifications"]]
    )


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ({"metricName": "Sad Runs"}, "couldn't find a metric named Sad Runs"),
        ({"timeAggregation": "Average"}, "timeAggregation"),
        ({"operator": "Above"}, "operator"),
        ({"threshold": "many"}, "threshold"),
        ({"dimensions": [{"name": "Color", "operator": "Include", "values": ["red"]}]}, "dimensions RunType"),
        ({"criterionType": "DynamicThresholdCriterion"}, "dynamic thresholds"),
    ],
)
def test_alert_rule_is_refused(azureml_workspace: Workspace, action_group: str, criterion: Json, said: str) -> None:
    path = events.provider(azureml_workspace, "Microsoft.Insights/metricAlerts/refused")
    answer = azureml_workspace.azure.arm("PUT", path, body(azureml_workspace.id, action_group, **criterion), RULES)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scopes": []}, "scopes"),
        ({"severity": 5}, "severity"),
        ({"windowSize": "PT2M"}, "windowSize"),
        ({"evaluationFrequency": "PT15M"}, "not be shorter"),
        ({"actions": [{"actionGroupId": "/nowhere"}]}, "was not found"),
    ],
)
def test_alert_rule_with_wrong_properties_is_refused(
    azureml_workspace: Workspace, action_group: str, change: Json, said: str
) -> None:
    path = events.provider(azureml_workspace, "Microsoft.Insights/metricAlerts/refused")
    wanted = body(azureml_workspace.id, action_group)
    wanted["properties"] |= change
    answer = azureml_workspace.azure.arm("PUT", path, wanted, RULES)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"groupShortName": "longer than twelve"}, "1 to 12"),
        ({"smsReceivers": [{"name": "sms", "countryCode": "31", "phoneNumber": "1"}]}, "smsReceivers"),
        ({"emailReceivers": [{"name": "team", "emailAddress": "team"}]}, "not an email address"),
        ({"webhookReceivers": [{"name": "hook"}]}, "serviceUri"),
    ],
)
def test_action_group_is_refused(azureml_workspace: Workspace, change: Json, said: str) -> None:
    path = events.provider(azureml_workspace, "Microsoft.Insights/actionGroups/refused")
    wanted = {"location": "Global", "properties": {"groupShortName": "team", **change}}
    answer = azureml_workspace.azure.arm("PUT", path, wanted, GROUPS)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


TOPIC = "Microsoft.EventGrid/systemTopics"
BODIES: dict[str, tuple[str, Json]] = {
    "Microsoft.Insights/actionGroups": (GROUPS, {"groupShortName": "team"}),
    "Microsoft.Insights/metricAlerts": (RULES, {}),
    "Microsoft.Logic/workflows": (events.LOGIC, {}),
    TOPIC: (events.EVENTS, {}),
}


@pytest.mark.parametrize("kind", BODIES)
def test_resource_is_listed_tagged_and_deleted(azureml_workspace: Workspace, action_group: str, kind: str) -> None:
    azure, (version, properties) = azureml_workspace.azure, BODIES[kind]
    path = events.provider(azureml_workspace, f"{kind}/listed")
    if kind == "Microsoft.Logic/workflows":
        poll = {"type": "Http", "recurrence": {"frequency": "Day", "interval": 1}}
        poll["inputs"] = {"method": "GET", "uri": "http://127.0.0.1:1/"}
        properties = {"definition": {"triggers": {"Poll": poll}, "actions": {}}, "state": "Disabled"}
    if kind == "Microsoft.Insights/metricAlerts":
        properties = body(azureml_workspace.id, action_group)["properties"]
    if kind == TOPIC:
        properties = {"source": azureml_workspace.id, "topicType": "Microsoft.MachineLearningServices.Workspaces"}
    azure.put(path, {"location": "westeurope", "properties": properties}, version)
    assert azure.arm("PATCH", path, {"tags": {"team": "ml"}}, version).status_code in (200, 201, 202)
    for scope in (events.group(azureml_workspace), events.SUBSCRIPTION):
        listed = azure.arm("GET", f"{scope}/providers/{kind}", version=version).json()["value"]
        (found,) = (each for each in listed if each["id"] == path)
        assert found["tags"] == {"team": "ml"}
    if kind == TOPIC:
        subscription = f"{path}/eventSubscriptions/listed"
        events.queue(azureml_workspace, "listed")
        azure.put(
            path, {**azure.arm("GET", path, version=version).json(), "identity": {"type": "SystemAssigned"}}, version
        )
        azure.put(subscription, events.subscription(events.to_queue(azureml_workspace, "listed")), version)
        listed = azure.arm("GET", f"{path}/eventSubscriptions", version=version).json()["value"]
        assert [each["name"] for each in listed] == ["listed"]
        assert azure.arm("GET", f"{path}/eventSubscriptions/listed", version=version).status_code == 200
        azure.remove(subscription, version)
    azure.remove(path, version)
    assert azure.arm("GET", path, version=version).status_code == 404
