"""Datastores in the plan: who waits for them, and what is refused before anything is made."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning.assets import AssetId

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
    for kind, name in (("data", "raw"), ("model", "old"), ("pipeline_job", "training")):
        assert lake in plan[kind, name].depends_on, name
    assert lake not in plan["data", "days"].depends_on


@pytest.mark.parametrize(
    ("store", "known"),
    [("workspaceblobstore", []), ("WorkspaceFileStore", []), ("Theirs", ["theirs"]), ("theirs", None)],
)
def test_a_datastore_of_the_workspace_needs_no_file(project: Project, store: str, known: list[str] | None) -> None:
    project.write("ml/data/raw/data.yml", f"name: raw\npath: azureml://datastores/{store}/paths/days/\n")
    datastores = None if known is None else frozenset(known)
    assert project.load(datastores=datastores)["data", "raw"].depends_on == ()


def test_a_datastore_that_is_nowhere_is_reported_where_it_is_written(project: Project) -> None:
    project.write("ml/stores/lake/datastore.yml", STORE)
    project.write("ml/data/raw/data.yml", "name: raw\npath: azureml://datastores/lage/paths/days/\n")
    project.write("ml/model/model.yml", "name: old\npath: azureml://datastores/nothing_alike/paths/model.bin\n")
    project.edit("pipelines/training.yml", outputs={"model": {"path": "azureml://datastores/${{name}}/paths/m/"}})
    raw, old = project.problems(datastores=frozenset({"theirs"}))
    assert (raw.file, raw.line, raw.message) == ("ml/data/raw/data.yml", 2, "unknown datastore 'lage'")
    assert raw.fix.startswith("did you mean 'lake'? ")
    assert "add it to `datastores` in CatalogueSettings" in raw.fix
    assert (old.file, old.message) == ("ml/model/model.yml", "unknown datastore 'nothing_alike'")
    assert old.fix.startswith("add a `datastore.yml` for it. ")


def test_a_pipelines_default_datastore_is_one_too(project: Project) -> None:
    project.write("ml/stores/lake/datastore.yml", STORE)
    settings = {"default_compute": "azureml:cpu", "default_datastore": "azureml:lake"}
    project.edit("pipelines/training.yml", settings=settings)
    assert AssetId("datastore", "lake") in project.load(datastores=frozenset())["pipeline_job", "training"].depends_on
    project.edit("pipelines/training.yml", settings={**settings, "default_datastore": "azureml:lage"})
    problem = project.problem(datastores=frozenset())
    assert (problem.file, problem.message) == ("pipelines/training.yml", "unknown datastore 'lage'")


def test_credentials_are_refused_and_not_repeated(project: Project) -> None:
    project.write(
        "ml/stores/lake/datastore.yml", STORE + "credentials: {client_id: a, tenant_id: b, client_secret: Xq7}\n"
    )
    problem = project.problem()
    assert (problem.file, problem.line) == ("ml/stores/lake/datastore.yml", 5)
    assert problem.message == "'credentials' must not be in a repository (client_id, client_secret, tenant_id)"
    assert "Storage Blob Data Reader" in problem.fix
    assert "Xq7" not in str(problem)


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"),
    [
        ("name: lake", "name: WorkspaceBlobStore", "is a default datastore, which every workspace has", "another name"),
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
