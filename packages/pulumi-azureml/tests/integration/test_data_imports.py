"""A schedule that imports data as a managed resource, with the real client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from azureml_fixtures.asset_project import Project
from pulumi_azureml.operations.kinds import OPERATIONS

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

KIND = OPERATIONS["schedule"]


def sales(query: str) -> dict[str, Any]:
    source = {"type": "database", "query": query, "connection": "azureml:warehouse"}
    path = "azureml://datastores/workspaceblobstore/paths/sales"
    return {"type": "mltable", "name": "sales", "path": path, "source": source, "tags": {"sha": "0123456"}}


def test_import_is_registered_changed_observed_and_removed(project: Project, ml_client: MLClient) -> None:
    path, name = "pipelines/schedules/daily.yml", f"daily-{project.tag}"
    trigger = {"type": "cron", "expression": "0 5 * * *", "time_zone": "UTC"}
    project.write(path, {"name": name, "trigger": trigger, "import_data": "../../imports/sales.yml"})
    project.write("imports/sales.yml", sales("select 1"))
    props = project.props("schedule")
    assert KIND.upsert(ml_client, props)["resource_id"].endswith(f"/schedules/{name}")
    assert KIND.observe(ml_client, props) == props
    project.write("imports/sales.yml", sales("select 2"))
    changed = project.props("schedule")
    assert changed["content_hash"] != props["content_hash"]
    KIND.upsert(ml_client, changed)
    found: Any = ml_client.schedules.get(name)
    assert (found.import_data.source.query, found.import_data.tags) == ("select 2", {"sha": "0123456"})
    KIND.remove(ml_client, changed)  # it is enabled, and Azure deletes disabled schedules only
    with pytest.raises(ResourceNotFoundError):
        ml_client.schedules.get(name)
