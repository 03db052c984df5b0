"""Alerts, and retraining after drift, in the whole program as the engine would see it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from amlite.services.logic import expressions
from infra.components import drift_events, retraining
from infra.roles.definitions import RETRAIN_ROLE, Role
from infra.settings.configuration import ConfigurationError
from infra.settings.monitoring import RetrainSettings
from tests.unit.infra.deployed import Deployment, Registered, deploy

RETRAIN = {"schedule": "flight-delay-daily", "cooldownDays": 7, "pollMinutes": 30}


def monitored(stack: str = "dev", **monitoring: Any) -> Deployment:
    return deploy(stack, {"azureml-platform:monitoring": json.dumps(monitoring)})


@pytest.fixture(scope="module")
def whole() -> Deployment:
    hooks = {"teams": "https://contoso.webhook.office.com/abc"}
    alerts = {"endpointLatency": 500.0}
    return monitored(emails=["ml@contoso.com"], webhooks=hooks, alerts=alerts, retrain=RETRAIN)


def rules(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {each.inputs["ruleName"]: each.inputs for each in deployment.of("monitor:MetricAlert")}


def roles_of(deployment: Deployment, component: str) -> set[tuple[str, str]]:
    """What the identity of a component's resource may do: (type of the scope, role)."""
    found = [each for each in deployment.of("authorization:RoleAssignment") if each.name.startswith(f"{component}-")]
    return {(each.inputs["scope"].split("/")[1], _role(each)) for each in found}


def _role(assignment: Registered) -> str:
    guid = assignment.inputs["roleDefinitionId"].rpartition("/")[2]
    return next((role.title for role in Role if role.value == guid), RETRAIN_ROLE.title)


def test_no_stack_mails_or_retrains_unless_it_says_so(deployment: Deployment) -> None:
    for kind in ("monitor:ActionGroup", "monitor:MetricAlert", "eventgrid:SystemTopic", "logic:Workflow"):
        assert deployment.of(kind) == []


def test_receivers_get_an_alert_for_each_rule(whole: Deployment) -> None:
    group = whole.one("monitor:ActionGroup")
    assert group.inputs["emailReceivers"][0]["emailAddress"] == "ml@contoso.com"
    assert "webhookReceivers" in group.secret_inputs  # the URL of a chat service contains a key
    found = rules(whole)
    assert set(found) == {"failed-runs", "drift", "errors-flight-delay", "latency-flight-delay"}
    assert all(len(each["actions"]) == 1 for each in found.values())
    drift = found["drift"]["criteria"]["allOf"][0]
    assert drift["dimensions"] == [
        {"name": "EventSubscriptionName", "operator": "Include", "values": list(drift_events.TAGS)}
    ]
    (scope,) = found["errors-flight-delay"]["scopes"]
    assert "/onlineEndpoints/flight-delay-dev-" in scope


def serving(**alerts: Any) -> Deployment:
    """Return the program of a stack that serves a model and mails alerts."""
    monitoring = {"emails": ["ml@contoso.com"], "alerts": alerts}
    models = {"flight-delay": {"name": "flight-delay", "version": "3"}}
    return deploy(
        "dev",
        {"azureml-platform:monitoring": json.dumps(monitoring), "azureml-platform:models": json.dumps(models)},
    )


def test_rules_on_cpu_and_memory_watch_the_deployment_that_serves() -> None:
    """Azure measures CPU and memory of a deployment, and has no rule of several deployments."""
    deployment = serving(endpointCpu=75, endpointMemory=95)
    found = rules(deployment)
    cpu, memory = found["cpu-flight-delay"], found["memory-flight-delay"]
    criterion = cpu["criteria"]["allOf"][0]
    assert (criterion["metricName"], criterion["threshold"]) == ("CpuUtilizationPercentage", 75)
    assert memory["criteria"]["allOf"][0]["metricName"] == "CpuMemoryUtilizationPercentage"
    (endpoint,) = [each for each in deployment.resources if each.name == "endpoint-flight-delay"]
    (live,) = endpoint.inputs["traffic"]
    assert cpu["scopes"] == memory["scopes"]
    assert cpu["scopes"][0].endswith(f"/deployments/{live}")
    (rule,) = [each for each in deployment.of("monitor:MetricAlert") if each.name == "alerts-cpu-flight-delay"]
    assert endpoint.urn in rule.depends_on  # a rollout ends before the rule moves


def test_no_rule_watches_a_deployment_that_waits_for_a_model(whole: Deployment) -> None:
    assert not [name for name in rules(whole) if name.startswith(("cpu-", "memory-"))]


def test_rules_that_are_off_are_not_there() -> None:
    alerts = {"failedRuns": None, "drift": False, "endpointErrors": None, "endpointCpu": None, "endpointMemory": None}
    deployment = serving(**alerts)
    assert rules(deployment) == {}
    assert deployment.of("eventgrid:SystemTopic") == []


def test_drift_goes_to_the_queue_and_no_other_event_does(whole: Deployment) -> None:
    found = {
        each.inputs["eventSubscriptionName"]: each.inputs for each in whole.of("eventgrid:SystemTopicEventSubscription")
    }
    filters = {name: each["filter"]["advancedFilters"][0] for name, each in found.items()}
    assert filters["drift-job"] == {
        "operatorType": "StringIn",
        "key": "data.RunTags.drift_detected",
        "values": ["true"],
    }
    assert filters["monitor"]["key"] == "data.RunTags.azureml_modelmonitor_threshold_breached"
    for each in found.values():
        assert each["filter"]["includedEventTypes"] == [drift_events.STATUS_CHANGED]
        assert each["deliveryWithResourceIdentity"]["identity"] == {"type": "SystemAssigned"}
        assert "destination" not in each


def test_topic_may_add_messages_and_the_workflow_may_take_them_and_start_jobs(whole: Deployment) -> None:
    assert roles_of(whole, "drift") == {("azure-native:storage:Queue", "Storage Queue Data Message Sender")}
    assert roles_of(whole, "retraining") == {
        ("azure-native:storage:Queue", "Storage Queue Data Message Processor"),
        ("azure-native:machinelearningservices:Workspace", "Azure ML retrainer"),
    }
    assert not any(action.endswith(("/*", "*")) and action.count("/") < 3 for action in RETRAIN_ROLE.actions)


def test_workflow_starts_one_job_in_a_cooldown() -> None:
    settings = RetrainSettings(schedule="daily", cooldown_days=7)
    made = retraining.definition(settings, "account", "drift-events", "/subscriptions/s/workspaces/w")
    expressions.check(made)  # the local Azure evaluates it as Azure does
    (get, put) = (made["actions"][name]["inputs"] for name in ("Job", "Start"))
    assert get["uri"] == put["uri"]
    assert "daily-drift-@{div(ticks(utcNow()), 6048000000000)}?" in put["uri"]
    assert made["actions"]["Start"]["runAfter"] == {"Job": ["Failed"]}
    assert made["triggers"]["Drift"]["runtimeConfiguration"] == {"concurrency": {"runs": 1}}


@pytest.mark.parametrize(
    ("monitoring", "said"),
    [
        ({"emails": ["nobody"]}, "monitoring.emails[0] must be an email address"),
        (
            {"webhooks": {"hook": "ftp://example.com"}},
            "monitoring.webhooks.hook must be a URL that begins with https://",
        ),
        ({"webhooks": {"a b": "https://example.com"}}, "letters, digits, hyphens"),
        ({"retrain": {}}, "monitoring.retrain.schedule is missing"),
        ({"retrain": {"schedule": "dayly"}}, "names schedule dayly, which does not exist in this stack"),
        ({"retrain": RETRAIN | {"cooldownDays": 0}}, "must be 1 or more"),
        ({"alerts": {"endpointCpu": 100}}, "monitoring.alerts.endpointCpu must be less than 100"),
        ({"alert": {}}, "did you mean monitoring.alerts?"),
    ],
)
def test_mistake_names_the_key_and_the_fix(monitoring: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        monitored(**monitoring)
    assert said in str(raised.value)
    assert "fix:" in str(raised.value)


def test_retraining_needs_addresses_that_a_logic_app_reaches() -> None:
    with pytest.raises(ConfigurationError, match=r"needs network\.publicAccess"):
        deploy(
            "dev",
            {
                "azureml-platform:monitoring": json.dumps({"retrain": RETRAIN}),
                "azureml-platform:registry": json.dumps({"sku": "Premium"}),
                "azureml-platform:network": json.dumps({"publicAccess": False, "isolation": "AllowInternetOutbound"}),
            },
        )
