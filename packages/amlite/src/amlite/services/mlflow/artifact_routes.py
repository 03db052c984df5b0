"""The artifact service: where azureml-mlflow uploads, lists and downloads what runs and models keep.

Bytes travel straight to and from blob storage by signed addresses.
"""

from __future__ import annotations

import datetime as dt

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import Call, Routes, reply
from amlite.services.machinelearning.addresses import (
    DATA_AUDIENCES,
    DATA_HOST,
    READ_RUNS,
    WORKSPACE,
    WRITE_RUNS,
    workspace_of,
)
from amlite.services.mlflow import artifacts, tracking
from amlite.services.storage import blobs, delegation

routes = Routes(DATA_HOST, audiences=DATA_AUDIENCES)
_RUN_ARTIFACTS = tuple(
    f"/history/v1.0{WORKSPACE}/{by}/{{experiment}}/runs/{{run}}/artifacts" for by in ("experiments", "experimentids")
)
_ARTIFACTS = f"/artifact/v2.0{WORKSPACE}/artifacts/{{origin}}/{{container}}"
_LIFETIME = dt.timedelta(hours=8)


@routes.post(f"{_ARTIFACTS}/batch/metadata", action=WRITE_RUNS)
async def create(call: Call) -> web.Response:
    """Answer with an address to write each artifact to."""
    return await _create(call, call.parameters["origin"], call.parameters["container"])


@routes.get(f"{_ARTIFACTS}/contentinfo", action=READ_RUNS)
async def content(call: Call) -> web.Response:
    """Answer with an address to read an artifact from."""
    return await _content(call, call.parameters["origin"], call.parameters["container"])


@routes.get(_ARTIFACTS, action=READ_RUNS)
async def listing(call: Call) -> web.Response:
    """List a container's artifacts."""
    return await _list(call, call.parameters["origin"], call.parameters["container"])


def _of_runs(base: str) -> None:
    """Serve a run's artifacts below run history too, where its experiment is named or numbered."""

    @routes.post(f"{base}/batch/metadata", action=WRITE_RUNS)
    async def create_in_run(call: Call) -> web.Response:
        return await _create(call, artifacts.RUNS, _container(call))

    @routes.get(f"{base}/contentinfo", action=READ_RUNS)
    async def content_of_run(call: Call) -> web.Response:
        return await _content(call, artifacts.RUNS, _container(call))

    @routes.get(base, action=READ_RUNS)
    async def list_of_run(call: Call) -> web.Response:
        return await _list(call, artifacts.RUNS, _container(call))


for _base in _RUN_ARTIFACTS:
    _of_runs(_base)


def _container(call: Call) -> str:
    run = call.parameters["run"]
    if tracking.experiment_of(call.platform, workspace_of(call).body, run) is None:
        raise AzureError(404, "UserError", f"Run '{run}' was not found.")
    return f"dcid.{run}"


async def _create(call: Call, origin: str, container: str) -> web.Response:
    base, _ = artifacts.place(call.platform, workspace_of(call).body, origin, container)
    paths = [str(entry["path"]) for entry in (await call.json()).get("paths") or []]
    for path in paths:
        if path.startswith("/") or ".." in path.split("/"):
            raise AzureError(400, "UserError", f"The artifact path '{path}' is invalid.")
    made, contents = {}, {}
    for path in paths:
        identity = {"origin": origin, "container": container, "path": path}
        made[path] = {"artifactId": f"{origin}/{container}/{path}", **identity}
        address = delegation.url(call.platform, base / path, "rcw", _LIFETIME)
        contents[path] = {"contentUri": address, **identity}
    return reply({"artifacts": made, "artifactContentInformation": contents, "errors": {}})


async def _content(call: Call, origin: str, container: str) -> web.Response:
    base, root = artifacts.place(call.platform, workspace_of(call).body, origin, container)
    path = call.query.get("path", "")
    inside = path.removeprefix(root).lstrip("/")
    blob = base / inside if inside else base
    if not await blobs.exists(call.platform, blob):
        raise AzureError(404, "UserError", f"The artifact '{path}' was not found in '{origin}/{container}'.")
    identity = {"origin": origin, "container": container, "path": path}
    return reply({"contentUri": delegation.url(call.platform, blob, "r", _LIFETIME), **identity})


async def _list(call: Call, origin: str, container: str) -> web.Response:
    base, root = artifacts.place(call.platform, workspace_of(call).body, origin, container)
    found = []
    for name in await blobs.names(call.platform, base):
        inside = name[len(base.path.rstrip("/")) :].lstrip("/")
        path = "/".join(part for part in (root, inside) if part)
        identity = {"origin": origin, "container": container, "path": path}
        found.append({"artifactId": f"{origin}/{container}/{path}", **identity})
    return reply({"value": found, "continuationToken": None, "nextLink": None})
