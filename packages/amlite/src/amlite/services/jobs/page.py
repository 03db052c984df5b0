"""A job as one page of HTML: what the studio shows of it. It has no script, and loads nothing.

`amlite open` fetches the page with amlite's own token and shows it as a file. The links of jobs lead to the studio's
host, where a browser has no token, so that address says only how to open the page.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from aiohttp import web

from amlite.control.table import ACTION, control_routes
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.routing import Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.jobs import documents, reuse
from amlite.services.jobs.documents import JOB_TYPE, Job
from amlite.services.machinelearning import references
from amlite.services.mlflow import tracking
from amlite.services.mlflow.artifacts import RUN_PREFIX, RUNS
from amlite.services.storage import blobs
from amlite.services.storage.blobs import BlobPath

STUDIO_HOST = "ml.azure.com"
own_routes = control_routes()
studio_routes = Routes(STUDIO_HOST, audiences=None)
_LOG_FOLDERS = ("user_logs/", "azureml-logs/", "logs/")
_IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
_MOST_TEXT, _MOST_IMAGE, _MOST_FILES = 20_000, 2_000_000, 200
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
td, th {{ border-bottom: 1px solid #ddd; padding: .2rem 1rem .2rem 0; text-align: left; }}
pre {{ background: #f5f5f5; overflow-x: auto; padding: 1rem; }} img {{ max-width: 100%; }}
</style></head><body><h1>{title}</h1>
"""


@studio_routes.get("/runs/{run}")
async def say_how_to_open(call: Call) -> web.Response:
    """Say how to open the page of a job. Whether there is such a job, the answer does not tell."""
    title, name = "A job on the local Azure", html.escape(call.parameters["run"])
    body = f"{_HEAD.format(title=title)}<p>To see the job, run <code>amlite open {name}</code>.</p></body></html>"
    return web.Response(text=body, content_type="text/html")


@own_routes.get("/jobs/{job}/page", action=ACTION)
async def get_page(call: Call) -> web.Response:
    """Return the page of a job by its name, or of another run of MLflow by its id."""
    name = call.parameters["job"]
    for document in call.platform.store.of_type(JOB_TYPE):
        if document.body["name"] == name:
            return reply({"name": name, "html": await render(call.platform, Job(document.id, document.body))})
    for document in call.platform.store.of_type(references.WORKSPACE_TYPE):
        experiment = tracking.experiment_of(call.platform, document.body, name)
        if experiment is not None:
            return reply({"name": name, "html": await _run(call.platform, document.body, name, experiment)})
    raise AzureError(404, "UserError", f"There is no job or run '{name}'. `amlite status` lists the jobs.")


async def render(platform: Platform, job: Job) -> str:
    """Return the page of a job and its steps."""
    title = html.escape(str(job.properties.get("displayName") or job.name))
    parts = [_HEAD.format(title=title)]
    for each in (job, *documents.descendants(platform, job)):
        parts += await _section(platform, each, is_step=each is not job)
    return "".join([*parts, "</body></html>"])


async def _run(platform: Platform, workspace: Json, id: str, experiment: str) -> str:
    """Return the page of a run that is no job: a program of the user's own started it."""
    metrics, parameters, tags = tracking.logged(platform, workspace, id)
    title = tags.get("mlflow.runName", id)
    about = {"run": id, "experiment": experiment, "workspace": workspace["name"]}
    base = f"azureml://datastores/workspaceartifactstore/paths/{RUNS}/{RUN_PREFIX}{id}"
    parts = [
        _HEAD.format(title=html.escape(title)),
        _table(about),
        *_tables({"Metrics": metrics, "Parameters": parameters}),
        *await _files(platform, references.location(platform, workspace["id"], base)),
    ]
    return "".join([*parts, "</body></html>"])


async def _section(platform: Platform, job: Job, *, is_step: bool) -> list[str]:
    workspace = references.workspace(platform, job.workspace_id).body
    source = reuse.source(job)
    metrics, parameters, _ = tracking.logged(platform, workspace, source)
    about = {
        "name": job.name,
        "type": job.properties["jobType"],
        "status": job.status,
        "created": job.run.get("created"),
        "started": job.run.get("started"),
        "ended": job.run.get("ended"),
        "experiment": job.properties.get("experimentName"),
        "workspace": workspace["name"],
        "command": job.properties.get("command"),
        "results of": source if source != job.name else None,
        "error": (job.run.get("error") or {}).get("message"),
    }
    inputs = {name: _value(given) for name, given in (job.properties.get("inputs") or {}).items()}
    outputs = {name: _value(given) for name, given in (job.properties.get("outputs") or {}).items()}
    heading = f"<h2>Step {html.escape(str(job.run.get('node') or job.name))}</h2>" if is_step else ""
    tables: dict[str, Mapping[str, Any]] = {
        "Metrics": metrics,
        "Parameters": parameters,
        "Inputs": inputs,
        "Outputs": outputs,
    }
    base = references.location(platform, job.workspace_id, f"azureml://jobs/{source}/outputs/artifacts")
    return [
        heading,
        _table({name: value for name, value in about.items() if value}),
        *_tables(tables),
        *await _files(platform, base),
    ]


async def _files(platform: Platform, base: BlobPath) -> list[str]:
    """Return the artifacts of a run: logs as text, images as images, and the names of all others."""
    lengths = {each.name[len(base.path) :].lstrip("/"): each.length for each in await blobs.files(platform, base)}
    found = sorted(lengths)[:_MOST_FILES]
    parts = (
        [f"<h3>Artifacts</h3><ul>{''.join(f'<li>{html.escape(name)}</li>' for name in found)}</ul>"] if found else []
    )
    for name in found:
        kind = _IMAGES.get(PurePosixPath(name).suffix.lower())
        if kind is None and not name.startswith(_LOG_FOLDERS):
            continue
        limit = _MOST_TEXT if kind is None else _MOST_IMAGE
        content = await blobs.read(platform, base / name, most=limit, end=True)
        parts.append(f"<h3>{html.escape(name)}</h3>")
        if kind is None:
            text = content.decode("utf-8", "replace")
            cut = f"… {lengths[name] - limit} bytes before\n" if lengths[name] > limit else ""
            parts.append(f"<pre>{html.escape(cut + text)}</pre>")
        elif lengths[name] <= limit:
            data = base64.b64encode(content).decode()
            parts.append(f'<img alt="{html.escape(name)}" src="data:{kind};base64,{data}">')
    return parts


def _tables(given: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [f"<h3>{name}</h3>{_table(rows)}" for name, rows in given.items() if rows]


def _value(given: Any) -> Any:
    return given.get("uri", given.get("value", given.get("path"))) if isinstance(given, Mapping) else given


def _table(rows: Mapping[str, Any]) -> str:
    lines: Iterable[str] = (
        f"<tr><th>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"
