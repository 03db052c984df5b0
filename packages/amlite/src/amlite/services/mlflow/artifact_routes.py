"""The artifact service: azureml-mlflow uploads, lists and downloads the files of runs and models here.

Clients read and write the bytes in blob storage itself, through signed URLs.
"""

from __future__ import annotations

import datetime as dt

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import Call, reply
from amlite.services.machinelearning.addresses import (
    READ_RUNS,
    WORKSPACE,
    WRITE_RUNS,
    data_routes,
    workspace_of,
)
from amlite.services.mlflow import artifacts, tracking
from amlite.services.storage import blobs, delegation

routes = data_routes()
# Run history has them too, below a run's experiment by name (`experiments`) or by number (`experimentids`).
_RUN_ARTIFACTS = f"/history/v1.0{WORKSPACE}/{{by}}/{{experiment}}/runs/{{run}}/artifacts"
_ARTIFACTS = f"/artifact/v2.0{WORKSPACE}/artifacts/{{origin}}/{{container}}"
_LIFETIME = dt.timedelta(hours=8)


@routes.post(f"{_ARTIFACTS}/batch/metadata", action=WRITE_RUNS)
@routes.post(f"{_RUN_ARTIFACTS}/batch/metadata", action=WRITE_RUNS)
async def create(call: Call) -> web.Response:
    """Return a URL to write each artifact to, and an error for each that exists, which nobody overwrites."""
    given = (await call.json({"paths": "list:map:str"})).get("paths", [])
    origin, container = _container(call)
    workspace = workspace_of(call).body
    artifacts.check_write(call.platform, workspace, origin, container, call.principal)
    base, _ = await artifacts.place(call.platform, workspace, origin, container, call.principal)
    paths = [entry["path"] for entry in given if "path" in entry]
    for path in paths:
        if path.startswith("/") or ".." in path.split("/"):
            raise AzureError(400, "UserError", f"The artifact path '{path}' is invalid.")
    made, contents, errors = {}, {}, {}
    for path in paths:
        if await blobs.exists(call.platform, base / path):
            told = f"Resource Conflict: ArtifactId {origin}/{container}/{path} already exists."
            errors[path] = {"error": {"code": "UserError", "message": told}}
            continue
        identity = {"origin": origin, "container": container, "path": path}
        made[path] = {"artifactId": f"{origin}/{container}/{path}", **identity}
        address = delegation.url(call.platform, base / path, "rcw", _LIFETIME)
        contents[path] = {"contentUri": address, **identity}
    return reply({"artifacts": made, "artifactContentInformation": contents, "errors": errors})


@routes.get(f"{_ARTIFACTS}/contentinfo", action=READ_RUNS)
@routes.get(f"{_RUN_ARTIFACTS}/contentinfo", action=READ_RUNS)
async def content(call: Call) -> web.Response:
    """Return a URL to read an artifact from."""
    origin, container = _container(call)
    workspace = workspace_of(call).body
    base, root = await artifacts.place(call.platform, workspace, origin, container, call.principal)
    path = call.query.get("path", "")
    inside = path.removeprefix(root).lstrip("/")
    blob = base / inside if inside else base
    if not await blobs.exists(call.platform, blob):
        raise AzureError(404, "UserError", f"The artifact '{path}' was not found in '{origin}/{container}'.")
    identity = {"origin": origin, "container": container, "path": path}
    return reply({"contentUri": delegation.url(call.platform, blob, "r", _LIFETIME), **identity})


@routes.get(_ARTIFACTS, action=READ_RUNS)
@routes.get(_RUN_ARTIFACTS, action=READ_RUNS)
async def listing(call: Call) -> web.Response:
    """List a container's artifacts."""
    origin, container = _container(call)
    workspace = workspace_of(call).body
    base, root = await artifacts.place(call.platform, workspace, origin, container, call.principal)
    found = []
    for name in await blobs.names(call.platform, base):
        inside = name[len(base.path.rstrip("/")) :].lstrip("/")
        path = "/".join(part for part in (root, inside) if part)
        identity = {"origin": origin, "container": container, "path": path}
        found.append({"artifactId": f"{origin}/{container}/{path}", **identity})
    return reply({"value": found, "continuationToken": None, "nextLink": None})


def _container(call: Call) -> tuple[str, str]:
    """Return the origin and container in a path, or those of its run."""
    run = call.parameters.get("run")
    if run is None:
        return call.parameters["origin"], call.parameters["container"]
    if tracking.experiment_of(call.platform, workspace_of(call).body, run) is None:
        raise AzureError(404, "UserError", f"Run '{run}' was not found.")
    return artifacts.RUNS, f"dcid.{run}"
