"""Assets as Pulumi resources, by the real engine: previews, updates, refreshes, failures, reverts, old states."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure
from azureml_fixtures.asset_project import STRANGER
from azureml_fixtures.engine import GROUP, STACK, WORKSPACE, Make, endpoints, hold, operations, poison, serve
from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.operations.scoring import ScoringTarget, score

FIXTURES = sorted((Path(__file__).parent / "states").glob("*.json"))


def test_the_life_of_a_project(make: Make, asked: Callable[[], list[str]], tmp_path: Path) -> None:
    project = make()
    tag = project.tag
    project.up()
    assert set(project.resources()) == {
        f"environment-env-{tag}", f"component-step_{tag}", f"data-data-{tag}", f"model-model-{tag}",
        f"schedule-daily-{tag}", f"endpoint-ep-{tag}",
    }  # fmt: skip

    # Nothing changed: no request, and the client is not even imported.
    asked()
    assert operations(project.preview(0, "--json", PYTHONPATH=poison(tmp_path / "poison"))) == {}
    assert asked() == []

    # A refresh reads, changes nothing and writes nothing.
    before = project.resources()
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", STACK)
    assert {request.partition(" ")[0] for request in asked()} == {"GET"}
    assert inputs_and_outputs(project.resources()) == inputs_and_outputs(before)
    assert operations(project.preview(0, "--json")) == {}

    # One file of a component: that asset and what runs it, and nothing else.
    # Code that no other test uploads: what is known by its hash is not sent again.
    project.write("ml/step/src/main.py", f"print('changed', {tag!r})\n")
    asked()
    changed = {f"component-step_{tag}": "update", f"schedule-daily-{tag}": "update"}
    assert operations(project.preview(0, "--json")) == changed
    assert asked() == []
    project.up()
    written = {request for request in asked() if request.startswith("PUT")}
    assert {path.partition("/workspaces/engine/")[2].partition("/")[0] for path in written} == {
        "codes", "components", "schedules",
    }  # fmt: skip
    assert len(list(project.ml.components.list(name=f"step_{tag}"))) == 2

    # What others change shows with its old and new value, what they delete shows too, and both are repaired.
    schedule = project.ml.schedules.get(f"daily-{tag}")
    schedule.trigger.expression = "0 9 * * *"
    project.ml.schedules.begin_create_or_update(schedule).result()
    project.ml.online_endpoints.begin_delete(f"ep-{tag}").result()
    project.pulumi("refresh", "--yes", "--skip-preview", "--stack", STACK)
    shown = project.preview(0, "--diff")
    assert "0 9 * * *" in shown
    assert "0 5 * * *" in shown
    assert f"endpoint-ep-{tag}" in shown
    project.up()
    assert project.ml.schedules.get(f"daily-{tag}").trigger.expression == "0 5 * * *"
    assert project.ml.online_endpoints.get(f"ep-{tag}").scoring_uri

    project.destroy()
    assert project.resources() == {}
    assert list(project.ml.components.list(name=f"step_{tag}")) == []
    assert f"ep-{tag}" not in [each.name for each in project.ml.online_endpoints.list()]


def inputs_and_outputs(resources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: (each["inputs"], each["outputs"]) for name, each in resources.items()}


def test_a_failed_update_and_a_revert_leave_what_was_live(make: Make) -> None:
    project = make()
    project.up()
    live = project.asset("component").version
    project.write("ml/step/src/main.py", "print('taken')\n")
    taken = project.asset("component").version
    OPERATIONS["component"].upsert(project.ml, project.props("component", STRANGER))
    told = project.up(expect=1)
    assert f"belongs to stack '{STRANGER}'" in told
    assert "Traceback" not in told
    project.write("ml/step/src/main.py", f"print('{project.tag}')\n")
    assert operations(project.preview(0, "--json")) == {}
    project.up()
    there = {str(each.version): each for each in project.ml.components.list(name=f"step_{project.tag}")}
    assert set(there) == {live, taken}
    assert ownership.is_ours(there[taken].tags, STRANGER)


def test_a_forced_replacement_leaves_every_asset_in_azure(make: Make) -> None:
    """Old and new have the same id in Azure, so Azure must not lose the new one when the engine deletes the old one."""
    project = make()
    project.add_datastore()
    project.add_batch()
    project.up()
    there = project.resources()
    kinds = ["environment", "component", "data", "model", "schedule", "online_endpoint"]
    kinds += ["datastore", "batch_endpoint", "batch_deployment"]
    assert len(there) == len(kinds)

    replace = [f"--replace={entry['urn']}" for entry in there.values()]
    project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK, *replace)
    assert [kind for kind in kinds if OPERATIONS[kind].observe(project.ml, project.props(kind)) is None] == []
    assert project.asset("component").version in {
        str(each.version) for each in project.ml.components.list(name=f"step_{project.tag}")
    }

    # `state taint` takes the same way. An interruption after the deletion is made good by the next update.
    urn = there[f"schedule-daily-{project.tag}"]["urn"]
    project.pulumi("state", "taint", urn, "--yes", "--stack", STACK)
    project.write("ml/step/src/main.py", "print('taken')\n")
    OPERATIONS["component"].upsert(project.ml, project.props("component", STRANGER))
    project.up(expect=1)
    project.write("ml/step/src/main.py", f"print('{project.tag}')\n")
    project.up()
    assert OPERATIONS["schedule"].observe(project.ml, project.props("schedule")) is not None
    project.preview(0, "--refresh", "--expect-no-changes")


def test_changed_content_under_a_pinned_version_stops_the_preview(make: Make, asked: Callable[[], list[str]]) -> None:
    project = make()
    project.edit("ml/step/component.yml", version="4")
    project.up()
    old = project.asset("component").content_hash[:12]
    project.write("ml/step/src/main.py", "print('changed')\n")
    new = project.asset("component").content_hash[:12]
    asked()
    told = project.preview(1)
    assert old in told
    assert new in told
    assert "increase `version:`" in told
    assert "Traceback" not in told
    assert asked() == []
    project.edit("ml/step/component.yml", version="5")
    project.up()
    assert {str(each.version) for each in project.ml.components.list(name=f"step_{project.tag}")} == {"4", "5"}


def test_state_is_small_and_has_no_secret(make: Make) -> None:
    project = make()
    for number in range(40):
        project.write(f"ml/step/src/module_{number}.py", f"x = {number}\n")
    project.up()
    text = json.dumps(project.state())
    for secret in (os.environ["AZURE_CLIENT_SECRET"], "secure", "4dabf18193072939515e22adb298388d"):
        assert secret not in text
    for name, entry in project.resources().items():
        files = len(entry["inputs"].get("files", {}))
        assert "stackTrace" not in entry  # 1.5 KB, with paths of the machine that ran the program
        assert len(json.dumps(entry, separators=(",", ":"))) <= 3 * 1024 + 65 * files, name
    assert len(project.resources()[f"component-step_{project.tag}"]["inputs"]["files"]) == 41

    # Which files there are is known to a refresh too, though Azure knows nothing of it.
    before = project.resources()
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", STACK)
    assert inputs_and_outputs(project.resources()) == inputs_and_outputs(before)


def test_slow_endpoints_hold_back_nothing_else(make: Make, tmp_path: Path) -> None:
    """The engine's provider has four threads; more endpoints than that wait here, and everything else is made."""
    project = make()
    endpoints(project, 5)
    many = [f"many-{number}-{project.tag}" for number in range(36)]
    for name in many:
        project.write(f"ml/many/{name}/environment.yml", {"name": name, "image": "python:3.11"})
    gate = tmp_path / "gate"
    environment = {**project.environment, "PYTHONPATH": hold(tmp_path / "hold", gate)}
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", STACK]

    def ours() -> list[str]:
        return [each.name for each in project.ml.online_endpoints.list() if each.name.endswith(project.tag)]

    running = subprocess.Popen(
        command, cwd=project.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wanted = {kind: project.props(kind) for kind in ("component", "data", "model", "schedule")}
        last = time.monotonic() + 120
        while any(OPERATIONS[kind].observe(project.ml, props) is None for kind, props in wanted.items()):
            assert running.poll() is None, running.communicate()[0]
            assert time.monotonic() < last, "the endpoints hold everything back"
        while not {each.name for each in project.ml.environments.list()}.issuperset(many):
            assert running.poll() is None, running.communicate()[0]
            assert time.monotonic() < last, "the endpoints hold assets back"
        assert ours() == []
    finally:
        gate.touch()
        output, _ = running.communicate(timeout=120)
    assert running.returncode == 0, output
    assert len(ours()) == 6


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_a_state_of_an_earlier_release_previews_updates_and_is_destroyed(
    fixture: Path, make: Make, asked: Callable[[], list[str]]
) -> None:
    """The provider's import path and its inputs are a contract: see `states/README.md`."""
    project = make("fixture")
    kinds = ["environment", "component", "data", "model", "schedule", "online_endpoint"]
    if fixture.stem != "0.1.0":
        project.add_datastore()
        project.add_batch()
        kinds += ["datastore", "batch_endpoint", "batch_deployment"]
    project.pulumi("stack", "import", "--stack", STACK, "--file", str(fixture))
    for kind in kinds:
        OPERATIONS[kind].upsert(project.ml, project.props(kind, f"azureml-platform/{STACK}"))
    asked()
    assert operations(project.preview(0, "--json")) == {}
    assert asked() == []
    project.write("ml/step/src/main.py", "print('newer')\n")
    project.up()
    versions = {str(each.version) for each in project.ml.components.list(name="step_fixture")}
    assert project.asset("component").version in versions
    assert len(versions) == 2
    project.destroy()
    assert list(project.ml.components.list(name="step_fixture")) == []


def test_a_failed_rollout_and_a_revert_leave_the_old_deployment_serving(
    make: Make, asked: Callable[[], list[str]]
) -> None:
    project = make()
    endpoint = f"ep-{project.tag}"

    def deployments() -> list[str]:
        return [each.name for each in project.ml.online_deployments.list(endpoint)]

    serve(project)
    project.up()
    (live,) = deployments()
    assert score(ScoringTarget.of(project.ml, endpoint), {"value": 21}) == 42

    serve(project, init="raise RuntimeError('the weights are missing')")
    told = project.up(expect=1)
    assert "did not start" in told
    assert "the weights are missing" in told
    assert deployments() == [live]
    assert score(ScoringTarget.of(project.ml, endpoint), {"value": 21}) == 42

    serve(project, run="raise RuntimeError('no such feature')")
    told = project.up(expect=1)
    assert "failed its smoke test with ml/deploy/sample-request.json" in told
    assert "no such feature" in told
    assert deployments() == [live]

    serve(project)
    asked()
    assert operations(project.preview(0, "--json")) == {}
    project.up()
    assert asked() == []
    assert deployments() == [live]
    assert score(ScoringTarget.of(project.ml, endpoint), {"value": 21}) == 42

    serve(project, factor=3)
    told = project.up()
    assert score(ScoringTarget.of(project.ml, endpoint), {"value": 21}) == 63
    (new,) = deployments()
    assert new != live
    for phase in (f"deploying {new}, without traffic", f"traffic: {new} 100 %", f"deleting {live}"):
        assert f"endpoint {endpoint}: {phase}" in told

    project.edit("ml/deploy/blue-deployment.yml", instance_count=2)
    assert f"endpoint {endpoint}: changing instance_count of {new} in place" in project.up()
    assert deployments() == [new]
    assert project.ml.online_deployments.get(new, endpoint).instance_count == 2
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", STACK)


def test_endpoints_that_exceed_the_quota_together_are_refused_by_the_preview(make: Make, azure: LocalAzure) -> None:
    project = make()
    serve(project)
    first, second = f"ep-{project.tag}", f"more-{project.tag}"
    project.write("ml/deploy/more/endpoint.yml", {"name": second, "auth_mode": "key"})
    for path in ("score/score.py", "blue-deployment.yml"):
        project.write(f"ml/deploy/more/{path}", (project.root / "ml/deploy" / path).read_text("utf-8"))
    project.edit("ml/deploy/more/blue-deployment.yml", endpoint_name=second)
    models = json.loads((project.root / "models.json").read_text("utf-8"))
    program = (project.root / "__main__.py").read_text("utf-8")
    project.write("__main__.py", program.replace(f'/{STACK}"', f'/{STACK}", location="uksouth"'))
    project.write("models.json", json.dumps({**models, second: models[first]}))
    # Each takes two instances with Azure's reserve, of four vCPUs.
    azure.command("quota", "set", "standardDSv2Family", "12", "--region", "uksouth")
    told = project.preview(1)
    assert "together with ml/deploy/" in told
    assert "ml/deploy/blue-deployment.yml" in told
    assert "ml/deploy/more/blue-deployment.yml" in told
    assert "take 16 more vCPUs" in told
    assert "content_hash" not in told
    azure.command("quota", "set", "standardDSv2Family", "16", "--region", "uksouth")
    project.preview()


_DIRECT = """
import pulumi

import pulumi_azureml as azureml

place = azureml.WorkspaceArgs(
    subscription_id="SUBSCRIPTION", resource_group="GROUP", name="WORKSPACE", owner="any-project/any-stack"
)
environment = azureml.Environment("direct-TAG", workspace=place, image="python:3.11")
rows = azureml.DataAsset("rows", azureml.DataAssetArgs(workspace=place, name="direct-rows-TAG", path="ml/data/files"))
model = azureml.Model("model", workspace=place, name="direct-model-TAG", path="ml/model/weights")
step = azureml.Component(
    "direct_TAG", workspace=place, code="ml/step/src", command="python main.py", environment=environment
)
job = {"settings": {"default_compute": "azureml:cpu"}, "jobs": {"step": {"type": "command", "component": step}}}
azureml.Schedule(
    "direct-TAG", workspace=place, trigger=azureml.CronTriggerArgs(expression="0 1 * * *"), create_job=job
)
online = azureml.OnlineEndpoint("direct-on-TAG", workspace=place, tags={"model": model.version})
batch = azureml.BatchEndpoint("direct-batch-TAG", workspace=place)
scores = azureml.BatchDeployment(
    "scores", workspace=place, endpoint_name=batch, model=model, environment=environment, compute="azureml:cpu",
    code_configuration=azureml.CodeConfigurationArgs(code="ml/batch/src", scoring_script="score.py"),
)
pulumi.export("live", scores.live)
"""


def test_every_resource_works_by_itself_in_any_program(make: Make) -> None:
    project = make()
    project.add_batch()
    values = {"SUBSCRIPTION": SUBSCRIPTION_ID, "GROUP": GROUP, "WORKSPACE": WORKSPACE, "TAG": project.tag}
    text = _DIRECT
    for name, value in values.items():
        text = text.replace(name, value)
    project.write("__main__.py", text)
    project.pulumi("up", "--yes", "--skip-preview")
    live = project.pulumi("stack", "output", "live").strip()
    endpoint = project.ml.batch_endpoints.get(f"direct-batch-{project.tag}")
    assert endpoint.defaults.deployment_name == live
    assert project.ml.schedules.get(f"direct-{project.tag}").trigger.expression == "0 1 * * *"
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes")
