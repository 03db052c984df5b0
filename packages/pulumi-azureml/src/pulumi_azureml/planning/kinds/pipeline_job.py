"""Jobs: `pipelines/*.yml`. Schedules start them, and an update runs those that the program names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts
from pulumi_azureml.planning.jobs import collect_job
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.pipelines import check_steps, collect_steps
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.steps import complete, leave_out

_AUTOML = {
    "classification": "table_vertical.classification:AutoMLClassificationSchema",
    "forecasting": "table_vertical.forecasting:AutoMLForecastingSchema",
    "regression": "table_vertical.regression:AutoMLRegressionSchema",
    "image_classification": "image_vertical.image_classification:ImageClassificationSchema",
    "image_classification_multilabel": "image_vertical.image_classification:ImageClassificationMultilabelSchema",
    "image_instance_segmentation": "image_vertical.image_object_detection:ImageInstanceSegmentationSchema",
    "image_object_detection": "image_vertical.image_object_detection:ImageObjectDetectionSchema",
    "text_classification": "nlp_vertical.text_classification:TextClassificationSchema",
    "text_classification_multilabel": "nlp_vertical.text_classification_multilabel:TextClassificationMultilabelSchema",
    "text_ner": "nlp_vertical.text_ner:TextNerSchema",
}


class PipelineJobKind(Kind):
    """The definition of a job, named after its file, because `name` in the YAML is the id of one run.

    Most jobs are pipelines. A command, sweep, Spark or AutoML job can be one too.
    """

    name = "pipeline_job"
    hashed_as = "pipeline"
    loader = "load_job"
    schemas: ClassVar = {
        "pipeline": "pipeline.pipeline_job:PipelineJobSchema",
        "command": "job.command_job:CommandJobSchema",
        "spark": "job.spark_job:SparkJobSchema",
        "sweep": "_sweep.sweep_job:SweepJobSchema",
        **{f"automl {task}": f"automl.{place}" for task, place in _AUTOML.items()},
    }

    def claims(self, path: str) -> bool:
        """Claim files directly in `pipelines/`."""
        return re.fullmatch(r"pipelines/[^/]+\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """Return the job's type, and the task of an AutoML job. As in `az ml`, a job without a type is a command."""
        type_ = str(document.data.get("type", "pipeline" if "jobs" in document.data else "command"))
        return f"automl {document.data.get('task')}" if type_ == "automl" else type_

    def asset_name(self, document: Document) -> str:
        """Return the file's name. Below `pipelines/` and elsewhere, its folders are part of it."""
        path = (document.usual or document.path).removeprefix("pipelines/")
        return path.removesuffix(".yml").removesuffix(".yaml").replace("/", "-")

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Collect the assets that the steps use."""
        # It is the id of one run, so it would be submitted only once.
        draft.definition.pop("name", None)
        if "jobs" in draft.definition and "type" not in draft.definition:
            draft.problem((), "has `jobs` and no `type`, so `az ml` takes it for a command", "add `type: pipeline`")
        if self.schema_type(draft.document) == "pipeline":
            collect_steps(draft, settings)
        else:
            collect_job(draft, settings)

    def complete(self, draft: Draft, drafts: Drafts) -> None:
        """Give the components of steps the types of their inputs, and leave out what components do not have."""
        complete(draft, drafts)
        leave_out(draft, drafts)

    def check(self, draft: Draft, drafts: Drafts, settings: CatalogueSettings) -> Iterator[Problem]:
        """Check the bindings, and that each input has a value."""
        if self.schema_type(draft.document) == "pipeline":
            yield from check_steps(draft, drafts, settings.config_keys)

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Include the components of loops."""
        control_flow.include_bodies(draft, resolved)


KIND = PipelineJobKind()
