"""Schedules: `pipelines/schedules/*.yml`. A trigger, and the pipeline job, the monitor or the import that it starts."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pulumi_azureml.planning import data_imports, monitors, triggers
from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, compute, use
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.pipelines import check_input
from pulumi_azureml.planning.problems import Problem, one_of, suggestion
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.spelling import Spelling

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}", re.ASCII)


class ScheduleKind(Kind):
    """A trigger, and the pipeline (`create_job`), the monitor (`create_monitor`) or the `import_data` that it starts.

    The definition in the plan contains the whole pipeline job under `create_job`, so that a later change of the
    pipeline's file does not change the schedule in Azure. A reference to a job that ran stays as it is. An import of
    data in a file of its own is in the definition too.
    """

    name = "schedule"
    loader = "load_schedule"
    schemas: ClassVar = {
        "job": "schedule.schedule:JobScheduleSchema",
        "monitor": "monitoring.schedule:MonitorScheduleSchema",
        "import": "_data_import.schedule:ImportDataScheduleSchema",
    }
    included = ("import_data",)

    def claims(self, path: str) -> bool:
        """Claim files directly in `pipelines/schedules/`."""
        return re.fullmatch(r"pipelines/schedules/[^/]+\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """Return `monitor` for a schedule with a `create_monitor`, and `import` for one with an `import_data`."""
        types = {"create_monitor": "monitor", "import_data": "import"}
        return next((type_ for key, type_ in types.items() if key in document.data), "job")

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Check the trigger. Collect the pipeline, or what the monitor uses."""
        data = draft.definition
        if not isinstance(data.get("is_enabled", True), bool):
            draft.problem(("is_enabled",), f"is_enabled is '{data['is_enabled']}'", "write true or false")
        trigger = data.get("trigger")
        if isinstance(trigger, dict):
            errors = triggers.check(trigger)
            for error in errors:
                draft.problem(("trigger", error.key), error.reason, error.fix)
            for key in ("start_time", "end_time") if not errors else ():
                local = triggers.local_time(trigger.get(key), str(trigger.get("time_zone") or "UTC"))
                if local is not None:
                    trigger[key] = local
        else:
            draft.problem(("trigger",), "'trigger' is missing", "add `trigger:` with `type: cron` and an `expression:`")
        if "create_monitor" in data:
            monitors.collect(draft)
            return
        if "import_data" in data:
            data_imports.collect(draft)
            return
        job = data.get("create_job")
        keys, text = (("create_job", "job"), job.get("job")) if isinstance(job, dict) else (("create_job",), job)
        if not isinstance(text, str):
            fix = "add `create_job:` with the path of a pipeline, or `create_monitor:`, or `import_data:`"
            draft.problem(("create_job",), "does not name the pipeline to start", fix)
            return
        use(draft, keys, "pipeline_job", text)
        if isinstance(job, dict):
            compute(draft, ("create_job", "compute"), job.get("compute"), settings)
            default = _mapping(job.get("settings")).get("default_compute")
            compute(draft, ("create_job", "settings", "default_compute"), default, settings)

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        if not _NAME.fullmatch(draft.id.name):
            fix = "use letters, digits, '-' and '_', starting with a letter or digit, 255 at most"
            draft.problem(("name",), f"'{draft.id.name}' is not a valid schedule name", fix)

    def relate(self, draft: Draft, drafts: Drafts) -> None:
        """Order a monitor after the deployment that it monitors."""
        monitors.relate(draft, drafts)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check that changed inputs belong to the pipeline, and that a monitor's deployment collects data."""
        yield from monitors.check(draft, drafts)
        job = draft.definition.get("create_job")
        started = draft.targets.get(("create_job", "job")) or draft.targets.get(("create_job",))
        if started is not None and started in drafts:
            planned = drafts[started].definition
            type_ = planned.get("type", "pipeline" if "jobs" in planned else "command")
        else:
            type_ = job.get("type", "pipeline") if isinstance(job, dict) else "pipeline"
        if type_ != "pipeline":
            message = f"azure-ai-ml sends no schedule of a job of type '{type_}': it starts pipelines only"
            yield draft.document.problem(("create_job",), message, "start a pipeline that has this job as its step")
            return
        target = draft.targets.get(("create_job", "job"))
        if not isinstance(job, dict) or target is None or target not in drafts:
            return
        known = drafts[target].definition.get("inputs") or {}
        changed = job.get("inputs")
        for name, value in changed.items() if isinstance(changed, dict) else ():
            if name in known:
                yield from check_input(draft, ("create_job", "inputs", name), value, drafts[target], drafts)
            else:
                advice = suggestion(name, known, otherwise=one_of(known))
                message = f"pipeline '{target.name}' has no input '{name}'"
                yield draft.document.problem(("create_job", "inputs", name), message, advice)

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Replace the pipeline's file with the resolved pipeline, or name the monitored deployment as in Azure."""
        monitors.finish(draft, resolved)
        job = draft.definition.get("create_job")
        target = draft.targets.get(("create_job", "job")) or draft.targets.get(("create_job",))
        if target is None:
            return
        pipeline = resolved[target]
        spelling = Spelling(draft.document, draft.definition)
        spelling.by_pipeline(pipeline.definition)
        draft.warnings += spelling.warnings
        updates = {key: value for key, value in job.items() if key != "job"} if isinstance(job, dict) else {}
        draft.definition["create_job"] = _merged(copy.deepcopy(pipeline.definition), updates)
        own = _mapping(updates.get("inputs"))
        draft.overridden |= {
            f"create_job.{key}": overridden
            for key, overridden in pipeline.overridden.items()
            if not (key.startswith("inputs.") and key.split(".")[1] in own)
        }
        draft.trees |= {("create_job", *keys): tree for keys, tree in pipeline.trees.items()}
        draft.inherited += [dataclasses.replace(each, path=pipeline.path) for each in pipeline.outside]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _merged(base: dict[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings and replace other values, as `az ml` does with a schedule's changes to its job."""
    for key, value in updates.items():
        both = isinstance(base.get(key), dict) and isinstance(value, dict)
        base[key] = _merged(base[key], value) if both else value
    return base


def repeats(create_job: Any) -> bool:
    """Whether what a schedule creates is a job that ran in the workspace, and not one that the plan has."""
    return isinstance(create_job, str) or "job" in create_job


KIND = ScheduleKind()
