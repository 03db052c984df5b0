"""Imports of data (`import_data`): inside a schedule or in a file of their own, and what a preview refuses.

Source: Microsoft's pages "CLI (v2) schedule YAML schema for data import" and "Import data assets".
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import CatalogueErrors, Folders

PATH, FILE = "pipelines/schedules/import.yml", "imports/sales.yml"
CRON = {"type": "cron", "expression": "0 6 * * *"}
Json = dict[str, Any]


def data(**more: Any) -> Json:
    source = {"type": "database", "query": "select * from sales", "connection": "azureml:warehouse"}
    given = {
        "type": "mltable",
        "name": "sales",
        "path": "azureml://datastores/workspaceblobstore/paths/sales/${{name}}",
    }
    return {key: value for key, value in {**given, "source": source, **more}.items() if value is not None}


def write(project: Project, import_data: Any, path: str = PATH) -> None:
    project.write(path, yaml.safe_dump({"name": "sales-daily", "trigger": CRON, "import_data": import_data}))


def problems(project: Project) -> str:
    with pytest.raises(CatalogueErrors) as caught:
        project.load(check_with_azure=True)
    return str(caught.value)


def test_an_import_in_a_file_is_a_part_of_the_schedule(project: Project) -> None:
    """A change of the file changes the schedule, and texts of the file stay text."""
    write(project, "../../imports/sales.yml")
    project.write(FILE, yaml.safe_dump({"$schema": "https://azuremlschemas/data.import.json", **data()}))
    inside = project.load(check_with_azure=True)["schedule", "sales-daily"]
    write(project, data())
    assert inside.definition["import_data"] == data()
    assert project.load()["schedule", "sales-daily"].content_hash == inside.content_hash
    write(project, "../../imports/sales.yml")
    project.write(FILE, yaml.safe_dump(data()) + "tags:\n  git_sha: 0123456\n")
    plan = project.load(check_with_azure=True)
    changed = plan["schedule", "sales-daily"]
    assert changed.content_hash != inside.content_hash
    assert changed.definition["import_data"]["tags"] == {"git_sha": "0123456"}
    assert [(each.file, each.line) for each in plan.warnings] == [(FILE, 9)]


def test_a_schedule_that_imports_is_found_in_any_layout(project: Project) -> None:
    """The file of its import is not left to `az ml`, whichever is found first."""
    write(project, "../imports/sales.yml", "anywhere/sales.yml")
    schema = "https://azuremlschemas.azureedge.net/latest/dataImport.schema.json"
    project.write(FILE, yaml.safe_dump({"$schema": schema, **data()}))
    plan = project.load(folders=Folders(files=("anywhere/**", "imports/**")))
    assert plan["schedule", "sales-daily"].definition["import_data"] == data()
    assert FILE not in {each.path for each in plan.left}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": None}, "'import_data' has no 'path'"),
        ({"path": "./sales"}, "the path of the import cannot be './sales'"),
        ({"source": None}, "'import_data' has no 'source'"),
        ({"type": "uri_folder"}, "makes data of type 'mltable', not 'uri_folder'"),
        ({"source": {"type": "database", "query": "q", "connection": "warehouse"}}, "'warehouse' is not a connection"),
        ({"source": {"type": "database", "connection": "azureml:warehouse"}}, "the source has no 'query'"),
        ({"source": {"type": "database", "query": "q"}}, "'import_data.source' has no 'connection'"),
        (
            {"source": {"type": "database", "query": "q", "connection": "azureml:warehouse", "table_name": "t"}},
            "azure-ai-ml does not send 'table_name'",
        ),
        ({"source": {"type": "file_system", "connection": "azureml:bucket"}, "type": None}, "the source has no 'path'"),
        ({"sourcee": 1}, "unknown key 'sourcee'"),
    ],
)
def test_a_wrong_import_is_refused_where_it_is_written(project: Project, change: Json, said: str) -> None:
    write(project, data(**change))
    inside = problems(project)
    assert said in inside
    assert PATH in inside
    write(project, "../../imports/sales.yml")
    project.write(FILE, yaml.safe_dump(data(**change)))
    assert said in problems(project)


def test_a_problem_in_the_file_of_an_import_names_this_file(project: Project) -> None:
    write(project, "../../imports/sales.yml")
    project.write(FILE, yaml.safe_dump(data(path="./sales")))
    line = yaml.safe_dump(data(path="./sales")).splitlines().index("path: ./sales") + 1
    assert f"{FILE}:{line}" in problems(project)


@pytest.mark.parametrize("given", ["../../imports/none.yml", "azureml:sales:1", None])
def test_an_import_that_is_not_there_is_refused(project: Project, given: str | None) -> None:
    write(project, given)
    assert "'import_data' " in problems(project)
