"""Pipeline jobs: submitted once for each content, and awaited."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import jobs, ownership
from pulumi_azureml.operations.arm import send
from pulumi_azureml.operations.connection import Workspace
from pulumi_azureml.operations.errors import AWAIT_LONGER, AssetError
from pulumi_azureml.operations.kind import Operations, Props, found
from pulumi_azureml.operations.retry import finished
from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning.kinds import pipeline_job
from pulumi_azureml.planning.project import project_root

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)
# The API version whose PUT changes a pipeline job's metadata, the one azure-ai-ml uses.
_API_VERSION = "2024-01-01-preview"
_LOST = frozenset({"Failed", "Canceled", "NotResponding"})
_MINUTES = 60


class PipelineJobOperations(Operations):
    """A pipeline run. The resource exists once the run has ended.

    Further input: `timeout_minutes`. A job's name is the pipeline's name and its content hash, plus a
    number from the second attempt on: `training-0123456789ab-2`.
    """

    planned = pipeline_job.KIND
    options = (*Operations.options, "timeout_minutes")
    outputs = ("resource_id", "job", "status", "studio_url", "metrics", "outputs", "model")

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Submit the job unless one exists for this content, and wait for its end."""
        number, last = self._last(props)
        if last is not None:
            what = f"job '{last['name']}'"
            ownership.check(what, last["properties"].get("tags"), props["owner"], adopt=props["adopt"])
        if last is None or last["properties"]["status"] in _LOST:
            name = self._submit(ml, props, number + 1)
        else:
            name = last["name"]
            self._put(last, self._metadata(props))
        return self._completed(ml, props, name)

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read the job back. Its results never change: only its metadata can differ."""
        _, last = self._last(props)
        if last is None or last["properties"].get("isArchived"):
            return None
        properties = last["properties"]
        there = SimpleNamespace(
            description=properties.get("description"),
            display_name=properties.get("displayName"),
            tags=properties.get("tags"),
        )
        return {**props, "metadata": ownership.observed(there, props["metadata"])}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Cancel running jobs and archive every job of this pipeline that this stack submitted. Delete none."""
        _, current = self._last(props)
        names = {current["name"]} if current is not None else set()
        pattern = re.compile(rf"{re.escape(_base(props['name']))}-[0-9a-f]{{12}}(-\d+)?")
        mine = (each for each in ml.jobs.list() if each is not None and pattern.fullmatch(each.name))
        names |= {each.name for each in mine if ownership.is_ours(each.tags, props["owner"])}
        for name in sorted(names):
            there = self._get(props, name)
            if there is None or ownership.is_foreign(there["properties"].get("tags"), props["owner"]):
                continue
            if there["properties"]["status"] not in jobs.ENDED:
                finished(ml.jobs.begin_cancel(name), f"job '{name}'")
            self._put(self._get(props, name) or there, {"isArchived": True})

    def _submit(self, ml: MLClient, props: Props, number: int) -> str:
        name = _name(props, number)
        whole = {"experiment_name": props["name"], **self.definition(props), "name": name}
        with staged(jobs.with_commit(whole, project_root()), props.get("trees", []), props["path"]) as here:
            ml.jobs.create_or_update(load(self.planned.loader, here))
        return name

    def _completed(self, ml: MLClient, props: Props, name: str) -> Props:
        """Wait for the job's end and return its outputs."""
        minutes = props["timeout_minutes"]
        try:
            ended = jobs.follow_job(ml, name, lambda line: _log.info("job %s: %s", name, line), minutes * _MINUTES)
        except jobs.StillRunningError as error:
            raise AssetError(
                f"job '{name}' is still {error} after {minutes} minutes and goes on. Update again to wait for it, "
                f"or end it: az ml job cancel --name {name}",
                AWAIT_LONGER,
            ) from error
        if ended.status != "Completed":
            raise AssetError(f"job '{name}' ended as {ended.status}{jobs.failure_text(ml, ended)}")
        there = self._get(props, name)
        if there is None:
            raise AssetError(f"job '{name}' completed, but Azure does not return it")
        services = there["properties"].get("services") or {}
        declared = props["definition"].get("outputs") or {}
        registered = jobs.job_output(ml, name, jobs.REGISTRATION) if "registration" in declared else None
        runs = [("", name), *((f"{step.name}.", step.job) for step in ended.steps)]
        return {
            "resource_id": there["id"],
            "job": name,
            "status": ended.status,
            "studio_url": (services.get("Studio") or {}).get("endpoint", ""),
            "metrics": jobs.metrics(services["Tracking"]["endpoint"], runs) if "Tracking" in services else {},
            "outputs": {output: f"azureml://jobs/{name}/outputs/{output}/paths/" for output in declared},
            "model": _reference(registered),
        }

    @staticmethod
    def _metadata(props: Props) -> dict[str, Any]:
        metadata = props["metadata"]
        names = {"description": "description", "display_name": "displayName"}
        texts = {there: metadata[here] for here, there in names.items() if here in metadata}
        tags = ownership.tagged(metadata.get("tags"), props["owner"], props["content_hash"])
        return {"description": "", **texts, "tags": tags, "isArchived": False}

    def _last(self, props: Props) -> tuple[int, dict[str, Any] | None]:
        """Return the number and body of the last attempt at this content, or 0 and None."""
        number, last = 0, None
        while (there := self._get(props, _name(props, number + 1))) is not None:
            number, last = number + 1, there
        return number, last

    @staticmethod
    def _get(props: Props, name: str) -> dict[str, Any] | None:
        return found(lambda: send("GET", f"{Workspace.of(props).id}/jobs/{name}", _API_VERSION))

    @staticmethod
    def _put(there: dict[str, Any], changes: dict[str, Any]) -> None:
        """Change a job's metadata where it differs. The client cannot do this: it merges tags and cannot remove one."""
        changed = {
            key: value for key, value in changes.items() if (there["properties"].get(key) or None) != (value or None)
        }
        if changed:
            send("PUT", there["id"], _API_VERSION, {"properties": {**there["properties"], **changed}})


def _base(name: str) -> str:
    """Return a pipeline's name, limited to the characters allowed in a job's name."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def _name(props: Props, number: int) -> str:
    name = f"{_base(props['name'])}-{props['content_hash'][:12]}"
    return name if number == 1 else f"{name}-{number}"


def _reference(registration: dict[str, Any] | None) -> str:
    if registration is None or not registration.get("registered"):
        return ""
    return f"azureml:{registration['name']}:{registration['version']}"


OPERATIONS = PipelineJobOperations()
