"""What `release train` and `release up` train, and what they print: for people, and as JSON for CI."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.outputs import ModelOutput, StackOutputs, parse
from pulumi_azureml.operations import GitError
from release import cli
from release.errors import ReleaseError
from release.gate.decision import Decision
from release.jobs import planning
from release.jobs.inputs import pairs
from release.jobs.records import Job
from release.jobs.watching import JobEndedError
from release.terminal.console import new_console
from release.terminal.progress import Phases
from release.training import command, run
from release.training.outcome import Training

GATE = "outputs: {decision: {type: uri_folder}, registration: {type: uri_folder}}\n"
DECISION = Decision(
    decision_version=1, deploy_flag=1, reason="better", model="flights", metrics={"auc": 0.7}, checks=[],
    champion=None, slices=[], report="report.html",
)  # fmt: skip
ACCEPTED = Training("training", "job-1", "https://ml/job-1", (), True, "flights", "3", "better", {"auc": 0.7}, DECISION)


def outputs(**values: Any) -> StackOutputs:
    names = ("subscription_id", "resource_group", "workspace", "workspace_id", "container_registry", "login_server")
    empty: dict[str, Any] = {"compute": ["cpu"], "assets": {}, "schedules": {}, "endpoints": {}, "models": {}}
    return parse(dict.fromkeys(names, "x") | empty | {"outputs_version": 1, **values})


def endpoint(serves: str) -> dict[str, Any]:
    return {"name": "e", "kind": "online", "auth_mode": "key", "scoring_uri": "u", "deployment": None, "serves": serves}


@pytest.fixture
def pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that writes the project's pipelines: their YAML by name."""
    monkeypatch.setattr(planning, "program_folder", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "pipelines").mkdir()

    def write(**files: str) -> None:
        for name, text in files.items():
            (tmp_path / f"pipelines/{name}.yml").write_text(f"type: pipeline\njobs: {{}}\n{text}")

    return write


def test_a_project_without_a_gate_trains_nothing_in_ci_and_the_next_steps_do_nothing(
    pipelines: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipelines(starter="", other="")
    monkeypatch.setattr(command, "PulumiStack", lambda _name: SimpleNamespace(deployed=outputs))
    file, summary = tmp_path / "training.json", tmp_path / "summary.md"

    def run_(*arguments: str) -> str:
        done = CliRunner().invoke(cli.main, [*arguments, "-s", "dev"])
        assert done.exit_code == 0, done.output
        return done.output

    said = run_("train", "--if-changed", "--output-file", str(file))
    assert said.startswith("Not trained: no pipeline of the project has a gate. Add the outputs `decision` and `regi")
    for name, value in {"ACTIONS": "true", "REPOSITORY": "a/b", "STEP_SUMMARY": str(summary)}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    assert "has a gate" in run_("gate", "--training", str(file), "--summary")
    assert "has a gate" in summary.read_text()
    assert run_("publish", "--training", str(file)).startswith("Nothing to publish: no pipeline of the project has")


def test_a_named_pipeline_without_a_gate_is_trained_and_several_are_refused(pipelines: Callable[..., None]) -> None:
    pipelines(starter="", other="")
    assert run.with_gate(outputs()) == []
    assert run.choose_pipeline(outputs(), "starter", "dev") == "starter"
    with pytest.raises(ReleaseError, match="the project has several pipelines: other, starter"):
        run.choose_pipeline(outputs(), None, "dev")


@pytest.fixture
def promoted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ModelOutput]]:
    """Let the stack be deployed, with an endpoint for `flights`. Return the promotions that are written."""
    written: list[tuple[str, ModelOutput]] = []
    stack = SimpleNamespace(
        history=list,
        deployed=lambda: outputs(endpoints={"live": endpoint("flights")}),
        promote=lambda name, model: written.append((name, model)),
    )
    monkeypatch.setattr(command, "PulumiStack", lambda _name: stack)
    monkeypatch.setattr(command, "choose_pipeline", lambda _outputs, wanted, _stack: wanted or "training")
    monkeypatch.setattr(command, "with_gate", lambda _outputs: ["training"])
    return written


def train(monkeypatch: pytest.MonkeyPatch, outcome: Training | Exception, *arguments: str) -> Result:
    def trained(*_: Any, force_rerun: bool) -> Training:
        assert force_rerun == ("--force-rerun" in arguments)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(run.Trainer, "train", trained)
    return CliRunner().invoke(cli.main, ["train", "-s", "dev", *arguments])


def test_an_accepted_model_is_promoted_and_the_output_is_one_object(
    promoted: list[tuple[str, ModelOutput]], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = train(monkeypatch, ACCEPTED, "--output", "json")
    assert json.loads(done.stdout) == {
        "trained": True,
        "pipeline": "training", "job": "job-1", "studio_url": "https://ml/job-1", "status": "Completed",
        "registered": True, "model": "flights", "version": "3", "reason": "better", "metrics": {"auc": 0.7},
        "decision": DECISION.model_dump(), "promoted": ["live"],
    }  # fmt: skip
    assert promoted == [("live", ModelOutput(name="flights", version="3"))]
    assert "Roll it out with: pulumi up --stack dev" in done.stderr
    assert json.loads(train(monkeypatch, ACCEPTED, "--no-promote", "--output", "json").stdout)["promoted"] == []
    assert train(monkeypatch, ACCEPTED, "--force-rerun").exit_code == 0
    contradiction = train(monkeypatch, ACCEPTED, "--force-rerun", "--if-changed")
    assert "--force-rerun trains in any case: leave out --if-changed" in contradiction.output


@pytest.mark.parametrize(("served", "wanted"), [([], ["live"]), (["3"], [])], ids=["never served", "went back"])
def test_nothing_is_trained_where_nothing_changed(
    served: list[str], wanted: list[str], promoted: list[tuple[str, ModelOutput]], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    """The merge of the stack file that CI proposed starts CI again, and must not train again."""
    monkeypatch.setattr(run.Trainer, "earlier", lambda *_: ACCEPTED)
    entries = [SimpleNamespace(endpoint="live", version=version) for version in served]
    monkeypatch.setattr(command, "served", lambda _updates: entries)
    file = tmp_path / "training.json"
    done = train(monkeypatch, AssertionError("trained"), "--if-changed", "--output-file", str(file))
    assert done.output.startswith("Not trained: nothing that the pipeline uses has changed since job job-1.")
    outcome = json.loads(file.read_text("utf-8"))
    assert (outcome["trained"], outcome["job"], outcome["promoted"]) == (False, "job-1", wanted)
    assert [name for name, _ in promoted] == wanted


def test_an_earlier_job_is_the_completed_one_with_the_same_content(
    pipelines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "git_commit", lambda _root: "0123456")
    pipelines(training="inputs: {git_sha: unknown, rate: 1}\n")
    tags = {planning.CONTENT: planning.plan_pipeline(outputs(), "training", {"git_sha": "another"}).fingerprint}
    jobs = [Job({"name": name, "properties": {"tags": each}}) for name, each in (("job-2", {}), ("job-1", tags))]
    asked: list[Any] = []

    def recent(*_: Any, **wanted: Any) -> list[Job]:
        asked.append(wanted)
        return jobs

    monkeypatch.setattr(run, "recent", recent)
    monkeypatch.setattr(run, "ungated", lambda _pipeline, job, *_: SimpleNamespace(job=job.name))
    trainer = run.Trainer(outputs(), "dev", new_console(), Phases(new_console()))
    earlier = trainer.earlier("training", {})
    assert earlier is not None
    assert earlier.job == "job-1"
    assert asked == [{"pipelines": ["training"], "statuses": ["Completed"]}]
    assert trainer.earlier("training", {"rate": "2"}) is None
    pipelines(training="inputs: {rows: {type: uri_file, path: 'azureml:rows:1'}}\n")
    newest = {"rows": "azureml://registries/shared/data/rows/labels/latest"}
    assert planning.plan_pipeline(outputs(), "training", newest).fingerprint is None


def test_a_pipeline_without_a_gate_promotes_nothing_and_says_so(
    promoted: list[tuple[str, ModelOutput]], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = train(monkeypatch, Training("other", "job-1", None, (), False, None, None, "it has no gate"), "other")
    assert (done.exit_code, promoted) == (0, [])
    assert "No model was promoted: it has no gate" in done.output
    assert "release show job-1 -s dev" in done.output


@pytest.mark.parametrize("status", ["Failed", "Canceled", "NotResponding"])
def test_any_other_end_exits_with_1_and_is_an_object_too(
    status: str, promoted: list[tuple[str, ModelOutput]], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = run.TrainingEndedError(JobEndedError("job job-1 ended", status), "job-1", "https://ml/job-1")
    done = train(monkeypatch, error, "--output", "json")
    assert (done.exit_code, promoted) == (1, [])
    assert json.loads(done.stdout) == {
        "trained": True,
        "pipeline": "training", "job": "job-1", "studio_url": "https://ml/job-1", "status": status,
        "registered": False, "reason": "job job-1 ended",
    }  # fmt: skip
    assert done.stderr == "Error: job job-1 ended\n"


@pytest.mark.parametrize(
    ("files", "wanted", "expected"),
    [
        ({"only": ""}, None, "only"),
        ({"one": "", "two": GATE}, None, "two"),
        ({"one": "", "two": GATE}, "one", "one"),
        ({}, None, "the project has no pipelines\n"),
        ({"one": "", "two": ""}, None, "the project has several pipelines: one, two\n  fix: name one: release train"),
        ({"one": GATE, "two": GATE}, None, "the project has several pipelines: one, two\n"),
        ({"one": ""}, "lost", "pipelines/lost.yml does not exist; pipelines: one"),
    ],
)
def test_a_pipeline_needs_no_name_if_only_one_can_be_meant(
    files: dict[str, str], wanted: str | None, expected: str, pipelines: Callable[..., None]
) -> None:
    pipelines(**files)
    try:
        found = run.choose_pipeline(outputs(), wanted, "dev")
    except ReleaseError as error:
        found = error.message
    assert found.startswith(expected)


def test_an_update_trains_the_pipeline_of_the_model_that_an_endpoint_serves(pipelines: Callable[..., None]) -> None:
    flights = "inputs: {model_name: flights}\n"
    pipelines(training=flights, fares="inputs: {model_name: {value: fares}}\n", monitoring="")
    endpoints = {"live": endpoint("flights"), "price": endpoint("fares"), "any": endpoint("*"), "bus": endpoint("bus")}
    deployed = outputs(endpoints=endpoints)
    assert list(run.pipelines_for(deployed, ["price", "live"])) == ["fares", "training"]
    with pytest.raises(ReleaseError, match="'any' serves any model, and several pipelines train it: fares, training"):
        run.pipelines_for(deployed, ["any"])
    with pytest.raises(ReleaseError, match="'bus' serves model 'bus', and no pipeline trains it"):
        run.pipelines_for(deployed, ["bus"])


def test_a_commit_that_git_does_not_name_can_be_given(
    pipelines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_root: Path) -> str:
        raise GitError("git is not on PATH", "install git")

    monkeypatch.setattr(planning, "git_commit", refuse)
    pipelines(training="inputs: {git_sha: unknown, zip: a}\n")
    with pytest.raises(ReleaseError, match=r"git is not on PATH\n  fix: install git, or use --input git_sha=COMMIT"):
        planning.plan_pipeline(outputs(), "training", {})
    planned = planning.plan_pipeline(outputs(), "training", {"git_sha": "0123456", "zip": "1e3"})
    assert planned.asset.definition["inputs"] == {"git_sha": "0123456", "zip": "1e3"}


DATA = "inputs: {rows: {type: uri_file, path: 'azureml:rows:1'}, any: {type: uri_folder, path: 'azureml:rows:1'}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows=lost.csv", "--input rows: there is no file or folder 'lost.csv'\n  fix: use an existing path, a data"),
        ("rows=folder", "--input rows: 'folder' is a folder, and the input takes a file (uri_file)"),
        ("any=rows.csv", "--input any: 'rows.csv' is a file, and the input takes a folder (uri_folder)"),
        ("rowz=rows.csv", "--input rowz: pipeline 'training' has no input 'rowz'\n    fix: did you mean 'rows'?"),
        ("rows=", "--input rows: input 'rows' takes a data asset"),
        ("rows", "--input 'rows' must have the form NAME=VALUE"),
    ],
)
def test_wrong_data_is_refused_before_anything_is_submitted(
    text: str, message: str, pipelines: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a\n")
    (tmp_path / "folder").mkdir()
    pipelines(training=DATA)
    with pytest.raises(ReleaseError) as raised:
        planning.plan_pipeline(outputs(), "training", pairs((text,)))
    assert message in raised.value.message


def test_data_is_an_asset_a_uri_or_a_path_from_where_the_user_is(
    pipelines: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/rows.csv").write_text("a\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    pipelines(training=DATA)
    for text in ("azureml:rows:2", "azureml://datastores/raw/paths/rows.csv", "https://example.com/rows.csv"):
        planned = planning.plan_pipeline(outputs(), "training", {"rows": text})
        assert (planned.asset.definition["inputs"]["rows"]["path"], planned.data) == (text, {})
    planned = planning.plan_pipeline(outputs(), "training", {"rows": "rows.csv"})
    assert planned.data == {"rows": Path("rows.csv")}


@pytest.mark.parametrize(
    ("name", "texts", "compute", "message"),
    [
        ("lost", {}, None, "the project has no component 'lost'; components: prep"),
        ("prep", {"zip": "a"}, None, "the stack has these clusters: cpu, gpu\n  fix: name one: --compute NAME"),
        ("prep", {"zips": "a"}, "cpu", "component 'prep' has no input 'zips'; inputs: count, zip"),
        (
            "prep",
            {"zip": "a", "count": "5.5"},
            "cpu",
            "input 'count' of component 'prep' takes an integer",
        ),
        ("prep", {}, "cpu", "step 'prep' gives no value to input 'zip' of component 'prep'"),
        ("prep", {"zip": "a"}, "tpu", "unknown compute 'tpu'"),
        ("prep", {"zip": "a", "count": "0"}, "cpu", "input 'count' cannot be 0"),
    ],
)
def test_a_component_alone_is_checked_as_a_step_is(
    name: str, texts: dict[str, str], compute: str | None, message: str, tmp_path: Path, pipelines: Callable[..., None]
) -> None:
    (tmp_path / "ml/prep").mkdir(parents=True)
    (tmp_path / "ml/prep/component.yml").write_text(
        "type: command\nname: prep\nversion: '1'\ncommand: echo ${{inputs.zip}}\nenvironment: azureml:tools:1\n"
        "inputs:\n  zip: {type: string}\n  count: {type: integer, default: 1, min: 1}\n"
    )
    deployed = outputs(compute=["cpu", "gpu"], assets={"component": {"prep": "1"}})
    with pytest.raises(ReleaseError) as raised:
        planning.plan_component(deployed, name, texts, compute)
    assert message in raised.value.message
