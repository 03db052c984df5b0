"""A compiled pipeline, read from its YAML: the pipeline's specification, and what it asks of Kubernetes."""

from __future__ import annotations

import graphlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline_runner.errors import RunnerError

Json = dict[str, Any]

_SCHEMA = "2.1.0"
_TASK_KEYS = {"cachingOptions", "componentRef", "dependentTasks", "inputs", "taskInfo"}
_EXECUTOR_KEYS = {"container"}
_CONTAINER_KEYS = {"image", "command", "args", "env", "resources"}
_RESOURCE_KEYS = {
    "cpuLimit", "resourceCpuLimit", "memoryLimit", "resourceMemoryLimit",
    "cpuRequest", "resourceCpuRequest", "memoryRequest", "resourceMemoryRequest",
}  # fmt: skip
_KUBERNETES_KEYS = {"pvcMount", "podMetadata", "secretAsEnv"}


@dataclass(frozen=True)
class Claim:
    """A persistent volume claim, mounted at a path."""

    name: str
    path: str


@dataclass(frozen=True)
class SecretVariable:
    """An environment variable with a value of a Kubernetes secret."""

    secret: str
    key: str
    variable: str


@dataclass(frozen=True)
class Executor:
    """A container and what it needs. Limits are in CPUs and bytes, and None without a limit."""

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    environment: Mapping[str, str]
    cpus: float | None
    memory: int | None
    claims: tuple[Claim, ...]
    secrets: tuple[SecretVariable, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Constant:
    """A value that the pipeline's author wrote."""

    value: Any


@dataclass(frozen=True)
class PipelineInput:
    """A parameter of the run."""

    name: str


@dataclass(frozen=True)
class TaskOutput:
    """An output of an earlier task."""

    task: str
    key: str


Source = Constant | PipelineInput | TaskOutput


@dataclass(frozen=True)
class Task:
    """A step. `parameter_types` and `artifact_types` are those of the outputs, `input_types` those of the inputs."""

    name: str
    executor: Executor
    parameters: Mapping[str, Source]
    artifacts: Mapping[str, TaskOutput]
    input_types: Mapping[str, str]
    parameter_types: Mapping[str, str]
    artifact_types: Mapping[str, str]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a run. Without a default, a run must set it, unless it is optional."""

    name: str
    type: str
    default: Any
    optional: bool


@dataclass(frozen=True)
class Pipeline:
    """A compiled pipeline. `tasks` are in an order in which they can run. `version` is a hash of the text."""

    name: str
    version: str
    parameters: Mapping[str, Parameter]
    tasks: tuple[Task, ...]

    @property
    def claims(self) -> set[str]:
        """The claims that the pipeline mounts."""
        return {claim.name for task in self.tasks for claim in task.executor.claims}


def version_of(text: str) -> str:
    """Return the version of a compiled pipeline: a hash of its text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(text: str) -> Pipeline:
    """Read a compiled pipeline.

    Raises:
        RunnerError: The text is not a compiled pipeline, or contains what this runner does not do.
    """
    try:
        documents = [each for each in yaml.safe_load_all(text) if each]
    except yaml.YAMLError as error:
        raise RunnerError(f"the compiled pipeline is not YAML: {error}") from error
    if not documents or not isinstance(documents[0], dict) or "deploymentSpec" not in documents[0]:
        raise RunnerError("the file is not a compiled pipeline of the Kubeflow SDK: it has no deploymentSpec")
    specification = documents[0]
    if specification.get("schemaVersion") != _SCHEMA:
        raise RunnerError(f"the compiled pipeline has schema {specification.get('schemaVersion')}, and not {_SCHEMA}")
    platform = documents[1] if len(documents) > 1 else {}
    if problems := list(_problems(specification, platform)):
        raise RunnerError("this runner cannot run the pipeline:\n" + "\n".join(f"  {each}" for each in problems))
    tasks = {name: _task(name, task, specification, platform) for name, task in _tasks(specification).items()}
    graph = {name: task.get("dependentTasks", ()) for name, task in _tasks(specification).items()}
    given = specification["root"].get("inputDefinitions", {}).get("parameters", {})
    return Pipeline(
        name=specification["pipelineInfo"]["name"],
        version=version_of(text),
        parameters={
            name: Parameter(name, each["parameterType"], each.get("defaultValue"), bool(each.get("isOptional")))
            for name, each in given.items()
        },
        tasks=tuple(tasks[name] for name in graphlib.TopologicalSorter(graph).static_order()),
    )


def _tasks(specification: Json) -> Json:
    found: Json = specification["root"].get("dag", {}).get("tasks", {})
    return found


def _executors(platform: Json) -> Json:
    found: Json = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    return found


def _problems(specification: Json, platform: Json) -> Iterator[str]:
    """Yield what the pipeline contains and this runner does not do."""
    for name, task in _tasks(specification).items():
        if "dag" in specification["components"][task["componentRef"]["name"]]:
            yield f"task {name}: is a group of tasks (a condition, a loop or a pipeline in the pipeline)"
        yield from _unknown(f"task {name}: ", task, _TASK_KEYS)
    for name, executor in specification["deploymentSpec"]["executors"].items():
        container = executor.get("container", {})
        yield from _unknown(f"{name}: ", executor, _EXECUTOR_KEYS)
        yield from _unknown(f"{name}: container.", container, _CONTAINER_KEYS)
        yield from _unknown(f"{name}: container.resources.", container.get("resources", {}), _RESOURCE_KEYS)
        for text in (*container.get("command", ()), *container.get("args", ())):
            if text.startswith(('{"IfPresent"', '{"Concat"')):
                yield f"{name}: the argument {text[:40]}…"
    yield from _unknown("platform ", platform.get("platforms", {}), {"kubernetes"})
    for name, asked in _executors(platform).items():
        yield from _unknown(f"{name}: Kubernetes' ", asked, _KUBERNETES_KEYS)
        for mount in asked.get("pvcMount", ()):
            if not mount.get("constant") or mount.get("subPath"):
                yield f"{name}: a mounted claim whose name is not constant, or only a part of one"


def _unknown(where: str, given: Json, known: set[str]) -> Iterator[str]:
    for key in sorted(given.keys() - known):
        yield f"{where}{key}"


def _task(name: str, task: Json, specification: Json, platform: Json) -> Task:
    component = specification["components"][task["componentRef"]["name"]]
    label = component["executorLabel"]
    inputs, declared = task.get("inputs", {}), component.get("inputDefinitions", {})
    outputs = component.get("outputDefinitions", {})
    types = {key: each["parameterType"] for key, each in declared.get("parameters", {}).items()}
    parameters = {key: _source(name, key, each) for key, each in inputs.get("parameters", {}).items()}
    for key, each in declared.get("parameters", {}).items():
        if key not in parameters and "defaultValue" in each:
            parameters[key] = Constant(each["defaultValue"])
    artifacts = {}
    for key, each in inputs.get("artifacts", {}).items():
        source = each.get("taskOutputArtifact")
        if source is None:
            raise RunnerError(f"task {name}: the artifact {key} must be the output of another task")
        artifacts[key] = TaskOutput(source["producerTask"], source["outputArtifactKey"])
    return Task(
        name=name,
        executor=_executor(
            specification["deploymentSpec"]["executors"][label]["container"], _executors(platform).get(label, {})
        ),
        parameters=parameters,
        artifacts=artifacts,
        input_types=types,
        parameter_types={key: each["parameterType"] for key, each in outputs.get("parameters", {}).items()},
        artifact_types={key: each["artifactType"]["schemaTitle"] for key, each in outputs.get("artifacts", {}).items()},
    )


def _source(task: str, name: str, given: Json) -> Source:
    if "componentInputParameter" in given:
        return PipelineInput(given["componentInputParameter"])
    if "taskOutputParameter" in given:
        source = given["taskOutputParameter"]
        return TaskOutput(source["producerTask"], source["outputParameterKey"])
    if "runtimeValue" in given and "constant" in given["runtimeValue"]:
        return Constant(given["runtimeValue"]["constant"])
    raise RunnerError(f"task {task}: the parameter {name} has a source that this runner does not know")


def _executor(container: Json, asked: Json) -> Executor:
    resources = container.get("resources", {})
    memory = resources.get("resourceMemoryLimit")
    cpus = resources.get("resourceCpuLimit")
    return Executor(
        image=container["image"],
        command=tuple(container.get("command", ())),
        args=tuple(container.get("args", ())),
        environment={each["name"]: each.get("value", "") for each in container.get("env", ())},
        cpus=_quantity(cpus) if cpus else None,
        memory=int(_quantity(memory)) if memory else None,
        claims=tuple(Claim(each["constant"], each["mountPath"]) for each in asked.get("pvcMount", ())),
        secrets=tuple(
            SecretVariable(each["secretName"], pair["secretKey"], pair["envVar"])
            for each in asked.get("secretAsEnv", ())
            for pair in each["keyToEnv"]
        ),
        labels=asked.get("podMetadata", {}).get("labels", {}),
    )


_SUFFIXES = {"m": 1e-3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def _quantity(text: str) -> float:
    """Return a quantity of Kubernetes, such as `500m` or `2Gi`, as a number."""
    number = text.rstrip("mKMGTi")
    suffix = text[len(number) :]
    try:
        return float(number) * (_SUFFIXES[suffix] if suffix else 1)
    except (KeyError, ValueError) as error:
        raise RunnerError(f"'{text}' is not a quantity of Kubernetes, such as 500m or 2Gi") from error
