"""Datastores in the plan: who waits for them, and what is refused before anything is made."""

from __future__ import annotations

import pytest

from infra.catalogue.assets import AssetId
from tests.unit.infra.catalogue.project import Project

STORE = """
    name: lake
    type: azure_data_lake_gen2
    account_name: stlake
    filesystem: raw
    """


def test_what_reads_from_a_datastore_comes_after_it(project: Project) -> None:
    project.write("ml/stores/lake/datastore.yml", STORE)
    project.write("ml/data/raw/data.yml", "name: raw\ntype: uri_folder\npath: azureml://datastores/lake/paths/days/\n")
    project.write("ml/model/model.yml", "name: old\npath: azureml://datastores/lake/paths/model.bin\n")
    project.edit("pipelines/training.yml", outputs={"model": {"path": "azureml://datastores/lake/paths/models/"}})
    plan = project.load(check_with_azure=True)
    lake = AssetId("datastore", "lake")
    for kind, name in (("data", "raw"), ("model", "old"), ("pipeline", "training")):
        assert lake in plan[kind, name].depends_on, name
    assert lake not in plan["data", "days"].depends_on


def test_a_datastore_of_the_workspace_needs_no_file(project: Project) -> None:
    project.write("ml/data/raw/data.yml", "name: raw\npath: azureml://datastores/workspaceblobstore/paths/days/\n")
    assert project.load()["data", "raw"].depends_on == ()


def test_credentials_are_refused_and_not_repeated(project: Project) -> None:
    project.write(
        "ml/stores/lake/datastore.yml", STORE + "credentials: {client_id: a, tenant_id: b, client_secret: Xq7}\n"
    )
    problem = project.problem()
    assert (problem.file, problem.line) == ("ml/stores/lake/datastore.yml", 5)
    assert problem.message == "'credentials' do not belong into a repository (client_id, client_secret, tenant_id)"
    assert "Storage Blob Data Reader" in problem.fix
    assert "Xq7" not in str(problem)


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"),
    [
        ("name: lake", "name: WorkspaceBlobStore", "is a datastore that every workspace makes itself", "another name"),
        ("name: lake", "name: my lake", "'my lake' is not a valid datastore name", "use letters"),
        (
            "azure_data_lake_gen2",
            "azure_data_lake_gen1",
            "unknown datastore type",
            "did you mean 'azure_data_lake_gen2'?",
        ),
        ("filesystem: raw", "container_name: raw", "'filesystem' is missing", "add `filesystem:`"),
    ],
)
def test_what_is_wrong_has_one_message_and_a_fix(project: Project, old: str, new: str, message: str, fix: str) -> None:
    project.write("ml/stores/lake/datastore.yml", STORE)
    project.replace("ml/stores/lake/datastore.yml", old, new)
    problem = project.problems()[0]
    assert message in problem.message
    assert fix in problem.fix
