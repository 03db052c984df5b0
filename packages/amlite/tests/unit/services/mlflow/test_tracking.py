"""Runs that start before the MLflow server of their workspace does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.services.mlflow import server, tracking

WORKSPACE = {
    "id": "/w",
    "name": "w",
    "properties": {"workspaceId": "w-1", "mlFlowTrackingUri": "azureml://westeurope.api.azureml.ms/mlflow/v1.0/w"},
}
_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name, artifact_location, lifecycle_stage, creation_time,
  last_update_time);
CREATE TABLE runs (run_uuid PRIMARY KEY, name, source_type, source_name, entry_point_name, user_id, status, start_time,
  end_time, source_version, lifecycle_stage, artifact_uri, experiment_id);
CREATE TABLE tags (key, value, run_uuid, PRIMARY KEY (key, run_uuid));
"""


async def test_run_that_ends_while_the_server_starts_keeps_its_end(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template.db"
    monkeypatch.setattr(server, "_template", lambda: template)
    tracking.start_run(platform, WORKSPACE, tracking.Run("r", "run", "me", "e", "r", None))
    with sqlite3.connect(template) as made:  # the server's first start makes it, seconds before the server answers
        made.executescript(_TABLES)
    tracking.set_tags(platform, WORKSPACE, "r", {"breached": "drift"})
    tracking.end_run(platform, WORKSPACE, "r", "Completed")

    async def started(*_: object) -> None:
        return

    monkeypatch.setattr(server, "ensure", started)
    await tracking.running(platform, WORKSPACE)
    path = server.database(platform, WORKSPACE)
    assert path is not None
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)]
    assert tracking.tags(platform, WORKSPACE, ["r"]) == {"r": {"breached": "drift"}}


@pytest.mark.attack
@pytest.mark.parametrize("content", [b"", b"no database"])
async def test_a_broken_database_is_one_clear_error(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    template = tmp_path / "template.db"
    template.write_bytes(content)
    monkeypatch.setattr(server, "_template", lambda: template)
    with pytest.raises(StartError, match=r"the runs of workspace 'w' cannot be read .* backup of .*w-1.db"):
        await server.ensure(platform, WORKSPACE)
