"""The MLflow server as a child process. Each workspace that uses it has its own process and its own database."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import os
import shutil
import sqlite3
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child, tail
from amlite.core.runtime import cache_folder
from amlite.core.wire import Json

DEFAULT_EXPERIMENT = "Default"
_START_SECONDS = 180.0


@dataclass
class _Template:
    """The lock under which the template is made."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def database(platform: Platform, workspace: Json) -> Path | None:
    """Return the database of a workspace's runs, or None if the template of all databases does not exist yet."""
    path = platform.state / "mlflow" / f"{workspace['properties']['workspaceId']}.db"
    if path.exists():
        return path
    template = _template()
    if not template.exists():
        return None
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    shutil.copyfile(template, beside)
    beside.rename(path)
    return path


async def ensure(platform: Platform, workspace: Json) -> Child:
    """Return a workspace's running MLflow server. Raises StartError."""
    async with platform.part(_Template).lock:
        if not _template().exists():
            await _make_template(platform)
    path = database(platform, workspace)
    if path is not None and not platform.children.is_running(_child(workspace)):
        _check(path, workspace["name"])
    return await platform.children.ensure_at_socket(
        _child(workspace),
        lambda socket: [
            sys.executable, "-P", "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--uds", socket, "--workers", "1",
        ],
        ready=_answers,
        environment={
            **_environment(),
            # `mlflow server` passes these variables to the process that it starts. Starting it directly saves
            # a process and half of the time and memory.
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{path}",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": runs_uri(workspace, DEFAULT_EXPERIMENT),
            "_MLFLOW_SGI_NAME": "uvicorn",
        },
        timeout=_START_SECONDS,
    )  # fmt: skip


def _check(path: Path, workspace: str) -> None:
    """Raise StartError for a database that cannot be read: MLflow would end, or answer each request with an error."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM experiments").fetchone()
    except sqlite3.DatabaseError as error:
        raise StartError(
            f"the runs of workspace '{workspace}' cannot be read ({error}). Put a backup of {path} there, or delete "
            "it: then the workspace has no runs"
        ) from error


async def remove(platform: Platform, workspace: Json) -> None:
    """Stop a workspace's server and delete its runs."""
    await platform.children.stop(_child(workspace))
    path = database(platform, workspace)
    if path is not None:
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()


def _child(workspace: Json) -> str:
    return f"mlflow-{workspace['name']}-{workspace['properties']['workspaceId'][:8]}"


def runs_uri(workspace: Json, experiment: str) -> str:
    """Return the address at which azureml-mlflow looks for the artifacts of an experiment's runs."""
    base = str(workspace["properties"]["mlFlowTrackingUri"]).replace("/mlflow/v1.0/", "/mlflow/v2.0/")
    return f"{base}/experiments/{experiment}/runs"


async def _make_template(platform: Platform) -> None:
    """Make the empty database that each workspace gets a copy of. MLflow's many migrations take a dozen seconds."""
    template = _template()
    template.parent.mkdir(parents=True, exist_ok=True)
    beside = template.with_name(f"{template.name}.{uuid.uuid4().hex[:8]}")
    command = [sys.executable, "-P", "-m", "mlflow", "db", "upgrade", f"sqlite:///{beside}"]
    child = await platform.children.spawn("mlflow-schema", command, environment=_environment())
    code = await child.process.wait()
    if code != 0:
        raise StartError(f"MLflow's database cannot be created (exit code {code}); log {child.log}:\n{tail(child.log)}")
    with sqlite3.connect(beside) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    beside.replace(template)


def _template() -> Path:
    return cache_folder() / "mlflow" / f"{importlib.metadata.version('mlflow')}.db"


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("MLFLOW_")}
    # By default, the server also starts eight processes for MLflow's evaluation jobs, which Azure ML does not have.
    return {**inherited, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


async def _answers(child: Child) -> bool:
    try:
        async with child.http.get(child.url("/health")) as answer:
            return answer.status == 200
    except OSError:
        return False
