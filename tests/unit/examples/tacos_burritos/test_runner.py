"""The runner of compiled pipelines, with steps that are small programs of this machine instead of containers."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pipeline_runner import document, records
from pipeline_runner.cluster import Identity, LocalCluster
from pipeline_runner.errors import RunnerError
from pipeline_runner.execution import Place, execute
from pipeline_runner.records import RunRecord, TaskRecord
from pipeline_runner.step import Outcome, Say, Step

from tests.unit.examples.tacos_burritos.conftest import compiled


class Programs:
    """An engine that runs a step's command with this Python, and keeps the steps that it ran."""

    label = "programs"

    def __init__(self) -> None:
        self.images: list[str] = []
        self.steps: list[Step] = []

    def prepare(self, image: str, say: Say) -> None:
        self.images.append(image)

    def run(self, step: Step, line: Say) -> Outcome:
        self.steps.append(step)
        done = subprocess.run([sys.executable, *step.command[1:]], check=False, capture_output=True, text=True)
        for text in (done.stdout + done.stderr).splitlines():
            line(text)
        return Outcome(done.returncode)


class Seen:
    """Keeps the changes of tasks."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str]] = []
        self.records: list[RunRecord] = []

    def started(self, run: RunRecord) -> None:
        self.changes.append((run.pipeline, run.status))

    def said(self, text: str) -> None:
        raise AssertionError(text)

    def changed(self, task: TaskRecord) -> None:
        self.changes.append((task.name, task.status))

    def ended(self, run: RunRecord) -> None:
        self.records.append(run)


WRITE = "import sys; open(sys.argv[2], 'w').write(sys.argv[1])"
READ = "import sys; print('got', *sys.argv[1:])"
FAIL = "import sys; print('no oven'); sys.exit(7)"
TEXT = {"parameterType": "STRING"}


def wrap(folder: Path, **cluster: Any) -> Place:
    return Place(Programs(), LocalCluster(**cluster), folder, {"HTTPS_PROXY": "http://proxy"}, {})


def run(text: str, place: Place, given: Mapping[str, Any] | None = None) -> RunRecord:
    return execute(document.read(text), given or {}, place, Seen())


def output(task: str, key: str) -> dict[str, Any]:
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}


def test_values_and_files_reach_the_next_step_and_the_record_says_what_happened(tmp_path: Path) -> None:
    text = compiled(
        {
            "last": {
                "args": ["-c", READ, "{{$.inputs.parameters['word']}}", "{{$.inputs.artifacts['box'].path}}"],
                "inputs": {"word": output("first", "word")},
                "artifacts": {"box": {"taskOutputArtifact": {"producerTask": "first", "outputArtifactKey": "box"}}},
                "needs": ["first"],
            },
            "first": {
                "args": [
                    *(
                        "-c",
                        f"{WRITE}; open(sys.argv[3], 'w')",
                        "{{$.inputs.parameters['name']}} {{$.pipeline_job_uuid}}",
                    ),
                    *("{{$.outputs.parameters['word'].output_file}}", "{{$.outputs.artifacts['box'].path}}"),
                ],
                "inputs": {"name": {"componentInputParameter": "name"}},
                "outputs": {"word": "STRING"},
                "files": ["box"],
            },
        },
        {"name": {**TEXT, "defaultValue": "taco", "isOptional": True}},
    )
    record = run(text, wrap(tmp_path))
    assert [(task.name, task.status) for task in record.tasks] == [("first", "Succeeded"), ("last", "Succeeded")]
    box = tmp_path / record.id / "outputs" / "first" / "box"
    assert Path(record.task("last").log).read_text("utf-8") == f"got taco {record.id} {box}\n"
    assert records.parse((tmp_path / record.id / "run.json").read_text("utf-8")) == record


def test_a_failing_step_fails_the_run_and_the_next_steps_do_not_run(tmp_path: Path) -> None:
    text = compiled({"bake": {"args": ["-c", FAIL]}, "eat": {"args": ["-c", READ], "needs": ["bake"]}})
    seen = Seen()
    with pytest.raises(RunnerError, match=r"(?s)the step bake failed: ended with 7; log: .*bake\.log\n  \| no oven"):
        execute(document.read(text), {}, wrap(tmp_path), seen)
    assert seen.changes[1:] == [("bake", "Running"), ("bake", "Failed"), ("eat", "Skipped")]
    [record] = seen.records
    assert (record.status, record.task("bake").reason, record.task("eat").status) == (
        "Failed",
        "ended with 7",
        "Skipped",
    )


def test_a_step_that_writes_no_output_fails_as_in_kubeflow(tmp_path: Path) -> None:
    text = compiled({"bake": {"args": ["-c", "pass"], "files": ["taco"]}})
    with pytest.raises(RunnerError, match="the step bake failed: it did not write its output taco"):
        run(text, wrap(tmp_path))


def test_metadata_of_an_artifact_comes_from_executor_output(tmp_path: Path) -> None:
    program = (
        "import json, sys; given = json.loads(sys.argv[1])['outputs']; open(sys.argv[2], 'w');"
        "made = {'name': 'm', 'uri': sys.argv[2], 'metadata': {'accuracy': 0.9}};"
        "json.dump({'artifacts': {'m': {'artifacts': [made]}}}, open(given['outputFile'], 'w'))"
    )
    text = compiled({"bake": {"args": ["-c", program, "{{$}}", "{{$.outputs.artifacts['m'].path}}"], "files": ["m"]}})
    assert run(text, wrap(tmp_path)).task("bake").artifacts["m"]["metadata"] == {"accuracy": 0.9}


def test_claims_secrets_and_identity_reach_the_steps_that_ask_for_them(tmp_path: Path) -> None:
    text = compiled(
        {"bake": {"args": ["-c", READ]}, "eat": {"args": ["-c", READ]}},
        kubernetes={
            "exec-bake": {
                "pvcMount": [{"constant": "pantry", "mountPath": "/mnt/azure"}],
                "secretAsEnv": [{"secretName": "oven", "keyToEnv": [{"secretKey": "pin", "envVar": "PIN"}]}],
                "podMetadata": {"labels": {"azure.workload.identity/use": "true"}},
            }
        },
    )
    token = tmp_path / "token"
    place = wrap(
        tmp_path / "runs",
        claims={"pantry": tmp_path},
        secrets={"oven": {"pin": "1234"}},
        pods=Identity({"AZURE_CLIENT_ID": "me"}, {"/token": token}),
    )
    run(text, place)
    steps = {step.task: step for step in place.engine.steps}  # type: ignore[attr-defined]
    assert steps["bake"].environment == {"HTTPS_PROXY": "http://proxy", "PIN": "1234", "AZURE_CLIENT_ID": "me"}
    assert {"/mnt/azure": tmp_path, "/token": token}.items() <= steps["bake"].mounts.items()
    assert steps["eat"].environment == {"HTTPS_PROXY": "http://proxy"}
    assert not steps["eat"].mounts.keys() & {"/mnt/azure", "/token"}


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        ({}, "task bake: there is no persistent volume claim 'pantry'; there is none"),
        ({"claims": {"cellar": Path()}}, "task bake: there is no persistent volume claim 'pantry'; there are: cellar"),
        ({"claims": {"pantry": Path("/gone")}}, "task bake: the persistent volume claim 'pantry' has the folder /gone"),
        ({"claims": {"pantry": Path()}}, "task bake: there is no secret 'oven'; there is none"),
        ({"claims": {"pantry": Path()}, "secrets": {"oven": {}}}, "there is no key in the secret 'oven' 'pin'"),
    ],
)
def test_a_missing_claim_or_secret_is_an_error_before_the_first_step(
    cluster: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    text = compiled(
        {"first": {"args": ["-c", READ]}, "bake": {"args": ["-c", READ], "needs": ["first"]}},
        kubernetes={
            "exec-bake": {
                "pvcMount": [{"constant": "pantry", "mountPath": "/mnt/azure"}],
                "secretAsEnv": [{"secretName": "oven", "keyToEnv": [{"secretKey": "pin", "envVar": "PIN"}]}],
            }
        },
    )
    place = wrap(tmp_path / "runs", **cluster)
    with pytest.raises(RunnerError, match=reason):
        run(text, place)
    assert place.engine.images == []  # type: ignore[attr-defined]
    assert not place.folder.exists()


def test_parameters_that_do_not_fit_are_reported_together(tmp_path: Path) -> None:
    text = compiled(
        {"bake": {"args": ["-c", READ]}},
        {"name": TEXT, "count": {"parameterType": "NUMBER_INTEGER"}, "hot": {"parameterType": "BOOLEAN"}},
    )
    with pytest.raises(RunnerError) as found:
        run(text, wrap(tmp_path), {"count": "1.5", "hot": "true", "salsa": "red"})
    assert str(found.value).splitlines()[1:] == [
        "  salsa: the pipeline has no such parameter",
        "  count: 1.5 is not a NUMBER_INTEGER",
        "  name: the pipeline needs a value",
    ]


@pytest.mark.parametrize(
    ("task", "kubernetes", "reason"),
    [
        ({"task": {"parameterIterator": {}}}, {}, "task bake: parameterIterator"),
        ({"task": {"retryPolicy": {}}}, {}, "task bake: retryPolicy"),
        ({"container": {"lifecycle": {}}}, {}, "exec-bake: container.lifecycle"),
        ({"container": {"resources": {"accelerator": {}}}}, {}, "exec-bake: container.resources.accelerator"),
        ({}, {"exec-bake": {"nodeSelector": {}}}, "exec-bake: Kubernetes' nodeSelector"),
        ({}, {"exec-bake": {"pvcMount": [{"taskOutputParameter": {}}]}}, "a mounted claim whose name is not constant"),
    ],
)
def test_what_the_runner_does_not_do_is_refused(task: dict[str, Any], kubernetes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RunnerError, match=rf"(?s)this runner cannot run the pipeline:\n.*{reason}"):
        document.read(compiled({"bake": {"args": ["-c", READ], **task}}, kubernetes=kubernetes))


@pytest.mark.parametrize("text", ["[", "", "name: taco"])
def test_a_file_that_is_no_compiled_pipeline_is_refused(text: str) -> None:
    with pytest.raises(RunnerError, match=r"the compiled pipeline is not YAML|is not a compiled pipeline"):
        document.read(text)


def test_an_unknown_placeholder_fails_the_step(tmp_path: Path) -> None:
    text = compiled({"bake": {"args": ["-c", READ, "{{$.inputs.parameters['sauce']}}"]}})
    with pytest.raises(
        RunnerError, match=r"the step bake failed: bake: the placeholder .*: the inputs have no parameter"
    ):
        run(text, wrap(tmp_path))


def test_the_compiled_pipeline_of_the_example_is_read(example: Path) -> None:
    pipeline = document.read((example / "kubeflow" / "tacos-burritos.yaml").read_text("utf-8"))
    assert [task.name for task in pipeline.tasks] == ["preprocess", "train", "register", "profile", "deploy"]
    assert pipeline.claims == {"azure-managed-disk"}
    assert {task.name for task in pipeline.tasks if task.executor.labels} == {"register", "deploy"}
    assert {task.executor.image for task in pipeline.tasks} == {f"image://{task.name}" for task in pipeline.tasks}
    assert all((example / "ml" / "steps" / task.name / "requirements.txt").is_file() for task in pipeline.tasks)
    assert pipeline.parameters["pictures_per_drawing"].default == 30
    assert json.dumps(pipeline.tasks[1].executor.memory) == str(2 << 30)
