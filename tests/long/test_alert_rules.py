"""Alert rules on CPU under the real engine, and the errors of our provider as the release reads them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from pulumi import automation

from amlite.testing import LocalAzure
from amlite_fixtures.receiver import Receiver, listening
from azureml_fixtures.engine import GROUP, STACK, WORKSPACE, EngineProject, Make, operations, serve
from azureml_fixtures.engine_fixtures import azure, make, signed_in
from pulumi_azureml.operations.scoring import ScoringTarget, score
from release.engine import Engine
from release.errors import PassingError
from release.terminal.console import new_console

__all__ = ["azure", "make", "signed_in"]

ALERTS = """
from infra import naming
from infra.components.alerts import Alerts, AlertsArgs
from infra.components.placement import Placement
from infra.settings.monitoring import MonitoringSettings
from infra.settings.naming import NamingSettings
from pulumi_azureml import planning

names = naming.names(NamingSettings(namespace="mlops", workspace="engine", postfix="1"), "test")
hook = pulumi.ResourceHook("unused", lambda args: None)
place = Placement(
    resource_group={group!r}, location="westeurope", names=names, tags={{}}, before_create=hook, protect=False
)
serving = planning.serving(args.plan.of("online_deployment"))
ids = {{name: f"{workspace}/onlineEndpoints/{{name}}" for name in online}}
Alerts(
    "alerts",
    AlertsArgs(
        placement=place, settings=MonitoringSettings.model_validate({settings!r}),
        workspace_id=pulumi.Output.from_input({workspace!r}), endpoints={{}},
        deployments={{name: f"{{ids[name]}}/deployments/{{serving[name]}}" for name in serving}},
        requires=list(online.values()), topic_id=None, subscriptions=[],
    ),
)
"""
# Burns CPU as long as a request says.
BURN = (
    "import time; end = time.process_time() + json.loads(raw_data).get('burn', 0)\n"
    "    while time.process_time() < end: pass"
)


def watched(project: EngineProject, workspace: str, url: str) -> None:
    """Add the platform's alerts to the program, with a low limit of the CPU."""
    settings = {
        "webhooks": {"team": url},
        "alerts": {"failedRuns": None, "drift": False, "endpointCpu": 5, "endpointMemory": None},
    }
    program = (project.root / "__main__.py").read_text("utf-8")
    project.write("__main__.py", program + ALERTS.format(group=GROUP, workspace=workspace, settings=settings))


def busy_until_told(project: EngineProject, azure: LocalAzure, receiver: Receiver, count: int) -> None:
    """Load the endpoint until the webhook got so many alerts. The clock moves on between the requests."""
    target = ScoringTarget.of(project.ml, f"ep-{project.tag}")
    deadline = time.monotonic() + 90
    while len(receiver.got) < count:
        assert time.monotonic() < deadline, azure.command("alerts")
        score(target, {"value": 1, "burn": 1})
        azure.advance(150)


def test_busy_endpoint_fires_and_a_rollout_moves_the_rule(make: Make, azure: LocalAzure) -> None:
    project = make()
    workspace = f"/subscriptions/{project.ml.subscription_id}/resourceGroups/{GROUP}"
    workspace += f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
    rule = f"{workspace.partition('/providers/')[0]}/providers/Microsoft.Insights/metricAlerts/cpu-ep-{project.tag}"

    def watches() -> str:
        (scope,) = azure.arm("GET", rule, version="2018-03-01").json()["properties"]["scopes"]
        return str(scope).rpartition("/")[2]

    def live() -> str:
        (only,) = [each.name for each in project.ml.online_deployments.list(f"ep-{project.tag}")]
        return only

    with listening() as receiver:
        serve(project, run=BURN)
        watched(project, workspace, receiver.url)
        project.up()
        first = live()
        assert watches() == first
        busy_until_told(project, azure, receiver, 1)
        told = receiver.got[0]["data"]["essentials"]
        assert (told["alertRule"], told["monitorCondition"]) == (f"cpu-ep-{project.tag}", "Fired")
        assert told["alertTargetIDs"][0].rpartition("/")[2] == first

        serve(project, factor=3, run=BURN)
        planned = operations(project.preview(0, "--json"))
        assert planned[f"alerts-cpu-ep-{project.tag}"] == "update"
        project.up()
        second = live()
        assert watches() == second != first
        assert operations(project.preview(0, "--json")) == {}
        busy_until_told(project, azure, receiver, 2)
        targets = [each["data"]["essentials"]["alertTargetIDs"][0].rpartition("/")[2] for each in receiver.got]
        assert targets[-1] == second
        project.destroy()
        assert azure.arm("GET", rule, version="2018-03-01").status_code == 404


@pytest.mark.usefixtures("signed_in")
def test_error_of_our_provider_that_can_pass_reaches_the_release(
    make: Make, azure: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make()
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    selected = automation.select_stack(STACK, work_dir=str(project.root))
    engine = Engine(STACK, selected)
    up: Callable[..., object] = selected.up
    azure.add_fault("PUT */components/*", "error", rate=1)
    try:
        with pytest.raises(PassingError) as failed, new_console().capture():
            engine.run(up, lambda _: None)
    finally:
        azure.clear_faults()
    assert "another attempt" not in json.dumps(str(failed.value))
    project.up()
    project.destroy()
