"""Apply a stack's overrides to the definitions of the files, and report overrides of what no file defines."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from pulumi_azureml.planning.assets import AssetId, Definition
from pulumi_azureml.planning.config_keys import ConfigKeys
from pulumi_azureml.planning.deployments import ENDPOINTS
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.inputs import DATA, Components, described, input_type, place, typed
from pulumi_azureml.planning.overrides import DeploymentOverrides, Overridden, Overrides, PipelineOverrides
from pulumi_azureml.planning.problems import Problem, one_of, suggestion

_DEPLOYMENTS = ("online_deployment", "batch_deployment")
_STEPS_WITH_VARIABLES = ("command", "parallel")
# What Pulumi makes of a date without quotes in a stack file: it prints Go's time.
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC")


class Overriding:
    """A stack's overrides on their way into the definitions. `problems` are those found so far."""

    def __init__(self, overrides: Overrides, inputs: Mapping[str, Mapping[str, str]], keys: ConfigKeys) -> None:
        self.problems: list[Problem] = []
        self._overrides = overrides
        self._inputs = inputs
        self._keys = keys

    def exclusion(self, id_: AssetId) -> str | None:
        """Return the option that leaves an asset out, or None if none does."""
        name = id_.name.partition("/")[0] if id_.kind in _DEPLOYMENTS else id_.name
        if id_.kind in (*ENDPOINTS, *_DEPLOYMENTS):
            endpoint = self._overrides.endpoints.get(name)
            return self._option("endpoints", name, "exclude") if endpoint is not None and endpoint.exclude else None
        schedule = self._overrides.schedules.get(name) if id_.kind == "schedule" else None
        return self._option("schedules", name, "exclude") if schedule is not None and schedule.exclude else None

    def copies(self, id_: AssetId) -> list[str]:
        """Return the names of the endpoints that are copies of an endpoint, or of a deployment's endpoint."""
        if id_.kind not in (*ENDPOINTS, *_DEPLOYMENTS):
            return []
        name = id_.name.partition("/")[0] if id_.kind in _DEPLOYMENTS else id_.name
        return [copy for copy, each in self._overrides.endpoints.items() if each.copy_of == name]

    def apply(
        self, id_: AssetId, document: Document, definition: Definition, components: Components
    ) -> dict[KeyPath, Overridden]:
        """Put the stack's values into a definition. Return what they replaced, by key.

        `components` returns the inputs of the components that a pipeline uses, because they have types.
        """
        found: dict[KeyPath, Overridden] = {}

        def put(keys: KeyPath, value: Any, option: str) -> None:
            holder: Any = definition
            for key in keys[:-1]:
                if not isinstance(holder.get(key), dict):
                    holder[key] = {}
                holder = holder[key]
            if holder.get(keys[-1]) != value:
                found[keys] = Overridden(option, holder.get(keys[-1]))
                holder[keys[-1]] = value

        match id_.kind:
            case "online_deployment" | "batch_deployment":
                self._deployment(id_, document, put)
            case "schedule":
                schedule = self._overrides.schedules.get(id_.name)
                if schedule is not None and schedule.is_enabled is not None:
                    put(("is_enabled",), schedule.is_enabled, self._option("schedules", id_.name, "is_enabled"))
            case "pipeline_job":
                self._pipeline(id_, document, definition, components, put)
        return found

    def unknown(self, known: Collection[AssetId]) -> Iterator[Problem]:
        """Report the overrides of endpoints, deployments, schedules and pipelines that no file defines."""
        endpoints = {id_.name for id_ in known if id_.kind in ENDPOINTS}
        copies = {name for name, each in self._overrides.endpoints.items() if each.copy_of}
        for name in sorted(copies - endpoints):
            original = self._overrides.endpoints[name].copy_of or ""
            known_names = endpoints - copies
            advice = suggestion(original, known_names, otherwise=one_of(known_names))
            option = self._option("endpoints", name, "copy_of")
            yield Problem(option, 0, f"no file defines endpoint '{original}'", advice)
        named = {name: each for name, each in self._overrides.endpoints.items() if name not in copies}
        yield from self._unknown(("endpoints",), named, endpoints, "endpoint")
        for name in endpoints & set(self._overrides.endpoints):
            deployments = {
                id_.name.partition("/")[2]
                for id_ in known
                if id_.kind in _DEPLOYMENTS and id_.name.startswith(f"{name}/")
            }
            endpoint = self._overrides.endpoints[name]
            group = ("endpoints", name, "deployments")
            yield from self._unknown(group, endpoint.deployments, deployments, "deployment", f" of endpoint '{name}'")
        schedules = {id_.name for id_ in known if id_.kind == "schedule"}
        yield from self._unknown(("schedules",), self._overrides.schedules, schedules, "schedule")
        pipelines = {id_.name for id_ in known if id_.kind == "pipeline_job"}
        yield from self._unknown(("pipelines",), self._overrides.pipelines, pipelines, "pipeline")

    def _unknown(
        self, group: tuple[str, ...], overrides: Mapping[str, object], names: Collection[str], what: str, of: str = ""
    ) -> Iterator[Problem]:
        for name in sorted(set(overrides) - set(names)):
            otherwise = f"remove it, or {one_of(names)}" if names else "remove it"
            advice = suggestion(name, names, otherwise=otherwise)
            yield Problem(self._option(*group, name), 0, f"no file defines {what} '{name}'{of}", advice)

    def _option(self, *parts: str) -> str:
        return self._keys.path("overrides", parts)

    def _deployment(self, id_: AssetId, document: Document, put: Callable[[KeyPath, Any, str], None]) -> None:
        endpoint, _, name = id_.name.partition("/")
        known = self._overrides.endpoints.get(endpoint)
        wanted = known.deployments.get(name) if known is not None else None
        if wanted is None:
            return
        for attribute, keys, value in _values(wanted):
            option = self._option("endpoints", endpoint, "deployments", name, attribute, *keys)
            base = _place(id_.kind, document, attribute)
            if base is None:
                message, fix = _NOT_HERE[id_.kind, attribute]
                self.problems.append(document.problem((), f"{option}: {message}", fix))
            else:
                put((*base, *keys), value, option)

    def _pipeline(
        self,
        id_: AssetId,
        document: Document,
        definition: Definition,
        components: Components,
        put: Callable[[KeyPath, Any, str], None],
    ) -> None:
        wanted = self._overrides.pipelines.get(id_.name, PipelineOverrides())
        inputs, steps = _mapping(definition.get("inputs")), _mapping(definition.get("jobs"))
        texts = self._inputs.get(id_.name, {})
        for name, value in {**wanted.inputs, **texts}.items():
            option = f"--input {name}" if name in texts else self._option("pipelines", id_.name, "inputs", name)
            if name not in inputs:
                advice = suggestion(name, inputs, otherwise=one_of(inputs))
                message = f"{option}: pipeline '{id_.name}' has no input '{name}'"
                self.problems.append(document.problem(("inputs",), message, advice))
                continue
            type_, keys = input_type(name, definition, components), place(name, inputs[name])
            try:
                if name not in texts and _TIME.fullmatch(str(value)):
                    raise ValueError(f"takes {described(type_)} but gets the time '{value}'")
                put(keys, typed(type_, value), option)
            except ValueError as error:
                changed = type_ in ("string", DATA) and (isinstance(value, float) or _TIME.fullmatch(str(value)))
                fix = "write it in quotes" if changed else f"give it {described(type_)}"
                self.problems.append(document.problem(keys, f"{option}: input '{name}' {error}", fix))
        for name, text in wanted.environment_variables.items():
            option = self._option("pipelines", id_.name, "environment_variables", name)
            takers = [
                step
                for step, job in steps.items()
                if isinstance(job, dict) and job.get("type", "command") in _STEPS_WITH_VARIABLES
            ]
            for step in takers:
                put(("jobs", step, "environment_variables", name), text, option)
            if not takers:
                message = f"{option}: pipeline '{id_.name}' has no command or parallel step"
                self.problems.append(document.problem(("jobs",), message, "remove the environment variable"))


_NOT_HERE = {
    ("online_deployment", "compute"): (
        "an online deployment runs on instances of its own",
        "set the instance type or count, or remove it",
    ),
    ("batch_deployment", "instance_type"): (
        "a batch deployment runs on a compute cluster",
        "set its compute, or the size of that cluster's nodes",
    ),
    ("batch_deployment", "instance_count"): ("the steps of a pipeline component say how many nodes", "remove it"),
    ("batch_deployment", "environment_variables"): ("the steps of a pipeline component have their own", "remove it"),
    ("batch_deployment", "sampling_rate"): ("a batch deployment collects no requests", "remove it"),
    ("online_deployment", "sampling_rate"): (
        "the deployment has no `data_collector`",
        "add one to the file, or remove it",
    ),
}


def _values(wanted: DeploymentOverrides) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield each value that is set: the attribute, the keys below it, and the value."""
    for attribute in ("instance_type", "instance_count", "compute", "sampling_rate"):
        value = getattr(wanted, attribute)
        if value is not None:
            is_name = attribute == "compute" and not value.startswith("azureml:")
            yield attribute, (), f"azureml:{value}" if is_name else value
    for name, text in wanted.environment_variables.items():
        yield "environment_variables", (name,), text


def _place(kind: str, document: Document, attribute: str) -> KeyPath | None:
    """Return where a deployment of a kind has a value, or None if it has none."""
    if kind == "online_deployment":
        collects = "data_collector" in document.data
        own: dict[str, KeyPath | None] = {
            "compute": None,
            "sampling_rate": ("data_collector", "sampling_rate") if collects else None,
        }
        return own.get(attribute, (attribute,))
    is_pipeline = document.data.get("type") == "pipeline"
    places: dict[str, KeyPath | None] = {
        "compute": ("settings", "default_compute") if is_pipeline else ("compute",),
        "instance_count": None if is_pipeline else ("resources", "instance_count"),
        "environment_variables": None if is_pipeline else ("environment_variables",),
    }
    return places.get(attribute)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
