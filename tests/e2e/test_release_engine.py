"""What the release makes of the real engine: an update that was cut off, and previews."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
import pytest
from pulumi import automation

from azureml_fixtures.engine import STACK, EngineProject, Make, operations, serve, strand
from pulumi_azureml.operations.scoring import ScoringTarget, score
from release import project as project_paths
from release import stack
from release.preview.document import Cause, Files, Key
from release.preview.plan import Plan
from release.terminal.console import new_console
from release.updating.interruption import interruption
from release.updating.update import update


def test_a_killed_rollout_and_a_revert_converge(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make()
    endpoint, reached = f"ep-{project.tag}", tmp_path / "reached"
    serve(project)
    project.up()
    (live,) = (each.name for each in project.ml.online_deployments.list(endpoint))
    serve(project, factor=3)
    environment = {**project.environment, "PYTHONPATH": strand(tmp_path / "strand", reached)}
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", STACK]
    running = psutil.Popen(command, cwd=project.root, env=environment, stdout=subprocess.DEVNULL)
    last = time.monotonic() + 120
    while not reached.exists():
        assert running.poll() is None
        assert time.monotonic() < last, "the rollout does not reach its smoke test"
    for each in (*running.children(recursive=True), running):
        each.kill()
    running.wait()
    serve(project)

    # The state never learned of the new deployment, so nothing seems to have changed. `release up` looks.
    assert operations(project.preview(0, "--json")) == {}
    assert len(list(project.ml.online_deployments.list(endpoint))) == 2
    for name in ("PATH", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.setenv(name, project.environment[name])
    monkeypatch.setattr(project_paths, "ROOT", project.root)
    console = new_console()
    with console.capture() as printed:
        update(stack.PulumiStack(STACK), console)
    said = printed.get()
    assert f"an earlier update was interrupted; reading the state of endpoint-{endpoint}" in said
    assert f"(pid {running.pid})" in said  # the lost engine's lock
    assert [each.name for each in project.ml.online_deployments.list(endpoint)] == [live]
    assert score(ScoringTarget.of(project.ml, endpoint), {"value": 21}) == 42
    assert interruption(stack.PulumiStack(STACK)) == ([], [])


def planned(project: EngineProject, *, refresh: bool = False) -> Plan:
    """Return what `release preview` makes of the engine's preview."""
    options = automation.LocalWorkspaceOptions(env_vars=project.environment)
    plan = Plan()
    selected = automation.select_stack(STACK, work_dir=str(project.root), opts=options)
    selected.preview(on_event=plan, color="never", refresh=refresh)
    return plan


def test_a_preview_says_why_who_follows_and_what_others_changed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make()
    for name in ("PATH", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.setenv(name, project.environment[name])
    component, schedule = f"component-step_{project.tag}", f"schedule-daily-{project.tag}"
    project.up()
    assert planned(project).changes == []

    old = project.asset("component").version
    project.write("ml/step/src/main.py", f"print('preview', {project.tag!r})\n")
    project.write("ml/step/src/more.py", "")
    project.edit("ml/step/component.yml", tags={"team": "weather"})
    new = project.asset("component").version
    first, second = planned(project).changes
    assert (first.name, first.operation, first.old, first.new) == (component, "update", old, new)
    assert first.files == Files(added=["ml/step/src/more.py"], changed=["ml/step/src/main.py"])
    assert first.keys == [Key(key="tags.team", old=None, new="weather")]
    assert first.dependants == [schedule]
    step = "create_job.jobs.step.component"
    assert second.because == [Cause(name=component, key=step, pipeline="pipelines/steps.yml")]
    name = f"azureml:step_{project.tag}"
    assert second.keys == [Key(key=step, old=f"{name}:{old}", new=f"{name}:{new}")]
    project.up()

    # What others changed or deleted is marked as theirs, whatever its kind, and the state does not change.
    state, endpoint = project.state(), f"endpoint-ep-{project.tag}"
    theirs = project.ml.schedules.get(f"daily-{project.tag}")
    theirs.trigger.expression = "0 9 * * *"
    project.ml.schedules.begin_create_or_update(theirs).result()
    described = project.ml.components.get(f"step_{project.tag}", new)
    described.description = "theirs"
    project.ml.components.create_or_update(described)
    project.ml.online_endpoints.begin_delete(f"ep-{project.tag}").result()
    project.edit("ml/step/component.yml", tags={"team": "sea"})
    assert [each.drifted for each in planned(project).changes] == [False]
    drift = {each.name: each for each in planned(project, refresh=True).changes}
    assert {name: (each.operation, each.drifted) for name, each in drift.items()} == {
        component: ("update", True), schedule: ("update", True), endpoint: ("create", True),
    }  # fmt: skip
    assert drift[schedule].keys == [Key(key="trigger.expression", old="0 9 * * *", new="0 5 * * *", drifted=True)]
    assert drift[component].keys == [
        Key(key="description", old="theirs", new=None, drifted=True),
        Key(key="tags.team", old="weather", new="sea"),
    ]
    assert project.state() == state
