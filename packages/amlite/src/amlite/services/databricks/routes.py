"""The REST API of a workspace: its files, its jobs and their runs, and its external locations."""

from __future__ import annotations

import base64

from aiohttp import web

from amlite.core import bodies
from amlite.core.routing import Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.databricks import catalog, definition, execution, files, jobs
from amlite.services.databricks.errors import DatabricksError, invalid
from amlite.services.databricks.workspaces import HOST, entered

routes = Routes(HOST, audiences=None, admit=entered, error=DatabricksError)
_MOST_BYTES = 10 << 20  # the size of a file that the workspace imports
_FILES = "/api/2.0/workspace"
_JOBS = "/api/{version}/jobs"
_CATALOG = "/api/2.1/unity-catalog"


@routes.route("*", "/{path:path}")
async def refuse(call: Call) -> web.Response:
    """Refuse what is not served."""
    raise DatabricksError(
        404, "ENDPOINT_NOT_FOUND", f"No API found for '{call.method} {call.path}' in this local Azure."
    )


@routes.post(f"{_FILES}/import")
async def import_file(call: Call) -> web.Response:
    """Store a file, sent as JSON or as a form."""
    if call.request.content_type.startswith("multipart/"):
        form = await bodies.multipart(call.request, _MOST_BYTES, call.error)
        sent = form.get("content", b"")
        data = sent if isinstance(sent, bytes) else sent.encode()
        given: Json = {name: value for name, value in form.items() if name != "content" and isinstance(value, str)}
        given |= {"content": base64.b64encode(data).decode(), "overwrite": str(form.get("overwrite")).lower() == "true"}
    else:
        given = await call.json(most=_MOST_BYTES * 2)  # in base64
    files.write(call.platform, entered(call)[0], given)
    return reply({})


@routes.post(f"{_FILES}/mkdirs")
async def make_folder(call: Call) -> web.Response:
    """Create a folder."""
    given = await call.json()
    files.make_folder(call.platform, entered(call)[0], given)
    return reply({})


@routes.post(f"{_FILES}/delete")
async def delete_file(call: Call) -> web.Response:
    """Delete a file or a folder."""
    given = await call.json()
    files.delete(call.platform, entered(call)[0], given)
    return reply({})


@routes.get(f"{_FILES}/get-status")
async def describe_file(call: Call) -> web.Response:
    """Describe a file or a folder."""
    return reply(files.shown(files.get(call.platform, entered(call)[0], call.query.get("path", ""))))


@routes.get(f"{_FILES}/list")
async def list_files(call: Call) -> web.Response:
    """List a folder."""
    found = files.below(call.platform, entered(call)[0], call.query.get("path", ""))
    return reply({"objects": [files.shown(each) for each in found]})


@routes.get(f"{_FILES}/export")
async def export_file(call: Call) -> web.Response:
    """Return the content of a file."""
    workspace = entered(call)[0]
    found = files.get(call.platform, workspace, call.query.get("path", ""))
    if found["object_type"] != "FILE":
        raise invalid("amlite exports files, not folders.")
    content = files.content(call.platform, workspace, found)
    if call.query.get("direct_download", "").lower() == "true":
        return web.Response(body=content, content_type="application/octet-stream")
    return reply({"content": base64.b64encode(content).decode(), "file_type": found["path"].rpartition(".")[2]})


@routes.post(f"{_JOBS}/create")
async def create_job(call: Call) -> web.Response:
    """Create a job."""
    given = await call.json()
    workspace, principal = entered(call)
    return reply({"job_id": jobs.create(call.platform, workspace, principal, given)})


@routes.post(f"{_JOBS}/reset")
async def reset_job(call: Call) -> web.Response:
    """Replace the settings of a job."""
    given = await call.json({"new_settings": "map:any"})
    jobs.change(call.platform, entered(call)[0], given.get("job_id"), given.get("new_settings", {}))
    return reply({})


@routes.post(f"{_JOBS}/update")
async def update_job(call: Call) -> web.Response:
    """Change settings of a job. Lists are replaced as a whole."""
    given = await call.json({"new_settings": "map:any", "fields_to_remove": "list:str"})
    workspace, _ = entered(call)
    old = jobs.get(call.platform, workspace, given.get("job_id"))["settings"]
    removed = set(given.get("fields_to_remove", []))
    kept = {name: value for name, value in old.items() if name not in removed}
    jobs.change(call.platform, workspace, given.get("job_id"), {**kept, **given.get("new_settings", {})})
    return reply({})


@routes.post(f"{_JOBS}/delete")
async def delete_job(call: Call) -> web.Response:
    """Delete a job."""
    given = await call.json()
    jobs.delete(call.platform, entered(call)[0], given.get("job_id"))
    return reply({})


@routes.get(f"{_JOBS}/get")
async def get_job(call: Call) -> web.Response:
    """Describe a job."""
    return reply(jobs.get(call.platform, entered(call)[0], call.query.get("job_id")))


@routes.get(f"{_JOBS}/list")
async def list_jobs(call: Call) -> web.Response:
    """List the jobs."""
    return reply({"jobs": jobs.every(call.platform, entered(call)[0], call.query.get("name")), "has_more": False})


@routes.post(f"{_JOBS}/run-now")
async def run_now(call: Call) -> web.Response:
    """Start a run of a job."""
    given = await call.json({"job_parameters": "map:str"})
    workspace, principal = entered(call)
    if wrong := sorted(given.keys() - {"idempotency_token", "job_id", "job_parameters", "queue"}):
        raise invalid(f"{wrong[0]} is not part of this local Azure; use job_parameters.")
    job = jobs.get(call.platform, workspace, given.get("job_id"))
    most = int(job["settings"].get("max_concurrent_runs") or 1)
    under_way = [
        run
        for run in jobs.runs_of(call.platform, workspace, job["job_id"])
        if run["state"]["life_cycle_state"] not in jobs.ENDED
    ]
    if len(under_way) >= most:
        raise DatabricksError(
            429,
            "RESOURCE_EXHAUSTED",
            f"The job has {len(under_way)} active runs, and its max_concurrent_runs is {most}.",
        )
    run = jobs.new_run(
        call.platform, workspace, principal, job["settings"], given.get("job_parameters") or {}, job["job_id"]
    )
    execution.begin(call.platform, workspace, run)
    return reply({"run_id": run["run_id"], "number_in_job": run["run_id"]})


@routes.post(f"{_JOBS}/runs/submit")
async def submit_run(call: Call) -> web.Response:
    """Start a run without a job."""
    given = await call.json()
    workspace, principal = entered(call)
    given.pop("idempotency_token", None)
    definition.check(given)
    run = jobs.new_run(call.platform, workspace, principal, given, {}, None)
    execution.begin(call.platform, workspace, run)
    return reply({"run_id": run["run_id"]})


@routes.get(f"{_JOBS}/runs/get")
async def get_run(call: Call) -> web.Response:
    """Describe a run."""
    return reply(jobs.shown(jobs.run_of(call.platform, entered(call)[0], call.query.get("run_id"))))


@routes.get(f"{_JOBS}/runs/list")
async def list_runs(call: Call) -> web.Response:
    """List the runs, newest first."""
    found = jobs.runs_of(call.platform, entered(call)[0], call.query.get("job_id"))
    return reply({"runs": [jobs.shown(run) for run in found], "has_more": False})


@routes.get(f"{_JOBS}/runs/get-output")
async def get_output(call: Call) -> web.Response:
    """Return the output of a task's run."""
    workspace, wanted = entered(call)[0], call.query.get("run_id")
    run = jobs.run_of(call.platform, workspace, wanted)
    found: list[Json] = [task for task in run["tasks"] if str(task["run_id"]) == wanted]
    if not found and len(run["tasks"]) > 1:
        raise invalid(
            "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each "
            "individual task run instead."
        )
    output = jobs.output_of(call.platform, workspace, (found or run["tasks"])[0])
    return reply({"metadata": jobs.shown(run), "logs_truncated": False, **output})


@routes.post(f"{_JOBS}/runs/cancel")
async def cancel_run(call: Call) -> web.Response:
    """Cancel a run."""
    given = await call.json()
    run = jobs.run_of(call.platform, entered(call)[0], given.get("run_id"))
    await execution.cancel(call.platform, run["run_id"])
    return reply({})


def _collection(kind: str, key: str) -> None:
    path = f"{_CATALOG}/{kind}"

    @routes.post(path)
    async def create(call: Call) -> web.Response:
        """Create a credential or location."""
        given = await call.json()
        return reply(catalog.create(call.platform, *entered(call), kind, given))

    @routes.get(path)
    async def every(call: Call) -> web.Response:
        """List the credentials or locations."""
        return reply({key: catalog.every(call.platform, entered(call)[0], kind)})

    @routes.get(f"{path}/{{name}}")
    async def get(call: Call) -> web.Response:
        """Describe a credential or location."""
        return reply(catalog.get(call.platform, entered(call)[0], kind, call.parameters["name"]))

    @routes.patch(f"{path}/{{name}}")
    async def change(call: Call) -> web.Response:
        """Change a credential or location."""
        given = await call.json()
        workspace, who = entered(call)
        old = catalog.get(call.platform, workspace, kind, call.parameters["name"])
        return reply(catalog.put(call.platform, workspace, who, kind, old, given))

    @routes.delete(f"{path}/{{name}}")
    async def delete(call: Call) -> web.Response:
        """Delete a credential or location."""
        catalog.delete(call.platform, entered(call)[0], kind, call.parameters["name"])
        return reply({})


_collection(catalog.CREDENTIAL, "storage_credentials")
_collection(catalog.LOCATION, "external_locations")
