"""Pipeline jobs: `pipelines/*.yml`. Schedules start them, and an update runs those that the program names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import ClassVar

from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.pipelines import check_steps, collect_steps
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings


class PipelineJobKind(Kind):
    """The definition of a pipeline job, named after its file, because `name` in the YAML is the id of one run."""

    name = "pipeline_job"
    hashed_as = "pipeline"
    loader = "load_job"
    schemas: ClassVar = {"": "pipeline.pipeline_job:PipelineJobSchema"}

    def claims(self, path: str, _document: Document) -> bool:
        """Claim files directly in `pipelines/`."""
        return re.fullmatch(r"pipelines/[^/]+\.yml", path) is not None

    def asset_name(self, document: Document) -> str:
        """Return the file's name."""
        return posixpath.basename(document.path).removesuffix(".yml")

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Collect the assets that the steps use."""
        if "name" in draft.definition:
            fix = "remove it: the pipeline is named after its file; `display_name` is its name for users"
            draft.problem(("name",), "a job's 'name' is the id of one run, so it could be submitted only once", fix)
        if draft.definition.get("type") != "pipeline":
            draft.problem(
                ("type",), "is not a pipeline job", "add `type: pipeline`, or move the file to another folder"
            )
        collect_steps(draft, settings)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check the bindings, and that each input has a value."""
        yield from check_steps(draft, drafts, is_job=True)


KIND = PipelineJobKind()
