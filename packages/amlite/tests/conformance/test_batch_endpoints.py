"""Batch endpoints as azure-ai-ml drives them: deployed, invoked, their scoring scripts really run over real files."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.jobs import CLUSTER, equip, history, step, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential


Json = dict[str, Any]
ML_SCOPE = "https://ml.azure.com/.default"
SCORE = """
import json, os
from pathlib import Path
import scale

def init():
    global factor
    factor = json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "weights" / "factor.json").read_text())

def run(mini_batch):
    print(f"mini batch of {len(mini_batch)} in {os.environ['COLOUR']}")
    found = []
    for path in map(Path, mini_batch):
        text = path.read_text().strip()
        if text == "poison":
            os._exit(7)
        if text.isdigit():
            found.append(f"{path.name}:{scale.times(int(text), factor)}")
    return found
"""
SUMMARY = """
import os
from pathlib import Path

def init():
    pass

def run(mini_batch):
    for path in map(Path, mini_batch):
        Path(os.environ["AZUREML_BI_OUTPUT_PATH"], path.name).write_text(path.read_text()[::-1])
    return mini_batch
"""
PIPELINE = """
type: pipeline
name: counting
version: "1"
inputs:
  data: {type: uri_folder}
  factor: {type: integer, default: 10}
outputs:
  count: {type: uri_folder}
jobs:
  census:
    type: command
    component: azureml:census:VERSION
    inputs:
      data: ${{parent.inputs.data}}
      factor: ${{parent.inputs.factor}}
    outputs:
      count: ${{parent.outputs.count}}
"""
MLFLOW_CONDA = """
name: doubling
dependencies:
- python=3.11
- pip:
  - mlflow-skinny==2.16.2
  - pandas==2.2.3
  - packaging==24.2
  - setuptools<81
"""
MLMODEL = """
flavors:
  python_function:
    loader_module: doubling
    code: code
    python_version: 3.11.0
    env: conda.yaml
"""
DOUBLING = """
class Model:
    def predict(self, frame, params=None):
        return frame["value"] * 2

def _load_pyfunc(path):
    return Model()
"""


@dataclass
class Batch:
    """A batch endpoint with a default deployment `times`, in a workspace with a cluster of two nodes."""

    workspace: Workspace
    ml: MLClient
    name: str

    @property
    def id(self) -> str:
        return f"{self.workspace.id}/batchEndpoints/{self.name}"

    def post(self, inputs: Json, credential: TokenCredential | None = None, **headers: str) -> requests.Response:
        """Invoke the endpoint by plain HTTP."""
        token = (credential or self.workspace.azure.credential).get_token(ML_SCOPE).token
        address = f"https://{self.name}.westeurope.inference.ml.azure.com/jobs"
        headers = {"Authorization": f"Bearer {token}", **{key.replace("_", "-"): text for key, text in headers.items()}}
        return requests.post(address, json={"properties": {"inputData": inputs}}, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def batch_workspace(amlite: LocalAzure) -> Workspace:
    return equip(Workspace.create(amlite, "batch"))


@pytest.fixture(scope="module")
def client(batch_workspace: Workspace) -> MLClient:
    return batch_workspace.client()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of five numbers, one of them no number."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(4):
        (folder / f"{number}.txt").write_text(str(number))
    (folder / "deep").mkdir()
    (folder / "deep" / "word.txt").write_text("word")
    return folder


@pytest.fixture(scope="module")
def model(client: MLClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    from azure.ai.ml.entities import Model

    folder = tmp_path_factory.mktemp("model") / "weights"
    folder.mkdir()
    (folder / "factor.json").write_text("3")
    made = client.models.create_or_update(Model(name="times", path=str(folder), type="custom_model"))
    return f"azureml:{made.name}:{made.version}"


@pytest.fixture(scope="module")
def deploy(client: MLClient, model: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that creates a deployment of the model with a scoring script."""

    def make(endpoint: str, name: str, score: str = SCORE, **options: Any) -> Any:
        from azure.ai.ml.entities import CodeConfiguration, ModelBatchDeployment, ModelBatchDeploymentSettings

        code = tmp_path_factory.mktemp("code")
        (code / "score.py").write_text(score)
        (code / "scale.py").write_text("def times(value, factor):\n    return value * factor\n")
        settings = {"mini_batch_size": 2, "environment_variables": {"COLOUR": "red"}, **options}
        deployment = ModelBatchDeployment(
            name=name,
            endpoint_name=endpoint,
            model=model,
            environment="plain:1",
            compute=CLUSTER,
            code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
            settings=ModelBatchDeploymentSettings(**settings),
        )
        return client.batch_deployments.begin_create_or_update(deployment).result()

    return make


@pytest.fixture(scope="module")
def batch(batch_workspace: Workspace, client: MLClient, deploy: Callable[..., Any]) -> Iterator[Batch]:
    from azure.ai.ml.entities import BatchEndpoint

    name = f"scores-{uuid.uuid4().hex[:8]}"
    client.batch_endpoints.begin_create_or_update(BatchEndpoint(name=name, tags={"a": "b"})).result()
    deploy(name, "times", instance_count=2, max_concurrency_per_instance=2)
    endpoint = client.batch_endpoints.get(name)
    endpoint.defaults = {"deployment_name": "times"}
    client.batch_endpoints.begin_create_or_update(endpoint).result()
    yield Batch(batch_workspace, client, name)
    client.batch_endpoints.begin_delete(name).result()


@pytest.fixture(autouse=True)
def fresh_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test's invocations name their own deployment: the client keeps the headers of the one before."""
    from azure.ai.ml.constants._endpoint import EndpointInvokeFields

    monkeypatch.setattr(EndpointInvokeFields, "DEFAULT_HEADER", dict(EndpointInvokeFields.DEFAULT_HEADER))


def test_an_endpoint_and_its_deployment_are_kept_as_azure_keeps_them(batch: Batch) -> None:
    endpoint = batch.ml.batch_endpoints.get(batch.name)
    assert endpoint.scoring_uri == f"https://{batch.name}.westeurope.inference.ml.azure.com/jobs"
    assert (endpoint.auth_mode, endpoint.defaults.deployment_name) == ("aad_token", "times")
    assert (endpoint.provisioning_state, endpoint.tags) == ("Succeeded", {"a": "b"})
    assert batch.name in [found.name for found in batch.ml.batch_endpoints.list()]
    deployment = batch.ml.batch_deployments.get("times", batch.name)
    assert (deployment.mini_batch_size, deployment.instance_count) == (2, 2)
    assert (deployment.error_threshold, deployment.output_action) == (-1, "append_row")
    assert (deployment.output_file_name, deployment.retry_settings.timeout) == ("predictions.csv", 30)
    assert "times" in [found.name for found in batch.ml.batch_deployments.list(batch.name)]


def test_an_invocation_scores_every_file(
    batch: Batch, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from azure.ai.ml import Input

    data = Input(type="uri_folder", path=str(files))
    begun = batch.ml.batch_endpoints.invoke(batch.name, inputs={"numbers": data}, experiment_name="scoring")
    assert begun.name.startswith("batchjob-")
    batch.ml.jobs.stream(begun.name)
    assert "batchscoring" in capsys.readouterr().out
    job = batch.ml.jobs.get(begun.name)
    assert (job.status, job.experiment_name) == ("Completed", "scoring")
    batch.ml.jobs.download(begun.name, download_path=str(tmp_path), output_name="score")
    scored = (tmp_path / "named-outputs/score/predictions.csv").read_text("utf-8")
    assert sorted(scored.splitlines()) == ["0.txt:0", "1.txt:3", "2.txt:6", "3.txt:9"]
    (step_of_it,) = batch.ml.jobs.list(parent_job_name=begun.name)
    assert step_of_it.display_name == "batchscoring"
    batch.ml.jobs.download(step_of_it.name, download_path=str(tmp_path / "step"), all=True)
    log = (tmp_path / "step/artifacts/user_logs/std_log.txt").read_text("utf-8")
    assert log.count("mini batch of 2 in red") == 2
    assert "1 items and 0 mini batches failed" in log
    listed = batch.ml.batch_endpoints.list_jobs(batch.name)
    assert (listed[0].name, listed[0].status) == (begun.name, "Completed")
    assert begun.name in [found.name for found in batch.ml.batch_deployments.list_jobs(batch.name, name="times")]


def test_more_failures_than_allowed_fail_the_job(batch: Batch, deploy: Callable[..., Any], tmp_path: Path) -> None:
    from azure.ai.ml import Input
    from azure.ai.ml.entities import BatchRetrySettings

    deploy(batch.name, "strict", error_threshold=0, mini_batch_size=1, retry_settings=BatchRetrySettings(max_retries=1))
    (tmp_path / "poison.txt").write_text("poison")
    data = Input(type="uri_file", path=str(tmp_path / "poison.txt"))
    begun = batch.ml.batch_endpoints.invoke(batch.name, deployment_name="strict", inputs={"one": data})
    until(batch.ml, begun.name, "Failed")
    (failed,) = batch.ml.jobs.list(parent_job_name=begun.name)
    message = history(batch.ml, failed.name).error.error.message
    assert "attempt 2: the worker process ended" in message
    assert "1 items failed, and error_threshold allows 0" in message
    batch.ml.batch_deployments.begin_delete("strict", batch.name).result()
    assert "strict" not in [found.name for found in batch.ml.batch_deployments.list(batch.name)]


def test_a_script_may_write_its_own_output(
    batch: Batch, deploy: Callable[..., Any], files: Path, tmp_path: Path
) -> None:
    from azure.ai.ml import Input, Output

    deploy(batch.name, "reversed", SUMMARY, output_action="summary_only")
    there = "azureml://datastores/workspaceblobstore/paths/reversed"
    begun = batch.ml.batch_endpoints.invoke(
        batch.name,
        deployment_name="reversed",
        inputs={"numbers": Input(type="uri_folder", path=str(files))},
        outputs={"score": Output(type="uri_folder", path=there)},
    )
    until(batch.ml, begun.name, "Completed")
    assert batch.ml.jobs.get(begun.name).outputs["score"].path == there
    batch.ml.jobs.download(begun.name, download_path=str(tmp_path), output_name="score")
    written = {path.name: path.read_text("utf-8") for path in (tmp_path / "named-outputs/score").iterdir()}
    assert written == {"0.txt": "0", "1.txt": "1", "2.txt": "2", "3.txt": "3", "word.txt": "drow"}


def test_a_pipeline_component_is_invoked_with_its_own_inputs(batch: Batch, files: Path, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output, load_component
    from azure.ai.ml.entities import PipelineComponentBatchDeployment

    script = "import pathlib, sys\ncount = len(list(pathlib.Path(sys.argv[1]).iterdir()))\n"
    script += "pathlib.Path(sys.argv[3], 'n').write_text(str(count * int(sys.argv[2])))\n"
    component = step(
        tmp_path,
        "census",
        script,
        {"data": Input(type="uri_folder"), "factor": Input(type="integer")},
        {"count": Output(type="uri_folder")},
        "python main.py ${{inputs.data}} ${{inputs.factor}} ${{outputs.count}}",
    )
    made = batch.ml.components.create_or_update(component)

    (tmp_path / "pipeline.yml").write_text(PIPELINE.replace("VERSION", str(made.version)))
    pipeline = batch.ml.components.create_or_update(load_component(tmp_path / "pipeline.yml"))
    deployment = PipelineComponentBatchDeployment(
        name="counting", endpoint_name=batch.name, component=pipeline, settings={"default_compute": CLUSTER}
    )
    batch.ml.batch_deployments.begin_create_or_update(deployment).result()
    data = Input(type="uri_folder", path=str(files))
    invoke = batch.ml.batch_endpoints.invoke
    refused = batch.post({"factor": {"jobInputType": "Literal", "value": 2}}, azureml_model_deployment="counting")
    assert refused.status_code == 400
    assert "the required input 'data' (uri_folder) is missing" in refused.json()["error"]["message"]
    for inputs, count in (
        ({"data": data}, "50"),
        ({"data": data, "factor": Input(type="integer", default=2)}, "10"),
    ):
        begun = invoke(batch.name, deployment_name="counting", inputs=inputs)
        assert until(batch.ml, begun.name).status == "Completed", history(batch.ml, begun.name).error
        batch.ml.jobs.download(begun.name, download_path=str(tmp_path / count), output_name="count")
        assert (tmp_path / count / "named-outputs/count/n").read_text("utf-8") == count


def test_a_deployment_runs_a_pipeline_job_again(batch: Batch, tmp_path: Path) -> None:
    """azureml-examples, deploy-pipelines/hello-batch/deployment-from-job.yml. All such components are called 1."""
    from azure.ai.ml import Input, Output, dsl
    from azure.ai.ml.entities import PipelineComponentBatchDeployment

    script = "import pathlib, sys\npathlib.Path(sys.argv[2], 'said').write_text(sys.argv[1])\n"
    say = step(tmp_path, "say", script, {"word": Input(type="string")}, {"said": Output(type="uri_folder")},
               "python main.py ${{inputs.word}} ${{outputs.said}}")  # fmt: skip

    @dsl.pipeline(name="saying", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def saying(word):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the decorator reads annotations
        return {"said": say(word=word).outputs.said}

    for word in ("first", "second"):
        job = batch.ml.jobs.create_or_update(saying(word=word)).name
        assert until(batch.ml, job).status == "Completed"
        deployment = PipelineComponentBatchDeployment(
            name=word, endpoint_name=batch.name, job_definition=f"azureml:{job}",
            settings={"default_compute": CLUSTER},
        )  # fmt: skip
        batch.ml.batch_deployments.begin_create_or_update(deployment).result()
        begun = batch.ml.batch_endpoints.invoke(batch.name, deployment_name=word)
        assert until(batch.ml, begun.name).status == "Completed", history(batch.ml, begun.name).error
        batch.ml.jobs.download(begun.name, download_path=str(tmp_path / word), output_name="said")
        assert (tmp_path / word / "named-outputs/said/said").read_text("utf-8") == word
    absent = PipelineComponentBatchDeployment(name="none", endpoint_name=batch.name, job_definition="azureml:nothing")
    with pytest.raises(HttpResponseError, match="the workspace has no pipeline job 'azureml:nothing'"):
        batch.ml.batch_deployments.begin_create_or_update(absent)


def test_an_mlflow_model_needs_no_code(batch: Batch, tmp_path: Path) -> None:
    from azure.ai.ml import Input
    from azure.ai.ml.entities import Model, ModelBatchDeployment

    folder = tmp_path / "doubling"
    (folder / "code").mkdir(parents=True)
    for name, text in (("MLmodel", MLMODEL), ("conda.yaml", MLFLOW_CONDA), ("code/doubling.py", DOUBLING)):
        (folder / name).write_text(text)
    made = batch.ml.models.create_or_update(Model(name="doubling", path=str(folder), type="mlflow_model"))
    deployment = ModelBatchDeployment(
        name="doubling", endpoint_name=batch.name, model=f"azureml:doubling:{made.version}", compute=CLUSTER
    )
    batch.ml.batch_deployments.begin_create_or_update(deployment).result()
    (tmp_path / "table.csv").write_text("value\n1\n2.5\n")
    data = Input(type="uri_file", path=str(tmp_path / "table.csv"))
    begun = batch.ml.batch_endpoints.invoke(batch.name, deployment_name="doubling", inputs={"table": data})
    assert until(batch.ml, begun.name).status == "Completed", history(batch.ml, begun.name).error
    batch.ml.jobs.download(begun.name, download_path=str(tmp_path), output_name="score")
    scored = (tmp_path / "named-outputs/score/predictions.csv").read_text("utf-8")
    assert scored.splitlines() == ["0,2.0,table.csv", "1,5.0,table.csv"]


def test_a_repeated_invocation_begins_one_job(batch: Batch) -> None:
    inputs = {"numbers": {"jobInputType": "UriFolder", "uri": "azureml://datastores/workspaceblobstore/paths/none"}}
    number = str(uuid.uuid4())
    first, second = (batch.post(inputs, repeatability_request_id=number) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["name"] == second.json()["name"]
    token = batch.workspace.azure.credential.get_token(ML_SCOPE).token
    address = f"https://{batch.name}.westeurope.inference.ml.azure.com/jobs/{first.json()['name']}"
    until(batch.ml, first.json()["name"], "Failed")
    shown = requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=60).json()
    assert shown["properties"]["status"] == "Failed"


def test_invoking_takes_a_token_and_the_permission(batch: Batch) -> None:
    azure = batch.workspace.azure
    inputs = {"numbers": {"jobInputType": "UriFolder", "uri": "azureml://datastores/workspaceblobstore/paths/none"}}
    reader = azure.application(("Reader", batch.workspace.id))
    refused = batch.post(inputs, reader)
    assert refused.status_code == 403
    assert "workspaces/batchEndpoints/jobs/write" in refused.json()["error"]["message"]
    address = f"https://{batch.name}.westeurope.inference.ml.azure.com/jobs"
    assert requests.post(address, json={}, timeout=60).status_code == 401
    for_arm = azure.credential.get_token("https://management.azure.com/.default").token
    assert (
        requests.post(address, json={}, headers={"Authorization": f"Bearer {for_arm}"}, timeout=60).status_code == 401
    )
    scientist = azure.application(("AzureML Data Scientist", batch.id))
    begun = batch.post(inputs, scientist)
    assert begun.status_code == 201, begun.text
    until(batch.ml, begun.json()["name"], "Failed")


def test_the_default_deployment_stays(batch: Batch) -> None:
    with pytest.raises(HttpResponseError, match="is the default deployment of endpoint"):
        batch.ml.batch_deployments.begin_delete("times", batch.name).result()
    assert batch.ml.batch_deployments.get("times", batch.name).name == "times"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"compute": "gpu"}, "Compute with name 'gpu' was not found"),
        ({"compute": None}, "properties.compute: name the compute cluster"),
        ({"model": None}, "properties.model: name a registered model"),
        ({"model": {"referenceType": "Id", "assetId": "azureml:none:1"}}, "Model 'none:1' was not found"),
        ({"environmentId": None}, "a deployment needs codeConfiguration"),
        ({"environmentId": "azureml:none:1"}, "Environment 'none:1' was not found"),
        ({"miniBatchSize": 0}, "properties.miniBatchSize: must be at least 1"),
        ({"outputAction": "Overwrite"}, "is not one of SummaryOnly, AppendRow"),
        ({"outputFileName": "a/b.csv"}, "is not a valid file name"),
        ({"retrySettings": {"timeout": "30"}}, "duration"),
    ],
)
def test_what_cannot_be_deployed_is_refused(batch: Batch, model: str, change: Json, reason: str) -> None:
    properties = {
        "compute": CLUSTER,
        "model": {"referenceType": "Id", "assetId": model},
        "environmentId": "azureml:plain:1",
        "codeConfiguration": _code_of(batch),
        **change,
    }
    path = f"{batch.id}/deployments/refused"
    answer = batch.workspace.azure.arm("PUT", path, {"location": "westeurope", "properties": properties})
    assert answer.status_code == 400, answer.text
    assert reason in answer.json()["error"]["message"]
    assert batch.workspace.azure.arm("GET", path).status_code == 404


def _code_of(batch: Batch) -> Json:
    path = f"{batch.id}/deployments/times"
    return dict(batch.workspace.azure.arm("GET", path).json()["properties"]["codeConfiguration"])


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"authMode": "Key"}, "batch endpoints take Microsoft Entra tokens only"),
        ({"authMode": "Nobody"}, "is not one of AMLToken, Key, AADToken"),
        ({"authMode": "AADToken", "defaults": {"deploymentName": "none"}}, "the endpoint has no deployment 'none'"),
    ],
)
def test_an_endpoint_that_azure_refuses_is_refused(batch: Batch, properties: Json, reason: str) -> None:
    path = f"{batch.workspace.id}/batchEndpoints/refused"
    answer = batch.workspace.azure.arm("PUT", path, {"location": "westeurope", "properties": properties})
    assert answer.status_code == 400, answer.text
    assert reason in answer.json()["error"]["message"]


def test_an_invocation_that_cannot_run_begins_no_job(batch: Batch) -> None:
    data = {"jobInputType": "UriFolder", "uri": "azureml:/none"}
    for inputs, reason in (
        ({}, "takes one input of type UriFolder or UriFile, got: none"),
        ({"a": data, "b": data}, "got: a (uri_folder), b (uri_folder)"),
        ({"a": {"jobInputType": "Literal", "value": 1}}, "got: a (literal)"),
        ({"a": {"jobInputType": "Cloud", "uri": "x"}}, "is not a valid type; use one of literal, "),
    ):
        answer = batch.post(inputs)
        assert answer.status_code == 400, answer.text
        assert reason in answer.json()["error"]["message"]
    answer = batch.post({"a": data}, azureml_model_deployment="none")
    assert answer.status_code == 404
    assert "has no deployment 'none'" in answer.json()["error"]["message"]


@pytest.mark.attack
@pytest.mark.parametrize(
    "properties",
    [
        "text", {"name": {"a": 1}}, {"compute": "text"}, {"retrySettings": "text"}, {"outputFileName": ".."},
        {"inputData": "text"}, {"outputData": {"score": "text"}},
    ],
)  # fmt: skip
def test_an_invocation_of_another_form_begins_no_job(batch: Batch, properties: Any) -> None:
    data = {
        "inputData": {"data": {"jobInputType": "UriFolder", "uri": "azureml://datastores/workspaceblobstore/paths/a"}}
    }
    token = batch.workspace.azure.credential.get_token(ML_SCOPE).token
    address = f"https://{batch.name}.westeurope.inference.ml.azure.com/jobs"
    given = {**data, **properties} if isinstance(properties, dict) else properties
    headers = {"Authorization": f"Bearer {token}"}
    answer = batch.workspace.azure.session.post(address, json={"properties": given}, headers=headers)
    assert answer.status_code == 400, answer.text
