"""Data Factory as azure-mgmt-datafactory drives it: pipelines that run, and triggers that start and fire.

Sources: the OpenAPI documents of Microsoft.DataFactory; the pages "Web activity", "Until activity", "Nested
activities", "Errors and Conditional execution", "Create a trigger that runs a pipeline in response to a storage event"
and "Update active triggers".
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from amlite import SUBSCRIPTION_ID
from amlite.testing import Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import GROUP, Json

if TYPE_CHECKING:
    from azure.mgmt.datafactory import DataFactoryManagementClient

ARM = "https://management.azure.com"
VERSION = "2018-06-01"
_LONG = dt.timedelta(days=400)


class Factory:
    """A factory with an identity, and short forms of the client's operations."""

    def __init__(self, client: DataFactoryManagementClient, workspace: Workspace, name: str) -> None:
        self.client, self.workspace, self.name = client, workspace, name
        made = client.factories.create_or_update(
            GROUP, name, {"location": "westeurope", "identity": {"type": "SystemAssigned"}}
        )
        assert made.identity.principal_id
        self.principal = str(made.identity.principal_id)

    def pipeline(self, activities: list[Json], name: str = "work", **more: Any) -> None:
        self.client.pipelines.create_or_update(GROUP, self.name, name, pipeline(activities, **more))

    def trigger(self, name: str, kind: str, given: Json, pipelines: list[Json] | None = None) -> None:
        if pipelines is None:
            pipelines = [{"pipelineReference": {"type": "PipelineReference", "referenceName": "work"}}]
        properties = {"type": kind, "typeProperties": given, "pipelines": pipelines}
        self.client.triggers.create_or_update(GROUP, self.name, name, {"properties": properties})

    def start(self, **parameters: Any) -> str:
        return str(self.client.pipelines.create_run(GROUP, self.name, "work", parameters).run_id)

    def ended(self, run_id: str) -> Any:
        deadline = time.monotonic() + 30
        while (run := self.client.pipeline_runs.get(GROUP, self.name, run_id)).status in ("Queued", "InProgress"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return run

    def activities(self, run_id: str) -> dict[str, Any]:
        found = self.client.activity_runs.query_by_pipeline_run(GROUP, self.name, run_id, self.period())
        return {each.activity_name: each for each in found.value}

    def runs(self) -> list[Any]:
        return list(self.client.pipeline_runs.query_by_factory(GROUP, self.name, self.period()).value)

    def trigger_runs(self) -> list[Any]:
        return list(self.client.trigger_runs.query_by_factory(GROUP, self.name, self.period()).value)

    def period(self) -> Json:
        now = self.workspace.azure.now()
        return {
            "lastUpdatedAfter": (now - _LONG).isoformat(),
            "lastUpdatedBefore": (now + dt.timedelta(minutes=1)).isoformat(),
        }


def pipeline(activities: list[Json], **more: Any) -> Json:
    return {"properties": {"activities": activities, **more}}


def web(name: str, url: str, **more: Any) -> Json:
    sign_in = {"type": "MSI", "resource": f"{ARM}/"}
    return {
        "name": name,
        "type": "WebActivity",
        "typeProperties": {"method": "GET", "url": url, "authentication": sign_in},
        **more,
    }


def after(name: str, condition: str = "Succeeded") -> Json:
    return {"dependsOn": [{"activity": name, "dependencyConditions": [condition]}]}


def fail(name: str, message: str, **more: Any) -> Json:
    return {"name": name, "type": "Fail", "typeProperties": {"message": message, "errorCode": "501"}, **more}


def wait(name: str = "Wait", seconds: int = 1, **more: Any) -> Json:
    return {"name": name, "type": "Wait", "typeProperties": {"waitTimeInSeconds": seconds}, **more}


def is_true(text: str) -> Json:
    return {"value": text, "type": "Expression"}


@pytest.fixture(scope="module")
def client(azureml_workspace: Workspace) -> Iterator[DataFactoryManagementClient]:
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.datafactory import DataFactoryManagementClient

    with DataFactoryManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as made:
        yield made


@pytest.fixture
def factory(client: DataFactoryManagementClient, azureml_workspace: Workspace) -> Iterator[Factory]:
    made = Factory(client, azureml_workspace, f"adf-{uuid.uuid4().hex[:8]}")
    yield made
    client.factories.delete(GROUP, made.name)


def refusal(call: Any) -> tuple[int, str, str]:
    with pytest.raises(HttpResponseError) as raised:
        call()
    assert raised.value.response is not None
    error = raised.value.response.json()["error"]
    return raised.value.response.status_code, error["code"], error["message"]


def test_factory_is_listed_and_deleted_with_its_parts(factory: Factory) -> None:
    factory.pipeline([wait()])
    assert factory.name in [each.name for each in factory.client.factories.list_by_resource_group(GROUP)]
    assert [each.name for each in factory.client.pipelines.list_by_factory(GROUP, factory.name)] == ["work"]
    assert factory.client.pipelines.get(GROUP, factory.name, "work").activities[0].type == "Wait"
    factory.client.pipelines.delete(GROUP, factory.name, "work")
    assert list(factory.client.pipelines.list_by_factory(GROUP, factory.name)) == []


def test_web_activity_signs_in_with_the_identity_of_the_factory(factory: Factory) -> None:
    url = f"{ARM}@{{pipeline().parameters.id}}?api-version=2024-04-01"
    chosen = {"name": "Keep", "type": "SetVariable", **after("Read")}
    chosen["typeProperties"] = {"variableName": "name", "value": "@concat('is ', activity('Read').output.name)"}
    factory.pipeline(
        [web("Read", url), chosen],
        parameters={"id": {"type": "string", "defaultValue": factory.workspace.id}},
        variables={"name": {"type": "String"}},
    )
    denied = factory.ended(factory.start())
    assert denied.status == "Failed"
    assert denied.message.startswith(
        "Operation on target Read failed: Invoking Web Activity failed with HttpStatusCode - '403 : Forbidden'"
    )
    assert factory.activities(denied.run_id)["Read"].error["errorCode"] == "2108"
    assert "Keep" not in factory.activities(denied.run_id)
    factory.workspace.azure.assign("Reader", factory.workspace.id, factory.principal)
    run = factory.ended(factory.start())
    assert (run.status, run.message) == ("Succeeded", "")
    assert factory.activities(run.run_id)["Keep"].output["value"] == f"is {factory.workspace.name}"
    assert run.invoked_by.invoked_by_type == "Manual"


def test_until_polls_until_its_expression_is_true(factory: Factory) -> None:
    factory.workspace.azure.assign("Reader", factory.workspace.id, factory.principal)
    url = f"{ARM}{factory.workspace.id}?api-version=2024-04-01"
    counted = {"name": "Count", "type": "SetVariable", **after("Check")}
    counted["typeProperties"] = {"variableName": "seen", "value": "@concat(variables('seen'), 'x')"}
    inner = [wait("Pause", 3600), web("Check", url, **after("Pause")), counted]
    loop = {"name": "Poll", "type": "Until"}
    loop["typeProperties"] = {"expression": is_true("@greater(length(variables('seen')), 1)"), "activities": inner}
    factory.pipeline([loop], variables={"seen": {"type": "String", "defaultValue": ""}})
    run_id = factory.start()
    for turn in (1, 2):
        events.until(lambda turn=turn: waiting(factory, run_id) == turn)
        factory.workspace.azure.advance(3600)
    assert factory.ended(run_id).status == "Succeeded"


def waiting(factory: Factory, run_id: str) -> int:
    found = factory.client.activity_runs.query_by_pipeline_run(GROUP, factory.name, run_id, factory.period())
    pauses = [each for each in found.value if each.activity_name == "Pause"]
    return len(pauses) if pauses and pauses[-1].status == "InProgress" else 0


def test_until_does_not_end_by_a_failure_inside_and_fails_by_its_last_turn(factory: Factory) -> None:
    inner = [fail("Inner", "not this time")]
    loop = {"name": "Poll", "type": "Until"}
    loop["typeProperties"] = {
        "expression": is_true("@equals(activity('Inner').Status, 'Failed')"),
        "activities": inner,
    }
    factory.pipeline([loop])
    run = factory.ended(factory.start())
    said = "Activity failed because an inner activity failed; Inner activity name: Inner, Error: not this time"
    assert (run.status, run.message) == ("Failed", f"Operation on target Poll failed: {said}")


def test_until_fails_after_its_timeout(factory: Factory) -> None:
    loop = {"name": "Poll", "type": "Until"}
    loop["typeProperties"] = {
        "expression": is_true("@equals(1, 2)"),
        "timeout": "00:10:00",
        "activities": [wait("Pause", 7200)],
    }
    factory.pipeline([loop])
    run_id = factory.start()
    events.until(lambda: waiting(factory, run_id) == 1)
    factory.workspace.azure.advance(601)
    run = factory.ended(run_id)
    assert (run.status, "did not end within its timeout" in run.message) == ("Failed", True)
    assert factory.activities(run_id)["Pause"].status == "Cancelled"


@pytest.mark.parametrize(
    ("handlers", "status"),
    [
        ([], "Failed"),
        ([wait("Caught", 0, **after("First", "Failed"))], "Succeeded"),
        ([wait("Caught", 0, **after("First", "Failed")), wait("Next", 0, **after("First"))], "Failed"),
        ([wait("Always", 0, **after("First", "Completed"))], "Succeeded"),
        ([wait("Next", 0, **after("First")), wait("Skip", 0, **after("Next", "Skipped"))], "Succeeded"),
    ],
)
def test_last_activities_decide_about_the_run(factory: Factory, handlers: list[Json], status: str) -> None:
    factory.pipeline([fail("First", "broken"), *handlers])
    run = factory.ended(factory.start())
    assert run.status == status
    assert run.message == ("Operation on target First failed: broken" if status == "Failed" else "")


def test_condition_chooses_activities(factory: Factory) -> None:
    choice = {"name": "Choose", "type": "IfCondition"}
    choice["typeProperties"] = {
        "expression": is_true("@and(equals(pipeline().parameters.kind, 'a'), not(empty(pipeline().RunId)))"),
        "ifTrueActivities": [wait("Yes", 0)],
        "ifFalseActivities": [fail("No", "@{pipeline().parameters.kind} of @{pipeline().DataFactory}")],
    }
    factory.pipeline([choice], parameters={"kind": {"type": "string"}})
    assert factory.ended(factory.start(kind="a")).status == "Succeeded"
    assert factory.ended(factory.start(kind="b")).message.endswith(f"Error: b of {factory.name}")
    assert refusal(factory.start)[:2] == (400, "BadRequest")
    assert "no parameter 'colour'" in refusal(lambda: factory.start(kind="a", colour="red"))[2]


def test_activity_is_tried_again_by_its_policy(factory: Factory) -> None:
    policy = {"retry": 1, "retryIntervalInSeconds": 30, "timeout": "00:10:00", "secureInput": True}
    factory.pipeline([web("Read", f"{ARM}{factory.workspace.id}?api-version=2024-04-01", policy=policy)])
    run_id = factory.start()
    events.until(lambda: "Read" in factory.activities(run_id) and factory.activities(run_id)["Read"].error)
    factory.workspace.azure.assign("Reader", factory.workspace.id, factory.principal)
    factory.workspace.azure.advance(31)
    assert factory.ended(run_id).status == "Succeeded"
    assert factory.activities(run_id)["Read"].input == {}


def test_run_is_cancelled_and_a_queued_one_follows(factory: Factory) -> None:
    factory.pipeline([wait(seconds=3600)], concurrency=1)
    first, second = factory.start(), factory.start()
    events.until(lambda: "Wait" in factory.activities(first))
    assert factory.client.pipeline_runs.get(GROUP, factory.name, second).status == "Queued"
    factory.client.pipeline_runs.cancel(GROUP, factory.name, first)
    assert factory.ended(first).status == "Cancelled"
    assert factory.activities(first)["Wait"].status == "Cancelled"
    events.until(lambda: "Wait" in factory.activities(second))
    factory.client.pipeline_runs.cancel(GROUP, factory.name, second)
    code = refusal(lambda: factory.client.pipeline_runs.cancel(GROUP, factory.name, second))[1]
    assert code == "CannotCancelPipelineRun"
    wanted = {"filters": [{"operand": "Status", "operator": "Equals", "values": ["Cancelled"]}]}
    found = factory.client.pipeline_runs.query_by_factory(
        GROUP, factory.name, {**factory.period(), **wanted, "orderBy": [{"orderBy": "RunStart", "order": "DESC"}]}
    )
    assert {each.run_id for each in found.value} == {first, second}


@pytest.mark.parametrize(
    ("activities", "said"),
    [
        ([{"name": "Copy1", "type": "Copy"}], "'Copy1' has the type 'Copy', which amlite does not run"),
        ([wait(), wait()], "the same name"),
        ([wait("a.b")], "not a valid name"),
        ([wait(**after("Other"))], "'Other', which is not beside it"),
        ([wait("A", **after("B")), wait("B", **after("A"))], "in a circle"),
        ([wait(policy={"retry": 1})], "a control activity, which has no policy"),
        ([wait(state="Inactive")], "state is not part of"),
        ([web("Read", ARM, policy={"timeout": "soon"})], "'soon' is not a time span"),
        ([web("Read", "@{rand(1, 2)}")], "the function 'rand'"),
        ([web("Read", "@{activity('Other').output.id}")], "the unknown activity 'Other'"),
        ([web("Read", "@{pipeline().parameters.id}")], "the unknown parameter 'id'"),
        ([web("Read", "@{variables('id')}")], "the unknown variable 'id'"),
        ([web("Read", "@{or(true, false, true)}")], "does not take 3 arguments"),
        ([wait(f"W{number}") for number in range(121)], "more than 120 activities"),
        ([wait(description="x" * (200 << 10))], "more than 200 KB"),
        ([{"name": "Poll", "type": "Until", "typeProperties": {}}], "needs typeProperties.expression"),
        (
            [
                {
                    "name": "Poll",
                    "type": "Until",
                    "typeProperties": {
                        "expression": is_true("@equals(1, 1)"),
                        "activities": [
                            {"name": "If", "type": "IfCondition", "typeProperties": {"expression": is_true("@true")}}
                        ],
                    },
                }
            ],
            "cannot be inside another activity",
        ),
        (
            [web("Call", "https://example.org", policy={"timeout": f"{'9' * 400}.00:00:00"})],
            "is not a time span",
        ),
    ],
)
def test_pipeline_is_refused(factory: Factory, activities: list[Json], said: str) -> None:
    status, code, message = refusal(lambda: factory.pipeline(activities))
    assert (status, code) == (400, "BadRequest")
    assert said in message


def until(activities: list[Json], expression: str = "@equals(1, 2)") -> Json:
    given = {"expression": is_true(expression), "activities": activities}
    return {"name": "Until", "type": "Until", "typeProperties": given}


def put(value: str) -> Json:
    return {"name": "Put", "type": "SetVariable", "typeProperties": {"variableName": "text", "value": value}}


TEXT = {"text": {"type": "String", "defaultValue": "x" * 100_000}}


@pytest.mark.attack
@pytest.mark.parametrize(
    ("activities", "said"),
    [
        ([until([])], "more than 20000 activity runs and turns of loops"),
        ([until([put("@concat(variables('text'), '')")])], "The inputs and outputs of the run have more than 32 MB"),
    ],
)
def test_a_loop_ends_that_would_take_the_machine(factory: Factory, activities: list[Json], said: str) -> None:
    factory.pipeline(activities, variables=TEXT)
    run = factory.ended(factory.start())
    assert (run.status, said in run.message) == ("Failed", True), run.message


@pytest.mark.attack
@pytest.mark.parametrize(
    ("activity", "said"),
    [
        ({"type": "Wait", "typeProperties": {"waitTimeInSeconds": "@concat('a', '')"}}, "waitTimeInSeconds"),
        ({"type": "WebActivity", "typeProperties": {"method": "GET", "url": "@createArray(1)"}}, "url"),
        (
            {"type": "WebActivity", "typeProperties": {"method": "GET", "url": "https://a", "headers": "@concat('a')"}},
            "headers",
        ),
        ({"type": "Fail", "typeProperties": {"message": "@null", "errorCode": "1"}}, "for message is null"),
    ],
)
def test_an_expression_of_another_type_is_an_error_of_the_run(factory: Factory, activity: Json, said: str) -> None:
    """The run was shown as one that somebody cancelled, without a reason, and amlite's log had a traceback."""
    factory.pipeline([{"name": "A", **activity}])
    run = factory.ended(factory.start())
    assert run.status == "Failed"
    assert said in run.message


@pytest.mark.attack
def test_an_activity_gets_no_more_than_on_azure(factory: Factory) -> None:
    ten = ", ".join(["variables('text')"] * 10)
    factory.pipeline([put(f"@concat({ten})")], variables=TEXT)
    run_id = factory.start()
    assert factory.ended(run_id).status == "Failed"
    assert factory.activities(run_id)["Put"].error["errorCode"] == "2002"


@pytest.mark.attack
def test_a_queue_of_runs_has_an_end(factory: Factory) -> None:
    factory.pipeline([wait(seconds=3600)], concurrency=1)
    for _ in range(101):
        factory.start()
    events.until(lambda: {run.status for run in factory.runs()} == {"Queued", "InProgress"})
    assert refusal(factory.start)[:2] == (429, "TooManyRequests")


EVERY_HOUR = {"recurrence": {"frequency": "Hour", "interval": 1, "startTime": "2026-01-01T00:00:00Z"}}


def test_schedule_fires_only_while_it_is_started(factory: Factory) -> None:
    azure = factory.workspace.azure
    factory.pipeline([wait(seconds=0)], parameters={"at": {"type": "string"}})
    reference = {"pipelineReference": {"type": "PipelineReference", "referenceName": "work"}}
    factory.trigger(
        "hourly", "ScheduleTrigger", EVERY_HOUR, [{**reference, "parameters": {"at": "@trigger().scheduledTime"}}]
    )
    assert factory.client.triggers.get(GROUP, factory.name, "hourly").properties.runtime_state == "Stopped"
    azure.advance(3601)
    assert factory.runs() == []
    factory.client.triggers.begin_start(GROUP, factory.name, "hourly").result()
    assert factory.client.triggers.get(GROUP, factory.name, "hourly").properties.runtime_state == "Started"
    azure.advance(7200)
    events.until(lambda: len(factory.runs()) == 2)
    run = factory.runs()[0]
    assert (run.invoked_by.name, run.invoked_by.invoked_by_type) == ("hourly", "ScheduleTrigger")
    assert run.parameters["at"].endswith(":00:00.0000000Z")
    assert {each.triggered_pipelines["work"] for each in factory.trigger_runs()} == {r.run_id for r in factory.runs()}
    factory.client.triggers.begin_stop(GROUP, factory.name, "hourly").result()
    azure.advance(7200)
    assert len(factory.runs()) == 2


@pytest.mark.attack
def test_a_trigger_of_each_minute_leaves_others_their_turn_after_a_jump_of_the_clock(factory: Factory) -> None:
    """Nothing was answered before the last of its runs had started."""
    factory.pipeline([wait(seconds=0)])
    start = factory.workspace.azure.now().isoformat()
    recurrence = {"frequency": "Minute", "interval": 1, "startTime": start, "timeZone": "UTC"}
    factory.trigger("often", "ScheduleTrigger", {"recurrence": recurrence})
    triggers = factory.client.triggers
    triggers.begin_start(GROUP, factory.name, "often").result()
    factory.workspace.azure.advance(14 * 86_400)
    triggers.begin_stop(GROUP, factory.name, "often").result()
    assert len(factory.trigger_runs()) < 14 * 1440


def test_trigger_that_is_started_cannot_be_changed_or_deleted(factory: Factory) -> None:
    factory.pipeline([wait(seconds=0)])
    factory.trigger("hourly", "ScheduleTrigger", EVERY_HOUR)
    assert refusal(lambda: factory.client.pipelines.delete(GROUP, factory.name, "work")) == (
        400,
        "BadRequest",
        "The document cannot be deleted since it is referenced by hourly.",
    )
    factory.client.triggers.begin_start(GROUP, factory.name, "hourly").result()
    enabled = "Cannot update enabled Trigger; the trigger needs to be disabled first. "
    for call in (
        lambda: factory.trigger("hourly", "ScheduleTrigger", EVERY_HOUR),
        lambda: factory.client.triggers.delete(GROUP, factory.name, "hourly"),
    ):
        assert refusal(call) == (400, "TriggerEnabledCannotUpdate", enabled)
    factory.client.triggers.begin_stop(GROUP, factory.name, "hourly").result()
    factory.trigger("hourly", "ScheduleTrigger", EVERY_HOUR)
    factory.client.triggers.delete(GROUP, factory.name, "hourly")


def blob_events(workspace: Workspace, **more: Any) -> Json:
    return {
        "scope": events.account(workspace),
        "events": ["Microsoft.Storage.BlobCreated"],
        "blobPathBeginsWith": "/arrivals/blobs/new/",
        "ignoreEmptyBlobs": True,
        **more,
    }


def test_blob_event_starts_a_pipeline_with_the_place_of_the_blob(factory: Factory) -> None:
    from azure.storage.blob import ContainerClient

    workspace = factory.workspace
    writer = workspace.azure.application(("Storage Blob Data Contributor", events.account(workspace)))
    factory.pipeline([wait(seconds=0)], parameters={"folder": {"type": "string"}, "file": {"type": "string"}})
    reference = {"pipelineReference": {"type": "PipelineReference", "referenceName": "work"}}
    place = {"folder": "@triggerBody().folderPath", "file": "@triggerBody().fileName"}
    factory.trigger("arrival", "BlobEventsTrigger", blob_events(workspace), [{**reference, "parameters": place}])
    url = f"https://{workspace.account}.blob.core.windows.net"
    with ContainerClient(url, "arrivals", writer) as container:
        container.create_container()
        container.upload_blob("new/early.csv", b"a")
        factory.client.triggers.begin_start(GROUP, factory.name, "arrival").result()
        status = factory.client.triggers.get_event_subscription_status(GROUP, factory.name, "arrival")
        assert status.status == "Enabled"
        container.upload_blob("old/one.csv", b"a")
        container.upload_blob("new/empty.csv", b"")
        container.upload_blob("new/one.csv", b"a")
        events.until(factory.runs)
        assert [each.parameters for each in factory.runs()] == [{"folder": "arrivals/new", "file": "one.csv"}]
        assert factory.trigger_runs()[0].trigger_type == "BlobEventsTrigger"
        factory.client.triggers.begin_stop(GROUP, factory.name, "arrival").result()
        container.upload_blob("new/late.csv", b"a")
        container.delete_container()
    assert len(factory.runs()) == 1


def test_blob_event_trigger_needs_the_permission_to_subscribe(factory: Factory) -> None:
    azure = factory.workspace.azure
    factory.pipeline([wait(seconds=0)])
    factory.trigger("arrival", "BlobEventsTrigger", blob_events(factory.workspace))
    path = events.provider(factory.workspace, f"Microsoft.DataFactory/factories/{factory.name}")
    somebody = azure.application(("Contributor", path))
    answer = azure.arm("POST", f"{path}/triggers/arrival/start", None, VERSION, credential=somebody)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert "Microsoft.EventGrid/eventSubscriptions/write" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("TumblingWindowTrigger", EVERY_HOUR, "not of TumblingWindowTrigger"),
        ("ScheduleTrigger", {"recurrence": {"frequency": "Year", "interval": 1}}, "frequency must be one of"),
        ("ScheduleTrigger", {"recurrence": {"frequency": "Day", "interval": 1}}, "a startTime"),
        ("BlobEventsTrigger", {"scope": "/subscriptions/x", "blobPathEndsWith": ".csv", "events": []}, "events must"),
        (
            "BlobEventsTrigger",
            {"scope": "/subscriptions/x", "events": ["Microsoft.Storage.BlobCreated"]},
            "blobPathBeginsWith or blobPathEndsWith",
        ),
        (
            "BlobEventsTrigger",
            {"scope": "/subscriptions/x", "blobPathEndsWith": ".csv", "events": ["Microsoft.Storage.BlobCreated"]},
            "was not found",
        ),
    ],
)
def test_trigger_is_refused(factory: Factory, kind: str, given: Json, said: str) -> None:
    factory.pipeline([wait(seconds=0)])
    status, code, message = refusal(lambda: factory.trigger("wrong", kind, given))
    assert (status, code) == (400, "BadRequest")
    assert said in message


def test_trigger_of_an_unknown_pipeline_is_refused(factory: Factory) -> None:
    assert refusal(lambda: factory.trigger("wrong", "ScheduleTrigger", EVERY_HOUR)) == (
        400,
        "BadRequest",
        "The document creation or update failed because of invalid reference 'work'.",
    )
