"""Jobs through the real azure-ai-ml client: submitted, run as processes, streamed, downloaded, cancelled, refused."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from amlite.core import runtime
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP_ID
from amlite_fixtures.jobs import CLUSTER, children, equip, history, processes, step, submit, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


COUNT = """
import pathlib, sys, time
time.sleep(float(sys.argv[3]))
pathlib.Path(sys.argv[2], "n").write_text(sys.argv[1])
"""
ADD = """
import pathlib, sys
a, b = (int(pathlib.Path(folder, "n").read_text()) for folder in sys.argv[1:3])
assert a + b < 100, f"{a + b} is too much"
pathlib.Path(sys.argv[3]).write_text(str(a + b))
"""
Json = dict[str, Any]


@pytest.fixture(scope="module")
def jobs_workspace(amlite: LocalAzure) -> Workspace:
    """Return a workspace with a cluster of two nodes and an environment without packages."""
    return equip(Workspace.create(amlite, "jobs"))


@pytest.fixture(scope="module")
def client(jobs_workspace: Workspace) -> MLClient:
    """Return the real client of that workspace."""
    return jobs_workspace.client()


def test_outputs_and_logs_of_a_command_download(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output

    (tmp_path / "words.txt").write_text("one two three\n", "utf-8")
    name = submit(
        client,
        'wc -w < ${{inputs.words}} > ${{outputs.counts}}/n; echo "${{inputs.k}} $COLOUR $AZUREML_EXPERIMENT_NAME"; '
        'echo "$AZUREML_PARAMETER_k"; test "$AZUREML_PARAMETER_words" = ${{inputs.words}} '
        '&& test "$AZUREML_PARAMETER_counts" = ${{outputs.counts}}',
        inputs={"words": Input(type="uri_file", path=str(tmp_path / "words.txt")), "k": 3},
        outputs={"counts": Output(type="uri_folder")},
        environment_variables={"COLOUR": "red"},
    )
    job = until(client, name, "Completed")
    assert job.services["Tracking"].endpoint.startswith(
        "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/"
    )
    client.jobs.download(name, download_path=str(tmp_path), all=True)
    assert (tmp_path / "named-outputs/counts/n").read_text("utf-8").strip() == "3"
    assert "3 red tests\n3\n" in (tmp_path / "artifacts/user_logs/std_log.txt").read_text("utf-8")
    details = history(client, name)
    assert details.start_time_utc <= details.end_time_utc


SURROUNDINGS = """
pwd > outputs/here.txt; echo kept > logs/mine.txt
echo $RANK/$WORLD_SIZE $NODE_RANK > "outputs/$RANK.txt"; echo "I am $RANK"
echo ${{inputs.direct}} > outputs/direct.txt; echo ${{outputs.place}} > outputs/place.txt
"""


def test_processes_of_a_distributed_job_have_azures_surroundings(client: MLClient, tmp_path: Path) -> None:
    """The pages "Distributed GPU training guide" (variables), "Access data in a job" (mode direct)."""
    from azure.ai.ml import Input, Output, PyTorchDistribution

    name = submit(
        client,
        SURROUNDINGS,
        inputs={"direct": Input(type="uri_folder", mode="direct", path="azureml://datastores/workspaceblobstore/paths/a/")},
        outputs={"place": Output(type="uri_folder", mode="direct",
                                 path="azureml://datastores/${{default_datastore}}/paths/${{name}}")},
        distribution=PyTorchDistribution(process_count_per_instance=2),
        instance_count=2,
    )  # fmt: skip
    job = until(client, name)
    assert job.status == "Completed", history(client, name)
    client.jobs.download(name, download_path=tmp_path)
    kept = tmp_path / "artifacts"
    ranks = [(kept / f"outputs/{rank}.txt").read_text().strip() for rank in range(4)]
    assert ranks == ["0/4 0", "1/4 0", "2/4 1", "3/4 1"]
    assert (kept / "user_logs/std_log_process_3.txt").read_text() == "I am 3\n"
    assert (kept / "logs/mine.txt").read_text() == "kept\n"
    store = "/workspaces/jobs/datastores/workspaceblobstore/paths/"
    assert (kept / "outputs/direct.txt").read_text().strip().endswith(f"{store}a/")
    assert (kept / "outputs/place.txt").read_text().strip().endswith(f"{store}{name}")


WEB = "https://example.com/~me/rows.csv?a=1"


@pytest.mark.parametrize("as_asset", [False, True])
def test_data_on_the_web_is_an_address_for_a_job_and_fails_one_that_reads_it(
    client: MLClient, tmp_path: Path, as_asset: bool
) -> None:
    """The page "Access data in a job": an input can be a path on a public http(s) server."""
    from azure.ai.ml import Input
    from azure.ai.ml.entities import Data

    path = WEB
    if as_asset:
        made = client.data.create_or_update(Data(name="web", version="1", type="uri_file", path=WEB))
        path = f"azureml:{made.name}:{made.version}"
    line = "echo '${{inputs.rows}}' > outputs/told.txt"
    name = submit(client, line, inputs={"rows": Input(type="uri_file", path=path, mode="direct")})
    assert until(client, name).status == "Completed", history(client, name).error
    client.jobs.download(name, download_path=tmp_path)
    assert (tmp_path / "artifacts/outputs/told.txt").read_text("utf-8").strip() == WEB
    for mode in ("ro_mount", "download"):
        name = submit(client, line, inputs={"rows": Input(type="uri_file", path=path, mode=mode)})
        assert until(client, name).status == "Failed"
        message = history(client, name).error.error.message
        assert f"'{WEB}' is not in blob storage of this local Azure, which reads nothing from the web" in message


def test_a_blob_of_another_cloud_fails_the_job_that_reads_it_with_the_reason(client: MLClient) -> None:
    from azure.ai.ml import Input

    path = "https://azuremlexamples.blob.core.windows.net/datasets/iris.csv"
    name = submit(client, "cat ${{inputs.rows}}", inputs={"rows": Input(type="uri_file", path=path)})
    assert until(client, name).status == "Failed"
    message = history(client, name).error.error.message
    assert f"'{path}' is not in blob storage of this local Azure, which reads nothing from the web" in message


def test_a_job_reads_a_public_blob_without_a_role(client: MLClient, amlite: LocalAzure) -> None:
    """The page "Access data in a job": no identity is needed to access public data."""
    from azure.ai.ml import Input
    from azure.storage.blob import BlobServiceClient

    name = f"open{uuid.uuid4().hex[:8]}"
    id_ = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{name}"
    body: Json = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    amlite.put(id_, {**body, "properties": {"allowBlobPublicAccess": True}}, "2024-01-01")
    owner = amlite.application(("Storage Blob Data Owner", id_))
    with BlobServiceClient(f"https://{name}.blob.core.windows.net", owner) as service:
        blob = service.create_container("open", public_access="container").upload_blob("rows.csv", b"a public row").url
    job = submit(client, "cat ${{inputs.rows}}", inputs={"rows": Input(type="uri_file", path=blob)})
    assert until(client, job).status == "Completed", history(client, job).error
    amlite.arm("PATCH", id_, {"properties": {"allowBlobPublicAccess": False}}, "2024-01-01")
    job = submit(client, "cat ${{inputs.rows}} -", inputs={"rows": Input(type="uri_file", path=blob)})
    assert until(client, job).status == "Failed"
    assert "AuthorizationPermissionMismatch" in history(client, job).error.error.message


def test_curated_environments_are_there_and_say_why_they_cannot_run(client: MLClient) -> None:
    """The page "Azure Machine Learning curated environments"."""
    from azure.ai.ml import command

    found = client.environments.get("AzureML-sklearn-1.5", label="latest")
    assert (found.name, found.image) == (
        "sklearn-1.5",
        f"mcr.microsoft.com/azureml/curated/sklearn-1.5:{found.version}",
    )
    designer = "azureml://registries/azureml/environments/designer/labels/latest"
    job = client.jobs.create_or_update(command(command="true", environment=designer, compute=CLUSTER))
    assert until(client, job.name).status == "Failed"
    assert "no packages for the curated environment 'designer'" in history(client, job.name).error.error.message


@pytest.fixture(scope="module")
def pipeline(client: MLClient, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that builds a pipeline: two counts in parallel, then their sum."""
    from azure.ai.ml import Input, Output, dsl

    folder = tmp_path_factory.mktemp("steps")
    count = step(
        folder,
        "count",
        COUNT,
        {"n": Input(type="integer", min=0), "wait": Input(type="number", default=0)},
        {"counted": Output(type="uri_folder")},
        "python main.py ${{inputs.n}} ${{outputs.counted}} ${{inputs.wait}}",
    )
    add = step(
        folder,
        "add",
        ADD,
        {"a": Input(type="uri_folder"), "b": Input(type="uri_folder")},
        {"sum": Output(type="uri_file")},
        "python main.py ${{inputs.a}} ${{inputs.b}} ${{outputs.sum}}",
    )
    count, add = (client.components.create_or_update(each) for each in (count, add))

    @dsl.pipeline(name="sums", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def sums(first, wait=0.0):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the decorator reads annotations
        one = count(n=first, wait=wait)
        two = count(n=2, wait=wait)
        total = add(a=one.outputs.counted, b=two.outputs.counted)
        return {"sum": total.outputs.sum}

    return sums  # type: ignore[no-any-return]


def test_pipeline_hands_data_from_step_to_step(
    client: MLClient, pipeline: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = client.jobs.create_or_update(pipeline(first=40, wait=0.5)).name
    client.jobs.stream(name)
    assert "total" in capsys.readouterr().out
    assert client.jobs.get(name).status == "Completed"
    client.jobs.download(name, download_path=str(tmp_path), output_name="sum")
    assert [path.read_text("utf-8") for path in tmp_path.rglob("sum*") if path.is_file()] == ["42"]
    steps = children(client, name)
    assert {child.status for child in steps.values()} == {"Completed"}
    assert set(steps) == {"one", "two", "total"}
    times = {key: history(client, child.name) for key, child in steps.items()}
    # Side by side on the cluster's two nodes, and the sum after both.
    counts = (times["one"], times["two"])
    assert max(count.start_time_utc for count in counts) < min(count.end_time_utc for count in counts)
    assert times["total"].root_run_id == name
    client.jobs.download(steps["one"].name, download_path=str(tmp_path / "one"), all=True)
    assert (tmp_path / "one/named-outputs/counted/n").read_text("utf-8") == "40"
    assert client.jobs.get(steps["one"].name).status == "Completed"


def test_a_step_reads_the_place_that_an_earlier_one_writes(client: MLClient, tmp_path: Path) -> None:
    """azureml-examples, pipelines-with-components/basics/4b_datastore_datapath_uri.

    The second step names the place: a file, for an input that takes folders.
    """
    from azure.ai.ml import Input, Output, dsl

    place = f"azureml://datastores/workspaceblobstore/paths/shared/{uuid.uuid4().hex}"
    script = "import pathlib, sys\nfor n in range(100): pathlib.Path(sys.argv[1], f'{n:02}').write_text(str(n))\n"
    made = {"made": Output(type="uri_folder")}
    write = step(tmp_path, "write", script, {}, made, "python main.py ${{outputs.made}}")
    inputs = {"last": Input(type="uri_folder"), "after": Input(type="uri_folder")}
    read = step(tmp_path, "read", "import sys\nassert open(sys.argv[1]).read() == '99'\n", inputs, {},
                "python main.py ${{inputs.last}}")  # fmt: skip

    @dsl.pipeline(name="place", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def through_a_place():  # type: ignore[no-untyped-def] # noqa: ANN202 - the decorator reads annotations
        first = write()
        first.outputs.made = Output(type="uri_folder", path=place)
        read(last=Input(type="uri_file", path=f"{place}/99"), after=first.outputs.made)

    name = client.jobs.create_or_update(through_a_place()).name
    assert until(client, name).status == "Completed", history(client, name).error


def test_failing_step_fails_the_pipeline_with_its_name_and_reason(
    client: MLClient, pipeline: Callable[..., Any]
) -> None:
    from azure.ai.ml.exceptions import JobException

    name = client.jobs.create_or_update(pipeline(first=99)).name
    with pytest.raises(JobException, match="101 is too much") as refused:
        client.jobs.stream(name)
    assert "Failed nodes: /total" in str(refused.value)
    assert {key: child.status for key, child in children(client, name).items()} == {
        "one": "Completed",
        "two": "Completed",
        "total": "Failed",
    }


def test_cancel_ends_every_process_of_a_job(client: MLClient) -> None:
    name = submit(client, "sleep 300 & (setsid sleep 300) & sleep 300")
    until(client, name, "Running")
    while len(processes(name)) < 3:
        time.sleep(0.05)
    client.jobs.begin_cancel(name).result()
    assert client.jobs.get(name).status == "Canceled"
    assert processes(name) == []


def test_failed_command_streams_its_log_and_says_why(client: MLClient, capsys: pytest.CaptureFixture[str]) -> None:
    from azure.ai.ml.exceptions import JobException

    name = submit(client, "echo so far so good; echo 'disk on fire' >&2; sleep 2; exit 3")
    with pytest.raises(JobException, match="exited with status code 3"):
        client.jobs.stream(name)
    assert "so far so good" in capsys.readouterr().out


def test_archived_jobs_are_listed_apart(client: MLClient) -> None:
    from azure.ai.ml.constants import ListViewType

    name = submit(client, "true", tags={"kind": "short"})
    until(client, name, "Completed")
    client.jobs.archive(name)
    assert name not in [job.name for job in client.jobs.list()]
    assert name in [job.name for job in client.jobs.list(list_view_type=ListViewType.ARCHIVED_ONLY)]
    client.jobs.restore(name)
    assert name in [job.name for job in client.jobs.list()]


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"computeId": "gpu"}, 404, "Compute with name 'gpu' was not found"),
        ({"environmentId": "azureml:plain:9"}, 404, "'plain:9' was not found"),
        ({"codeId": "azureml:none:1"}, 404, "Code 'none:1' was not found"),
        (
            {"outputs": {"o": {"jobOutputType": "uri_folder", "uri": "azureml://datastores/a/paths/${{inputs.a}}"}}},
            400,
            "has the expressions ${{default_datastore}}, ${{name}} and ${{output_name}} only",
        ),
        ({"command": "cat ${{inputs.b}}"}, 400, r"'${{inputs.b}}' is not declared; the inputs are: a"),
        (
            {"inputs": {"a": {"jobInputType": "uri_file", "uri": "azureml:nothing@latest"}}},
            404,
            "Input 'a': Data asset 'nothing'",
        ),
        ({"jobType": "Labeling"}, 400, "are not supported by amlite; use one of "),
        ({"jobType": "Comand"}, 400, "known are: "),
        ({"resources": {"instanceCount": -1}}, 400, "instanceCount is -1 and must be at least 1"),
        ({"limits": {"jobLimitsType": "Command", "timeout": "PT0S"}}, 400, "must be longer than 0 seconds"),
        ({"outputs": {"o": {"jobOutputType": "uri_folder", "assetName": "a b"}}}, 400, "The name 'a b' of data is"),
        ({"resources": {"instanceCount": 3}}, 400, "asks for 3 nodes and compute 'cpu-cluster' has at most 2"),
        ({"experimentName": "a b"}, 400, "Experiment name must be 1-256 characters"),
        ({"services": {"lab": {"jobServiceType": "Jupyter"}}}, 400, "Service 'lab' has the jobServiceType 'Jupyter'"),
    ],
)
def test_what_cannot_run_is_refused_at_submission(
    jobs_workspace: Workspace, change: Json, status: int, reason: str
) -> None:
    properties = {
        "jobType": "Command",
        "command": "echo ${{inputs.a}}",
        "environmentId": "azureml:plain@latest",
        "computeId": CLUSTER,
        "inputs": {"a": {"jobInputType": "literal", "value": "1"}},
    }
    path = f"{jobs_workspace.id}/jobs/refused"
    answer = jobs_workspace.azure.arm("PUT", path, {"properties": {**properties, **change}})
    assert answer.status_code == status, answer.text
    assert reason in f"{answer.json()['error']['code']} {answer.json()['error']['message']}"
    assert jobs_workspace.azure.arm("GET", path).status_code == 404


def test_a_cluster_runs_no_more_jobs_than_it_has_nodes(client: MLClient, jobs_workspace: Workspace) -> None:
    names = [submit(client, "sleep 300") for _ in range(3)]
    while sorted(client.jobs.get(name).status for name in names) != ["Queued", "Running", "Running"]:
        time.sleep(0.05)
    state = jobs_workspace.azure.arm("GET", f"{jobs_workspace.id}/computes/{CLUSTER}").json()["properties"][
        "properties"
    ]
    assert (state["currentNodeCount"], state["nodeStateCounts"]["runningNodeCount"]) == (2, 2)
    for name in names:
        client.jobs.begin_cancel(name).result()
    jobs_workspace.azure.advance(121)
    while jobs_workspace.azure.arm("GET", f"{jobs_workspace.id}/computes/{CLUSTER}").json()["properties"]["properties"][
        "currentNodeCount"
    ]:
        time.sleep(0.05)


def test_a_job_reads_data_as_its_compute(amlite: LocalAzure, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output

    workspace = Workspace.create(amlite, "jobs-identity", identity=True)
    azure = workspace.azure
    group, storage = workspace.id.split("/providers/")[0], "Microsoft.Storage/storageAccounts"
    identity = azure.put(
        f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nodes",
        {"location": "westeurope"},
        "2023-01-31",
    )
    equip(workspace, identity["id"])
    account = f"{group}/providers/{storage}/{workspace.account}"
    user = azure.application(("Contributor", workspace.id), ("Storage Blob Data Contributor", account))
    client = workspace.client(user)
    (tmp_path / "in.txt").write_text("kept apart\n", "utf-8")
    _put_blob(user, workspace, "in.txt", (tmp_path / "in.txt").read_bytes())
    options: Json = {
        "inputs": {"a": Input(type="uri_file", path="azureml://datastores/workspaceblobstore/paths/in.txt")},
        "outputs": {"b": Output(type="uri_folder")},
    }
    line = "cp ${{inputs.a}} ${{outputs.b}}/ && cat ${{inputs.a}}"
    refused = submit(client, line, **options)
    assert until(client, refused, "Failed").status == "Failed"
    message = history(client, refused).error.error.message
    assert "AuthorizationPermissionMismatch" in message
    assert "Storage Blob Data Contributor" in message

    azure.assign("Storage Blob Data Contributor", account, identity["properties"]["principalId"])
    name = submit(client, line, **options)
    assert until(client, name).status == "Completed", history(client, name)
    client.jobs.stream(name)
    client.jobs.download(name, download_path=str(tmp_path), output_name="b")
    assert (tmp_path / "named-outputs/b/in.txt").read_text("utf-8") == "kept apart\n"


def _put_blob(credential: Any, workspace: Workspace, path: str, data: bytes) -> None:
    from azure.storage.blob import ContainerClient

    store = workspace.azure.arm("GET", f"{workspace.id}/datastores/workspaceblobstore").json()["properties"]
    address = f"https://{workspace.account}.blob.core.windows.net"
    with ContainerClient(address, store["containerName"], credential=credential) as container:
        container.upload_blob(path, data)


@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_a_pipeline_goes_on_after_amlite_was(
    end: str, client: MLClient, pipeline: Callable[..., Any], amlite: LocalAzure
) -> None:
    built = pipeline(first=1, wait=2)
    built.settings.force_rerun = True
    name = client.jobs.create_or_update(built).name
    until(client, name, "Running")
    while "Running" not in {child.status for child in children(client, name).values()}:
        time.sleep(0.05)
    before = [process for child in children(client, name).values() for process in processes(child.name)]
    running = runtime.read(amlite.state)
    assert running is not None
    if end == "killed":
        os.kill(running.pid, signal.SIGKILL)
        while running.alive and psutil.Process(running.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
    else:
        amlite.command("stop")
    amlite.command("start")
    assert not [process for process in before if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert until(client, name).status == "Completed", history(client, name)
    assert all(not processes(child.name) for child in children(client, name).values())


def test_a_named_output_becomes_an_asset(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output

    made = submit(client, "echo 1 > ${{outputs.o}}/f", outputs={"o": Output(type="uri_folder", name="made")})
    until(client, made, "Completed")
    assert client.data.get("made", label="latest").version == "1"
    used = submit(client, "cat ${{inputs.i}}/f", inputs={"i": Input(type="uri_folder", path="azureml:made:1")})
    until(client, used, "Completed")
    client.jobs.download(used, download_path=str(tmp_path), all=True)
    assert (tmp_path / "artifacts/user_logs/std_log.txt").read_text("utf-8") == "1\n"


def test_a_deleted_job_is_gone_and_a_running_one_stays(client: MLClient) -> None:
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    name = submit(client, "sleep 300")
    until(client, name, "Running")
    with pytest.raises(HttpResponseError, match="cancel it before you delete it"):
        client.jobs.begin_delete(name).result()
    client.jobs.begin_cancel(name).result()
    client.jobs.begin_delete(name).result()
    with pytest.raises(ResourceNotFoundError):
        client.jobs.get(name)


def test_a_job_ends_at_its_time_limit(client: MLClient, jobs_workspace: Workspace) -> None:
    properties = {
        "jobType": "Command",
        "command": "sleep 300",
        "environmentId": "azureml:plain:1",
        "computeId": CLUSTER,
        "limits": {"jobLimitsType": "Command", "timeout": "PT0.5S"},
    }
    assert (
        jobs_workspace.azure.arm("PUT", f"{jobs_workspace.id}/jobs/short", {"properties": properties}).status_code
        == 201
    )
    until(client, "short", "Canceled")
    runs = client.jobs._runs_operations
    assert runs.get_run("short").cancelation_reason == "The job exceeded its timeout of PT0.5S."
    assert processes("short") == []


def test_a_schedule_runs_its_pipeline(
    client: MLClient, jobs_workspace: Workspace, pipeline: Callable[..., Any]
) -> None:
    azure = jobs_workspace.azure
    sent = pipeline(first=3)
    body = client.jobs.get(client.jobs.create_or_update(sent).name)._to_rest_object().as_dict()["properties"]
    kept = ("jobType", "jobs", "inputs", "outputs", "settings", "experimentName")
    definition = {key: body[key] for key in kept if body.get(key)}
    properties = {
        "trigger": {"triggerType": "Cron", "expression": "* * * * *", "timeZone": "UTC"},
        "action": {"actionType": "CreateJob", "jobDefinition": definition},
    }
    path = f"{jobs_workspace.id}/schedules/each-minute"
    azure.put(path, {"properties": properties})
    azure.advance(60)
    while not (fired := [job for job in client.jobs.list() if job.name.startswith("each-minute")]):
        time.sleep(0.1)
    azure.put(path, {"properties": {**properties, "isEnabled": False}})
    assert until(client, fired[0].name).status == "Completed", history(client, fired[0].name).error
    assert set(children(client, fired[0].name)) == {"one", "two", "total"}
