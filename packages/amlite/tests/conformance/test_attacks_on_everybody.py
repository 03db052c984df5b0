"""What one user could do to end the work that amlite does for all: a resource that it cannot serve."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP_ID
from amlite_fixtures.jobs import CLUSTER, equip

pytestmark = pytest.mark.attack
Json = dict[str, Any]
WORKFLOWS = f"{GROUP_ID}/providers/Microsoft.Logic/workflows"
LOGIC = "2019-05-01"


class Answers(BaseHTTPRequestHandler):
    """Answers with the content that a test gives, as JSON."""

    content = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_arguments: Any) -> None:
        """Print nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def until(found: Callable[[], bool]) -> bool:
    """Return whether something becomes true within half a minute."""
    ends = time.monotonic() + 30
    while not found() and time.monotonic() < ends:
        time.sleep(0.1)
    return found()


def request(uri: str) -> Json:
    return {"type": "Http", "inputs": {"method": "GET", "uri": uri}}


def workflow(uri: str, actions: Json) -> Json:
    """Return a workflow that polls each second."""
    trigger = {**request(uri), "recurrence": {"frequency": "Second", "interval": 1}}
    definition = {"contentVersion": "1.0.0.0", "triggers": {"Poll": trigger}, "actions": actions}
    return {"location": "westeurope", "properties": {"definition": definition}}


@pytest.mark.parametrize(
    ("content", "uri"),
    [
        (b"{half", None),
        (b"[" * 100_000, None),
        (b"9" * 5_000, None),
        (b"NaN", None),
        (b'{"a": 1}', "@triggerBody()"),
        (b'{"a": 1}', "@triggerBody()['a']"),
    ],
    ids=["no JSON", "deep", "large number", "NaN", "object as uri", "number as uri"],
)
def test_workflows_of_others_continue(
    amlite: LocalAzure, address: str, monkeypatch: pytest.MonkeyPatch, content: bytes, uri: str | None
) -> None:
    monkeypatch.setattr(Answers, "content", content)
    evil, good = f"{WORKFLOWS}/evil", f"{WORKFLOWS}/good"
    amlite.put(evil, workflow(address, {"Next": request(uri)} if uri else {}), LOGIC)
    assert amlite.arm("POST", f"{evil}/triggers/Poll/run", None, LOGIC).status_code == 202
    monkeypatch.setattr(Answers, "content", b"{}")
    amlite.put(good, workflow(address, {}), LOGIC)
    try:
        assert until(lambda: len(amlite.arm("GET", f"{good}/runs", None, LOGIC).json()["value"]) > 1)
    finally:
        amlite.remove(evil, LOGIC)
        amlite.remove(good, LOGIC)


def test_a_condition_has_an_expression(amlite: LocalAzure, address: str) -> None:
    body = workflow(address, {})
    body["properties"]["definition"]["triggers"]["Poll"]["conditions"] = [{}]
    refused = amlite.arm("PUT", f"{WORKFLOWS}/evil", body, LOGIC)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidTemplate")


def schedule(**trigger: Any) -> Json:
    job = {"jobType": "Command", "command": "true", "environmentId": "azureml:plain:1", "computeId": CLUSTER}
    action = {"actionType": "CreateJob", "jobDefinition": job}
    recurrence = {"triggerType": "Recurrence", "frequency": "minute", "interval": 1, **trigger}
    return {"properties": {"isEnabled": True, "trigger": recurrence, "action": action}}


@pytest.mark.parametrize(("frequency", "most"), [("minute", 1_000_000), ("day", 10_000), ("month", 10_000)])
def test_schedules_of_others_continue(amlite: LocalAzure, frequency: str, most: int) -> None:
    workspace = equip(Workspace.create(amlite, f"calendar-{frequency}"))
    evil = f"{workspace.id}/schedules/evil"
    for interval in (most + 1, 10**12):
        refused = amlite.arm("PUT", evil, schedule(frequency=frequency, interval=interval))
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "UserError")
    amlite.put(evil, schedule(frequency=frequency, interval=most))
    amlite.put(f"{workspace.id}/schedules/good", schedule())
    amlite.advance(125)
    jobs = f"{workspace.id}/jobs"
    try:
        assert until(lambda: len(amlite.arm("GET", jobs).json()["value"]) > 1)
    finally:
        amlite.remove(workspace.id)


def test_a_schedule_does_not_begin_after_the_last_year(azureml_workspace: Workspace) -> None:
    late = schedule(startTime="9999-12-31T23:00:00", timeZone="Hawaiian Standard Time")
    assert azureml_workspace.azure.arm("PUT", f"{azureml_workspace.id}/schedules/late", late).status_code == 400
