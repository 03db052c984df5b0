"""Databricks as azure-mgmt-databricks and databricks-sdk drive it: a workspace, and jobs that run PySpark.

Sources: the OpenAPI document of Microsoft.Databricks; the REST reference of Azure Databricks; the pages "Use Azure
managed identities in Unity Catalog", "Get Microsoft Entra tokens for service principals" and "Transform data by running
a Databricks job".
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import psutil
import pytest

from amlite.testing import Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import GROUP, SUBSCRIPTION, Json
from amlite_fixtures.bricks import CLUSTER, FOLDER, Bricks, job, managed_identity, put
from amlite_fixtures.bricks import bricks as a_workspace

VERSION = "2026-01-01"


@pytest.fixture(scope="module")
def bricks(azureml_workspace: Workspace) -> Iterator[Bricks]:
    with a_workspace(azureml_workspace) as made:
        yield made


def test_job_that_fails_shows_its_error(bricks: Bricks) -> None:
    made = job(bricks, put(bricks, "raise ValueError('no flights')\n"))
    run = bricks.client.jobs.run_now(made).result()
    assert run.state.result_state.value == "FAILED"
    assert run.state.state_message.startswith("Task prepare failed with message: Workload failed")
    task = bricks.client.jobs.get_run(run.run_id).tasks[0]
    output = bricks.client.jobs.get_run_output(task.run_id)
    assert output.error == "ValueError: no flights"
    assert output.error_trace.startswith("Traceback (most recent call last):")


def test_path_outside_the_external_locations_fails_the_task(bricks: Bricks) -> None:
    url = f"{bricks.lake}/other/table.csv"
    made = job(bricks, put(bricks, "print('hello')\n"), url)
    run = bricks.client.jobs.run_now(made).result()
    assert run.state.result_state.value == "FAILED"
    error = bricks.client.jobs.get_run_output(run.run_id).error
    assert f"[NO_PARENT_EXTERNAL_LOCATION_FOR_PATH] No parent external location was found for path '{url}'" in error


def test_location_needs_a_role_of_the_access_connector(bricks: Bricks) -> None:
    from databricks.sdk.errors import InvalidParameterValue, PermissionDenied

    path = f"{bricks.id.rpartition('/workspaces/')[0]}/accessConnectors/powerless"
    made = bricks.workspace.azure.put(
        path, {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}}, VERSION
    )
    bricks.client.storage_credentials.create("powerless", azure_managed_identity=managed_identity(made["id"]))
    with pytest.raises(PermissionDenied, match="needs the role Storage Blob Data Contributor"):
        bricks.client.external_locations.create("powerless", f"{bricks.lake}/raw", "powerless")
    with pytest.raises(InvalidParameterValue, match="directly dependent external location"):
        bricks.client.storage_credentials.delete("lake")
    bricks.client.storage_credentials.delete("powerless")
    assert [each.name for each in bricks.client.storage_credentials.list()] == ["lake"]
    bricks.workspace.azure.remove(path, VERSION)


def each_task(**changed: Any) -> Json:
    return {"task_key": "a", "spark_python_task": {"python_file": "/a.py"}, "new_cluster": CLUSTER, **changed}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tasks": []}, "has no tasks"),
        ({"tasks": [{"task_key": "a", "notebook_task": {}}]}, "runs a spark_python_task only"),
        ({"schedule": {"quartz_cron_expression": "0 0 * * * ?"}}, "schedule is not part of"),
        ({"tasks": [{"task_key": "a", "spark_python_task": {"python_file": "dbfs:/a.py"}}]}, "of the workspace"),
        ({"tasks": [{"task_key": "a", "spark_python_task": {"python_file": "/a.py"}}]}, "needs a new_cluster"),
        (
            {
                "tasks": [
                    {
                        "task_key": "a",
                        "spark_python_task": {"python_file": "/a.py"},
                        "new_cluster": {**CLUSTER, "init_scripts": [{}]},
                    }
                ]
            },
            "init_scripts is not part of",
        ),
        ({"tasks": [each_task(task_key=f"t{number}") for number in range(1001)]}, "1001 tasks, and the maximum is"),
        ({"tasks": [each_task(max_retries="x")]}, "max_retries"),
        (
            {"tasks": [each_task(spark_python_task={"python_file": "/a.py", "parameters": ["x" * 10_000]})]},
            "more than 10000 bytes",
        ),
        (
            {"tasks": [each_task(new_cluster={**CLUSTER, "spark_env_vars": {"A=B": "c"}})]},
            "'A=B' is not a name of an environment variable",
        ),
    ],
)
def test_job_is_refused(bricks: Bricks, change: Json, said: str) -> None:
    from databricks.sdk.errors import InvalidParameterValue

    with pytest.raises(InvalidParameterValue, match=said):
        job(bricks, "/a.py", **change)


@pytest.mark.attack
def test_no_change_of_a_job_prevents_a_list_by_name(bricks: Bricks) -> None:
    """Settings that replace others may have no name."""
    name = f"flights-{uuid.uuid4().hex[:8]}"
    made = job(bricks, "/a.py")
    client = bricks.client.api_client
    for path, body in (
        ("reset", {"job_id": made, "new_settings": {"tasks": [each_task()]}}),
        ("update", {"job_id": made, "new_settings": {"name": None}}),
        ("update", {"job_id": made, "fields_to_remove": ["name"]}),
    ):
        client.do("POST", f"/api/2.1/jobs/{path}", body=body)
        assert list(bricks.client.jobs.list(name=name)) == []
        assert bricks.client.jobs.get(made).settings.name == "Untitled"
    bricks.client.jobs.delete(made)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "said"), [({"read_only": "no"}, "read_only"), ({"comment": []}, "comment"), ({"name": "other"}, "")]
)
def test_change_of_a_storage_credential_is_checked_and_makes_no_other(bricks: Bricks, change: Json, said: str) -> None:
    from databricks.sdk.errors import InvalidParameterValue

    path = "/api/2.1/unity-catalog/storage-credentials"
    with pytest.raises(InvalidParameterValue, match=said) if said else nullcontext():
        bricks.client.api_client.do("PATCH", f"{path}/lake", body=change)
    assert [each.name for each in bricks.client.storage_credentials.list()] == ["lake"]


def test_caller_needs_a_role_on_the_workspace_and_a_token_for_databricks(bricks: Bricks) -> None:
    azure, url = bricks.workspace.azure, f"https://{bricks.host}/api/2.1/jobs/list"
    reader = azure.application(("Reader", bricks.id))
    for scope, said in (
        ("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default", "is not a user of the workspace"),
        ("https://management.azure.com/.default", "Invalid access token"),
    ):
        answer = azure.session.get(url, headers={"Authorization": f"Bearer {reader.get_token(scope).token}"})
        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
        assert said in answer.json()["message"]
    assert azure.session.get(url).status_code == 401


@pytest.mark.attack
@pytest.mark.parametrize(
    "path", ["2.1/jobs/create", "2.1/jobs/run-now", "2.0/workspace/mkdirs", "2.0/workspace/import"]
)
def test_the_body_of_a_stranger_is_not_read(bricks: Bricks, path: str) -> None:
    url = f"https://{bricks.host}/api/{path}"
    for kind in ("application/json", "multipart/form-data; boundary=x"):
        headers = {"Content-Type": kind}
        assert bricks.workspace.azure.session.post(url, data=b"{", headers=headers).status_code == 401


def test_files_of_a_workspace(bricks: Bricks) -> None:
    from databricks.sdk.errors import NotFound, ResourceAlreadyExists

    path = put(bricks, "print(1)\n")
    assert bricks.client.workspace.download(path).read() == b"print(1)\n"
    assert path.removeprefix("/Workspace") in [each.path for each in bricks.client.workspace.list(FOLDER)]
    with pytest.raises(ResourceAlreadyExists):
        bricks.client.workspace.upload(path, b"print(2)\n")
    bricks.client.workspace.delete(path)
    with pytest.raises(NotFound):
        bricks.client.workspace.get_status(path)


@pytest.mark.parametrize(
    ("properties", "sku", "said"),
    [
        ({"managedResourceGroupId": "rg"}, "premium", "must be the id of a resource group"),
        ({"managedResourceGroupId": f"{SUBSCRIPTION}/resourceGroups/x"}, "gold", "sku.name must be one of"),
        (
            {"managedResourceGroupId": f"{SUBSCRIPTION}/resourceGroups/{GROUP}"},
            "premium",
            f"'{SUBSCRIPTION}/resourceGroups/{GROUP}' already exists",
        ),
    ],
)
def test_workspace_is_refused(azureml_workspace: Workspace, properties: Json, sku: str, said: str) -> None:
    path = events.provider(azureml_workspace, "Microsoft.Databricks/workspaces/refused")
    body = {"location": "westeurope", "sku": {"name": sku}, "properties": properties}
    answer = azureml_workspace.azure.arm("PUT", path, body, VERSION)
    assert said in answer.json()["error"]["message"]


def test_data_factory_runs_a_job_as_its_identity_and_fails_with_the_job(bricks: Bricks) -> None:
    azure, version = bricks.workspace.azure, "2018-06-01"
    path = events.provider(bricks.workspace, f"Microsoft.DataFactory/factories/adf-{uuid.uuid4().hex[:8]}")
    made = azure.put(path, {"location": "westeurope", "identity": {"type": "SystemAssigned"}}, version)
    link = {"domain": f"https://{bricks.host}", "authentication": "MSI", "workspaceResourceId": bricks.id}
    azure.put(f"{path}/linkedservices/bricks", {"properties": linked(link)}, version)
    work = {
        "name": "Prepare",
        "type": "DatabricksJob",
        "linkedServiceName": {"referenceName": "bricks", "type": "LinkedServiceReference"},
        "typeProperties": {"jobId": str(job(bricks, put(bricks, "raise ValueError('no flights')\n")))},
    }
    azure.put(f"{path}/pipelines/prepare", {"properties": {"activities": [work]}}, version)

    def message() -> str:
        run = azure.arm("POST", f"{path}/pipelines/prepare/createRun", {}, version).json()["runId"]
        events.until(lambda: azure.arm("GET", f"{path}/pipelineruns/{run}", version=version).json()["runEnd"])
        return str(azure.arm("GET", f"{path}/pipelineruns/{run}", version=version).json()["message"])

    assert "is not a user of the workspace" in message()
    azure.assign("Contributor", bricks.id, made["identity"]["principalId"])
    assert "Databricks execution failed with error state: FAILED, error message: Task prepare failed" in message()
    refused = azure.arm("DELETE", f"{path}/linkedservices/bricks", version=version).json()["error"]["message"]
    assert refused == "The document cannot be deleted since it is referenced by prepare."
    azure.remove(path, version)


def linked(given: Json) -> Json:
    return {"type": "AzureDatabricks", "typeProperties": given}


def output_of(bricks: Bricks, source: str, *, name: str = "") -> tuple[str, Json]:
    """Run a file that uses the lake, and return the result and the output."""
    path = put(bricks, f"LAKE = '{bricks.lake}/flights/raw'\n{source}", name)
    run = bricks.client.jobs.run_now(job(bricks, path)).result()
    output = bricks.client.jobs.get_run_output(run.run_id)
    return run.state.result_state.value, output.as_dict()


LAKE_FOLDER = "import os\nlake = next(folder for folder, _, names in os.walk('lake') if 'flights.csv' in names)\n"


@pytest.mark.attack
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("open('lake/stray', 'w').close()", "'stray' is no file of a container."),
        (f"{LAKE_FOLDER}open(lake.encode() + b'/\\xff', 'w').close()", "is no file of a container."),
        (f"{LAKE_FOLDER}os.symlink('/etc/passwd', lake + '/link')", "a link leads out of it"),
        (f"{LAKE_FOLDER}os.rename(lake, 'moved')\nos.symlink('/etc', lake)", "a link leads out of it"),
        (f"{LAKE_FOLDER}open(lake + '/holes', 'w').truncate(1 << 43)", "Nothing of it was uploaded."),
    ],
    ids=["outside", "name", "link", "folder", "holes"],
)
def test_what_a_task_leaves_in_the_lake_fails_it(bricks: Bricks, source: str, said: str) -> None:
    result, output = output_of(bricks, source)
    assert (result, said in output["error"]) == ("FAILED", True), output
    assert [blob.name for blob in bricks.container.list_blobs("flights/raw/")] == ["flights/raw/flights.csv"]


@pytest.mark.attack
def test_a_file_may_have_the_name_of_the_lakes_folder(bricks: Bricks) -> None:
    assert output_of(bricks, "print('hello')", name="lake.py")[0] == "SUCCESS"


@pytest.mark.attack
def test_a_task_that_prints_without_end_keeps_the_end_of_its_log(bricks: Bricks) -> None:
    """One line of 8 MB, then as many beginnings of a traceback as a pattern would read again for each of them."""
    line = "print(' Traceback (most recent call last):')"
    flood = f"print('x' * (8 << 20))\nfor _ in range(300_000):\n {line}\nraise ValueError"
    result, output = output_of(bricks, flood)
    assert (result, output["error"], output["logs_truncated"]) == ("FAILED", "ValueError", True)
    assert len(output["logs"]) <= 5 << 20
    shown = bricks.client.api_client.do("GET", "/api/2.2/jobs/runs/list")
    assert "Traceback" not in str(shown)


@pytest.mark.attack
def test_a_deleted_workspace_ends_its_runs(azureml_workspace: Workspace) -> None:
    """Whoever creates a workspace of the same name gets nothing of them."""
    azure, name = azureml_workspace.azure, f"dbw-{uuid.uuid4().hex[:8]}"
    path = f"{azureml_workspace.layout.group_id}/providers/Microsoft.Databricks/workspaces/{name}"
    managed = f"{SUBSCRIPTION}/resourceGroups/rg-{name}-managed"
    properties = {"managedResourceGroupId": managed, "computeMode": "Hybrid"}
    body = {"location": "westeurope", "sku": {"name": "premium"}, "properties": properties}
    task = {"task_key": "t", "spark_python_task": {"python_file": "/Workspace/Shared/wait.py"}, "new_cluster": CLUSTER}
    token = azure.credential.get_token("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default").token

    def ask(method: str, what: str, given: Json | None = None) -> Json:
        host = azure.arm("GET", path, version=VERSION).json()["properties"]["workspaceUrl"]
        answer = azure.session.request(
            method, f"https://{host}/api/{what}", json=given, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    azure.put(path, body, VERSION)
    source = base64.b64encode(b"import time\ntime.sleep(600)\n").decode()
    ask("POST", "2.0/workspace/mkdirs", {"path": "/Workspace/Shared"})
    ask("POST", "2.0/workspace/import", {"path": "/Workspace/Shared/wait.py", "format": "AUTO", "content": source})
    ask("POST", "2.2/jobs/runs/submit", {"run_name": f"run-of-{name}", "tasks": [task]})

    def runs() -> bool:
        return any(f"run-of-{name}" in (each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))

    events.until(runs)
    azure.remove(path, VERSION)
    assert not runs()
    azure.put(path, body, VERSION)
    assert ask("GET", "2.2/jobs/runs/list")["runs"] == []
    azure.remove(path, VERSION)
