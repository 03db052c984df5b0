"""Components: `ml/<component>/component.yml`, and pipeline components among `pipelines/*.yml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pulumi_azureml.kinds.environment import Environment
from pulumi_azureml.operations.versioned import VersionedKind
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, source, use
from pulumi_azureml.planning.pipelines import check_steps, collect_steps
from pulumi_azureml.planning.problems import Problem, listing
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Resource

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLACEHOLDER = re.compile(r"\$\{\{\s*(inputs|outputs)\.([A-Za-z0-9_]+)")


@dataclass(frozen=True, kw_only=True)
class ComponentArgs(Arguments):
    """Arguments of `Component`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version; without it the version is the content's hash.
        display_name: for people; can change under a version.
        type: what the component runs.
        inputs: name → {type, default, optional, …}.
        outputs: name → {type, …}.
        command: of a command component; `Rscript …` is one too.
        code: a folder relative to the project; ignored files are not uploaded.
        environment: a resource, or `azureml:NAME:VERSION`.
        jobs: the steps of a pipeline component.
        task: what a parallel component runs.
        entry: the script of a Spark component, `{"file": …}`.
        conf: of a Spark component.
        args: of a Spark component.
        resources: instance count and type.
        further: keys that only some types have (`mini_batch_size`, `input_data`, `py_files`, `is_deterministic`, …).
    """

    kind = "component"
    apart = Arguments.apart | {"further"}

    version: str | None = None
    display_name: str | None = None
    type: Literal["command", "parallel", "pipeline", "spark"] = "command"
    inputs: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None
    command: str | None = None
    code: str | None = None
    environment: Environment | str | None = None
    jobs: Mapping[str, Any] | None = None
    task: Mapping[str, Any] | None = None
    entry: Mapping[str, Any] | None = None
    conf: Mapping[str, Any] | None = None
    args: str | None = None
    resources: Mapping[str, Any] | None = None
    further: Mapping[str, Any] | None = None

    def definition(self) -> dict[str, Any]:
        """Return the YAML that says the same."""
        return {**super().definition(), **(self.further or {})}


class Component(Resource[ComponentArgs], module="azureml", name="Component"):
    """A component version; unchanged code is found by its hash and not uploaded again.

    New content is a new version under the same resource, the old one stays; display name, description and tags are
    updated in place; removal archives. Fails when the version exists and is another stack's, or has other content.
    """

    kind = "component"


class ComponentKind(VersionedKind):
    """A command, parallel, Spark or pipeline component."""

    name = "component"
    loader = "load_component"
    schemas: ClassVar = {
        "command": "component.command_component:CommandComponentSchema",
        "parallel": "component.parallel_component:ParallelComponentSchema",
        "pipeline": "pipeline.pipeline_component:PipelineComponentSchema",
        "spark": "component.spark_component:SparkComponentSchema",
    }
    operations = "components"
    # The catalogue has it validated by the same schema; once more would take a quarter of the time of a new component.
    write_options: ClassVar = {"skip_validation": True}
    resource = Component

    def claims(self, path: str, document: Document) -> bool:
        """One folder below `ml/` each; pipeline components say what they are in `$schema`."""
        if re.fullmatch(r"ml/[^/]+/component\.yml", path):
            return True
        is_component = "pipelinecomponent" in str(document.data.get("$schema", "")).lower()
        return is_component and re.fullmatch(r"pipelines/[^/]+\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """A component without `type:` is a command."""
        return str(document.data.get("type", "command"))

    def check_name(self, draft: Draft) -> None:
        """Report a name that azure-ai-ml refuses."""
        if not _NAME.fullmatch(draft.id.name):
            fix = "use lower-case letters, digits and '_', starting with a letter"
            draft.problem(("name",), f"'{draft.id.name}' is not a valid component name", fix)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Note environment and code, or the steps of a pipeline component."""
        data = draft.definition
        if self.schema_type(draft.document) == "pipeline":
            collect_steps(draft, settings)
            return
        # A parallel component keeps its code and environment in its task.
        for keys, holder in (((), data), (("task",), data.get("task"))):
            if isinstance(holder, dict):
                use(draft, (*keys, "environment"), "environment", holder.get("environment"))
                source(draft, (*keys, "code"), holder.get("code"), wanted="folder")
        self._check_command(draft)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check the wiring of a pipeline component."""
        if self.schema_type(draft.document) == "pipeline":
            yield from check_steps(draft, drafts, is_job=False)

    @staticmethod
    def _check_command(draft: Draft) -> None:
        """A command may only name inputs and outputs that the component has."""
        for group, name in _PLACEHOLDER.findall(str(draft.definition.get("command", ""))):
            declared = draft.definition.get(group) or {}
            if isinstance(declared, dict) and name not in declared:
                fix = f"declare it under `{group}:`, or use one of {listing(declared)}"
                draft.problem(("command",), f"the command uses ${{{{{group}.{name}}}}}, which is not declared", fix)


KIND = ComponentKind()
