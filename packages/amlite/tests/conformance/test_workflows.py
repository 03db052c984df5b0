"""Logic Apps: workflows that poll a queue with their managed identity and start a job.

Sources: the OpenAPI document of Microsoft.Logic/workflows, and the pages "Schema reference for trigger and action
types", "Reference guide to workflow expression functions" and "Authenticate access with managed identity".
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from amlite.testing import Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import Json

STORAGE = "https://storage.azure.com/"
ARM = "https://management.azure.com"


def http(method: str, uri: str, audience: str, **more: Any) -> Json:
    sign_in = {"type": "ManagedServiceIdentity", "audience": audience}
    return {"method": method, "uri": uri, "authentication": sign_in, **more}


def definition(workspace: Workspace) -> Json:
    """Return a workflow: for each message in the queue `start`, it reads the workspace and deletes the message."""
    messages = f"https://{workspace.account}.queue.core.windows.net/start/messages"
    version = {"x-ms-version": "2023-11-03"}
    found = "xpath(xml(triggerBody()), 'string(//{})')"
    gone = (
        f"{messages}/@{{{found.format('MessageId')}}}?popreceipt=@{{encodeUriComponent({found.format('PopReceipt')})}}"
    )
    return {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "triggers": {
            "Message": {
                "type": "Http",
                "recurrence": {"frequency": "Minute", "interval": 15},
                "inputs": http("GET", f"{messages}?visibilitytimeout=60", STORAGE, headers=version),
                "conditions": [{"expression": f"@not(empty({found.format('MessageId')}))"}],
            }
        },
        "actions": {
            "Read": {
                "type": "Http",
                "inputs": http("GET", f"{ARM}{workspace.id}?api-version=2024-04-01", f"{ARM}/"),
            },
            "Done": {
                "type": "Http",
                "inputs": http("DELETE", gone, STORAGE, headers=version),
                "runAfter": {"Read": ["Succeeded"]},
            },
        },
    }


@pytest.fixture
def workflow(azureml_workspace: Workspace) -> Iterator[str]:
    path = events.provider(azureml_workspace, "Microsoft.Logic/workflows/logic-test")
    events.queue(azureml_workspace, "start")
    yield path
    azureml_workspace.azure.remove(path, events.LOGIC)


def body(definition: Json, **more: Any) -> Json:
    return {
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "properties": {"state": "Enabled", "definition": definition, **more},
    }


def put_message(workspace: Workspace) -> None:
    text = "<QueueMessage><MessageText>go</MessageText></QueueMessage>"
    assert events.messages(workspace, "POST", "start/messages", data=text).status_code == 201


def runs(workspace: Workspace, workflow: str) -> list[Json]:
    answer = workspace.azure.arm("GET", f"{workflow}/runs", version=events.LOGIC)
    return list(answer.json()["value"])


def test_workflow_runs_for_a_message_by_the_roles_of_its_identity(azureml_workspace: Workspace, workflow: str) -> None:
    azure = azureml_workspace.azure
    made = azure.put(workflow, body(definition(azureml_workspace)), events.LOGIC)
    assert made["properties"]["state"] == "Enabled"
    put_message(azureml_workspace)
    azure.arm("POST", f"{workflow}/triggers/Message/run", {}, events.LOGIC)
    assert runs(azureml_workspace, workflow) == []  # it may not read the queue yet
    queue = f"{events.account(azureml_workspace)}/queueServices/default/queues/start"
    principal = made["identity"]["principalId"]
    azure.assign("Storage Queue Data Message Processor", queue, principal)
    azure.advance(15 * 60 + 1)
    first = events.until(lambda: runs(azureml_workspace, workflow))[0]["properties"]
    assert first["status"] == "Failed"
    assert {name: each["status"] for name, each in first["actions"].items()} == {"Read": "Failed", "Done": "Skipped"}
    assert first["actions"]["Read"]["error"]["error"]["code"] == "AuthorizationFailed"
    azure.assign("Reader", azureml_workspace.id, principal)
    azure.advance(15 * 60 + 1)  # the message is visible again
    events.until(lambda: len(runs(azureml_workspace, workflow)) == 2)
    assert runs(azureml_workspace, workflow)[0]["properties"]["status"] == "Succeeded"
    azure.advance(15 * 60 + 1)
    assert events.first(events.messages(azureml_workspace, "GET", "start/messages"), "MessageId") is None


def test_workflow_that_is_disabled_does_not_poll(azureml_workspace: Workspace, workflow: str) -> None:
    azure = azureml_workspace.azure
    made = azure.put(workflow, body(definition(azureml_workspace), state="Disabled"), events.LOGIC)
    queue = f"{events.account(azureml_workspace)}/queueServices/default/queues/start"
    azure.assign("Storage Queue Data Message Processor", queue, made["identity"]["principalId"])
    put_message(azureml_workspace)
    azure.advance(3600)
    got = events.messages(azureml_workspace, "GET", "start/messages")
    assert events.first(got, "DequeueCount") == "1"
    place = f"start/messages/{events.first(got, 'MessageId')}?popreceipt={events.first(got, 'PopReceipt')}"
    events.messages(azureml_workspace, "DELETE", place)


def test_workflow_trigger_that_does_not_exist_is_not_found(azureml_workspace: Workspace, workflow: str) -> None:
    azureml_workspace.azure.put(workflow, body(definition(azureml_workspace), state="Disabled"), events.LOGIC)
    answer = azureml_workspace.azure.arm("POST", f"{workflow}/triggers/Other/run", {}, events.LOGIC)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "WorkflowTriggerNotFound")


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("triggers",), {}, "exactly one trigger"),
        (("triggers", "Message", "type"), "Request", "Http triggers only"),
        (("triggers", "Message", "recurrence"), {"frequency": "Fortnight", "interval": 1}, "recurrence"),
        (("triggers", "Message", "recurrence"), {"frequency": "Week", "interval": 1e308}, "recurrence"),
        (("actions", "Read", "type"), "Function", "actions of the type Http only"),
        (("actions", "Read", "inputs", "method"), "LOOK", "inputs.method"),
        (("actions", "Read", "inputs", "authentication"), {"type": "Basic"}, "ManagedServiceIdentity"),
        (("actions", "Done", "runAfter"), {"Nothing": ["Succeeded"]}, "unknown action"),
        (("actions", "Done", "runAfter"), {"Read": ["Happily"]}, "Succeeded, Failed"),
        (("actions", "Done", "inputs", "uri"), "@{rand(1, 2)}", "the function 'rand'"),
        (("actions", "Done", "inputs", "uri"), "@{body('Read'}", "ends too early"),
    ],
)
def test_workflow_is_refused(azureml_workspace: Workspace, keys: tuple[str, ...], value: Any, said: str) -> None:
    wrong = copy.deepcopy(definition(azureml_workspace))
    place = wrong
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = events.provider(azureml_workspace, "Microsoft.Logic/workflows/refused")
    answer = azureml_workspace.azure.arm("PUT", path, body(wrong), events.LOGIC)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidTemplate")
    assert said in answer.json()["error"]["message"]
