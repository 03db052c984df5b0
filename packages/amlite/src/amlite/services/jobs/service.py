"""The service of jobs and their run history."""

from __future__ import annotations

from amlite.core.platform import Platform
from amlite.core.service import Service
from amlite.core.wire import Json
from amlite.services.jobs import cluster, documents, execution, history_routes, page, routes, submission
from amlite.services.machinelearning.references import WORKSPACE_TYPE


def _status(platform: Platform) -> Json:
    jobs = (documents.Job(document.id, document.body) for document in platform.store.of_type(documents.JOB_TYPE))
    return {"jobs": [{"name": job.name, "status": job.status, "runner": job.run.get("runner")} for job in jobs]}


SERVICE = Service(
    routes=[routes.routes, history_routes.routes, page.own_routes, page.studio_routes],
    works={
        submission.RUN: execution.run,
        execution.CANCELED: execution.wait_until_ended,
        execution.DELETE: execution.delete,
    },
    deleting={WORKSPACE_TYPE: execution.forget},
    start=cluster.release_all,
    status=_status,
)
