"""Components: `ml/<component>/component.yml`, and pipeline components among `pipelines/*.yml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts
from pulumi_azureml.planning.jobs import collect_run
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.limits import check_ports
from pulumi_azureml.planning.pipelines import check_steps, collect_steps
from pulumi_azureml.planning.problems import Problem, one_of
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.steps import complete, leave_out

_NAME = re.compile(r"[a-z][a-z0-9_]{0,254}")
_PLACEHOLDER = re.compile(r"\$\{\{\s*(inputs|outputs)\.([A-Za-z0-9_]+)")


class ComponentKind(Kind):
    """A command, parallel, Spark or pipeline component."""

    name = "component"
    loader = "load_component"
    schemas: ClassVar = {
        "command": "component.command_component:CommandComponentSchema",
        "parallel": "component.parallel_component:ParallelComponentSchema",
        "pipeline": "pipeline.pipeline_component:PipelineComponentSchema",
        "spark": "component.spark_component:SparkComponentSchema",
    }
    versioned = True

    def claims(self, path: str) -> bool:
        """Claim one file per folder below `ml/`."""
        return re.fullmatch(r"ml/[^/]+/component\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """Return the component's type, which is `command` by default."""
        return str(document.data.get("type", "command"))

    def check_name(self, draft: Draft) -> None:
        """Report a name that azure-ai-ml refuses."""
        if not _NAME.fullmatch(draft.id.name):
            fix = "use lower-case letters, digits and '_', starting with a letter"
            draft.problem(("name",), f"'{draft.id.name}' is not a valid component name", fix)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Collect environment and code, or the steps of a pipeline component."""
        data = draft.definition
        draft.problems += check_ports(draft.document, data)
        if isinstance(data.get("command"), str) and data["command"] and not data["command"].strip():
            draft.problem(("command",), "'command' is empty", "write a value for `command:`")
        if self.schema_type(draft.document) == "pipeline":
            collect_steps(draft, settings)
            return
        collect_run(draft, ())
        self._check_command(draft)

    def complete(self, draft: Draft, drafts: Drafts) -> None:
        """Give the components of steps the types of their inputs, and leave out what components do not have."""
        complete(draft, drafts)
        leave_out(draft, drafts)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check the wiring of a pipeline component."""
        if self.schema_type(draft.document) == "pipeline":
            yield from check_steps(draft, drafts, None)

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Include the components of loops."""
        control_flow.include_bodies(draft, resolved)

    @staticmethod
    def _check_command(draft: Draft) -> None:
        """Report inputs and outputs in a command that the component does not have."""
        for group, name in _PLACEHOLDER.findall(str(draft.definition.get("command", ""))):
            declared = draft.definition.get(group) or {}
            if isinstance(declared, dict) and name not in declared:
                fix = f"declare it under `{group}:`, or {one_of(declared)}"
                draft.problem(("command",), f"the command uses ${{{{{group}.{name}}}}}, which is not declared", fix)


KIND = ComponentKind()
