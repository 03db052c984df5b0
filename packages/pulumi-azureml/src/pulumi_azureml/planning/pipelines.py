"""The steps of a pipeline: what they use, and whether their inputs and outputs fit together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.assets import AssetId
from pulumi_azureml.planning.config_keys import ConfigKeys
from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.drafts import Draft, compute, use
from pulumi_azureml.planning.flow_checks import check_control, collect_control, given_by_loop, waits
from pulumi_azureml.planning.inputs import BINDING, literal_type
from pulumi_azureml.planning.jobs import MODELS, collect_inputs, collect_run, mapping
from pulumi_azureml.planning.limits import fits
from pulumi_azureml.planning.problems import Problem, one_of, suggestion
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.steps import extract

_EXPRESSION = re.compile(r"\$\{\{[^{}]*\}\}")
_FOLDERS = frozenset({"uri_folder", "mltable", "path"}) | MODELS
_FILES = frozenset({"uri_file", "custom_model", "path"})
_PORTS = _FOLDERS | _FILES
_TYPES = _PORTS | {"boolean", "integer", "number", "string"}
_NO_STEP_CHECK = frozenset({"automl", "data_transfer", "import"})


def collect_steps(draft: Draft, settings: CatalogueSettings) -> None:
    """Note what a pipeline's steps use: components, environments, data, local files; report unknown computes."""
    data = draft.definition
    compute(draft, ("compute",), data.get("compute"), settings)
    compute(draft, ("settings", "default_compute"), mapping(data.get("settings")).get("default_compute"), settings)
    use(draft, ("component",), "component", data.get("component"))
    collect_inputs(draft, ())
    for name, step in mapping(data.get("jobs")).items():
        if not isinstance(step, dict):
            continue
        keys: KeyPath = ("jobs", name)
        if control_flow.is_control(step):
            collect_control(draft, str(name), step)
            continue
        compute(draft, (*keys, "compute"), step.get("compute"), settings)
        extract(draft, str(name), step)
        if name not in draft.extracted:
            collect_run(draft, keys)
            for key in ("component", "trial"):
                use(draft, (*keys, key), "component", _typed(step, step.get(key)))
        collect_inputs(draft, keys)


def _typed(step: Mapping[str, Any], component: Any) -> Any:
    """Return an inline component with the type of its step, which it may omit."""
    if (
        isinstance(component, dict)
        and "type" not in component
        and step.get("type") in {"parallel", "pipeline", "spark"}
    ):
        component["type"] = step["type"]
    return component


def check_steps(draft: Draft, drafts: Mapping[AssetId, Draft], overrides: ConfigKeys | None) -> Iterator[Problem]:
    """Check a pipeline's wiring. A job must give its inputs values; a component gets them from its caller.

    `overrides` has the key that gives a job's inputs values. It is None for a component.
    """
    steps = Steps(draft, drafts)
    if overrides is not None:
        yield from steps.check_own_inputs(overrides)
    else:
        yield from steps.check_defaults()
    for name, step in steps.steps.items():
        yield from steps.check_step(name, step)
    yield from steps.check_cycles()


def bound_ports(draft: Draft, drafts: Mapping[AssetId, Draft], name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the inputs of components that get the value of a pipeline's input, in pipeline components too."""
    steps = Steps(draft, drafts)
    for step, component in steps.components.items():
        for port, value in mapping(steps.steps[step].get("inputs")).items():
            text = value.get("path") if isinstance(value, dict) else value
            match = BINDING.fullmatch(text.strip()) if isinstance(text, str) else None
            declared = mapping(component.definition.get("inputs")).get(port)
            if match is not None and match[1] == f"inputs.{name}" and isinstance(declared, dict):
                yield declared
                yield from bound_ports(component, drafts, str(port))


def check_input(
    draft: Draft, keys: KeyPath, value: Any, pipeline: Draft, drafts: Mapping[AssetId, Draft]
) -> Iterator[Problem]:
    """Check a value that a schedule gives to a pipeline's input, by the components that get it."""
    name, actual = str(keys[-1]), literal_type(value)
    for port in bound_ports(pipeline, drafts, name) if actual is not None and "${{" not in str(value) else ():
        wanted = str(port.get("type"))
        if not _fits(str(actual), wanted, value):
            fix = f"give it {_described(wanted)}"
            message = f"input '{name}' takes {wanted} but gets '{value}' ({actual})"
            yield draft.document.problem(keys, message, fix)
            return
        found = list(fits(draft.document, keys, name, value, port))
        if found:
            yield from found
            return


class Steps:
    """One pipeline's wiring, looked up by name."""

    def __init__(self, draft: Draft, drafts: Mapping[AssetId, Draft]) -> None:
        self.draft = draft
        self.drafts = drafts
        data = draft.definition
        self.inputs = mapping(data.get("inputs"))
        self.outputs = mapping(data.get("outputs"))
        self.steps = {str(name): step for name, step in mapping(data.get("jobs")).items() if isinstance(step, dict)}
        self.components: dict[str, Draft] = {}
        self.by_loops = given_by_loop(data)
        for name in self.steps:
            for key in ("component", "trial"):
                target = draft.targets.get(("jobs", name, key))
                if target is not None and target in drafts and not drafts[target].is_broken:
                    self.components[name] = drafts[target]

    def check_own_inputs(self, overrides: ConfigKeys) -> Iterator[Problem]:
        """Report inputs of a pipeline job that have no value."""
        for name, value in self.inputs.items():
            if "" in (value, mapping(value).get("value")):
                ports = list(bound_ports(self.draft, self.drafts, str(name)))
                yield from self._check_empty(("inputs", name), ports)
                continue
            yield from self._check_text(("inputs", name), value)
            is_empty = value is None or (
                isinstance(value, dict) and value.get("path") is None and value.get("value") is None
            )
            if is_empty and not _is_free(mapping(value)):
                option = overrides.path("overrides", ("pipelines", self.draft.id.name, "inputs", str(name)))
                fix = f"write the value or the `path:` of the data, or set {option}"
                yield self.draft.document.problem(("inputs", name), f"input '{name}' has no value", fix)

    def check_defaults(self) -> Iterator[Problem]:
        """Report defaults of a pipeline component that the components which get them do not take."""
        for name, port in self.inputs.items():
            default = mapping(port).get("default")
            for inner in bound_ports(self.draft, self.drafts, str(name)) if default is not None else ():
                yield from fits(self.draft.document, ("inputs", name, "default"), str(name), default, inner)

    def _check_text(self, keys: KeyPath, value: Any) -> Iterator[Problem]:
        """Report what azure-ai-ml cannot send: dates, which YAML makes of text without quotes, and empty text."""
        name = keys[-1]
        if isinstance(value, dict) and "value" in value:
            keys, value = (*keys, "value"), value["value"]
        if isinstance(value, date):
            message = f"YAML reads input '{name}' as a date, and Azure takes text"
            yield self.draft.document.problem(keys, message, f'write it in quotes: "{value}"')
        elif value == "":
            message = f"input '{name}' is an empty text, which azure-ai-ml does not send"
            yield self.draft.document.problem(keys, message, "write a text, or remove the input")

    def check_step(self, name: str, step: dict[str, Any]) -> Iterator[Problem]:
        """Check what a step gets, and what it gives."""
        if step.get("type") in _NO_STEP_CHECK:
            return
        if control_flow.is_control(step):
            yield from check_control(self, name, step)
            return
        component = self.components.get(name)
        given = mapping(step.get("inputs"))
        searched = mapping(step.get("search_space"))
        later = self.by_loops.get(name, frozenset[str]())
        declared = mapping(component.definition.get("inputs")) if component is not None else None
        if declared is not None and component is not None:
            for input_name, port in declared.items():
                is_later = later is None or input_name in later
                is_given = given.get(input_name) is not None or input_name in searched or is_later
                if not is_given and not _is_free(mapping(port)):
                    message = f"step '{name}' gives no value to input '{input_name}' of component '{component.id.name}'"
                    fix = (
                        f"add `{input_name}:` under the step's `inputs:`, or a `default:` in {component.document.path}"
                    )
                    yield self.draft.document.problem(("jobs", name, "inputs"), message, fix)
            for input_name in searched.keys() - declared.keys():
                advice = suggestion(input_name, declared, otherwise=one_of(declared))
                message = f"component '{component.id.name}' has no input '{input_name}' to search"
                yield self.draft.document.problem(("jobs", name, "search_space", input_name), message, advice)
        for input_name, value in given.items():
            keys = ("jobs", name, "inputs", input_name)
            if declared is not None and component is not None and input_name not in declared:
                advice = suggestion(input_name, declared, otherwise=one_of(declared))
                message = f"component '{component.id.name}' has no input '{input_name}'"
                yield self.draft.document.problem(keys, message, advice)
                continue
            yield from self.check_value(keys, value, mapping((declared or {}).get(input_name)))
        yield from self._check_outputs(name, step, component)

    def check_value(self, keys: KeyPath, value: Any, port: Mapping[str, Any]) -> Iterator[Problem]:
        """Check one value given to an input: its bindings must exist and its type must match the input's."""
        if value == "":
            yield from self._check_empty(keys, [port] if port else [])
            return
        yield from self._check_text(keys, value)
        text = value.get("path") if isinstance(value, dict) else value
        if isinstance(text, str) and text.count("${{") > len(_EXPRESSION.findall(text)):
            message = f"input '{keys[-1]}' has an expression without an end: {text}"
            yield self.draft.document.problem(keys, message, "end it with `}}`")
            return
        if isinstance(value, dict) and value.get("type") in _PORTS and value.get("path") in (None, ""):
            yield self.draft.document.problem(keys, f"input '{keys[-1]}' has no path", "add the `path:` of the data")
            return
        actual: str | None = None
        if isinstance(text, str) and "${{" in text:
            for match in BINDING.finditer(text):
                found, problem = self.resolve(keys, match[1])
                if problem is not None:
                    yield problem
                actual = found if match[0] == text.strip() else "string"
        elif isinstance(value, dict):
            actual = str(value["type"]) if "type" in value else None
        else:
            actual = literal_type(value)
        wanted = port.get("type")
        if actual is None or not isinstance(wanted, str):
            return
        literal = text if "${{" not in str(text) and not isinstance(value, dict) else None
        source, given = self._given(keys, text) if literal is None else (keys, literal)
        if not _fits(actual, wanted, given):
            what = f"'{literal}' ({actual})" if literal is not None else actual
            fix = f"give it {_described(wanted)}, or change the component's input"
            yield self.draft.document.problem(source, f"input '{keys[-1]}' takes {wanted} but gets {what}", fix)
        elif given is not None:
            yield from fits(self.draft.document, source, str(keys[-1]), given, port)
            component = self.components.get(str(keys[1])) if keys[0] == "jobs" else None
            for inner in bound_ports(component, self.drafts, str(keys[-1])) if component is not None else ():
                yield from fits(self.draft.document, source, str(keys[-1]), given, inner)

    def _check_empty(self, keys: KeyPath, ports: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
        """Report an empty text, which is only a warning if the inputs that get it need no value or none is known."""
        if not all(port.get("type") == "string" and _is_free(port) for port in ports):
            yield from self._check_text(keys, "")
            return
        message = f"azure-ai-ml does not send the empty text of input '{keys[-1]}': the component's default counts"
        self.draft.warnings.append(self.draft.document.problem(keys, message, "write a text, or remove the input"))

    def _given(self, keys: KeyPath, text: Any) -> tuple[KeyPath, Any]:
        """Return where a bound value comes from and the value, if it is an input of the pipeline that is no data.

        A value in the file is reported where it is bound.
        """
        match = BINDING.fullmatch(text.strip()) if isinstance(text, str) else None
        name = match[1].removeprefix("inputs.") if match else ""
        value = self.inputs.get(name)
        source: KeyPath = ("inputs", name)
        if isinstance(value, dict):
            value, source = value.get("value"), (*source, "value")
        return (source if source in self.draft.document.set_by else keys), value

    def _check_outputs(self, name: str, step: dict[str, Any], component: Draft | None) -> Iterator[Problem]:
        for output, value in mapping(step.get("outputs")).items():
            keys = ("jobs", name, "outputs", output)
            if component is not None:
                declared = mapping(component.definition.get("outputs"))
                if output not in declared:
                    advice = suggestion(output, declared, otherwise=one_of(declared))
                    message = f"component '{component.id.name}' has no output '{output}'"
                    yield self.draft.document.problem(keys, message, advice)
            text = value.get("path") if isinstance(value, dict) else value
            for match in BINDING.finditer(text) if isinstance(text, str) else ():
                _, problem = self.resolve(keys, match[1])
                if problem is not None:
                    yield problem

    def resolve(self, keys: KeyPath, path: str) -> tuple[str | None, Problem | None]:
        """Resolve `${{parent.<path>}}`: return its type, if known, or a problem if it does not exist."""
        parts = path.split(".")
        match parts:
            case ["inputs", name, *rest]:
                if name in self.inputs:
                    return (None if rest else self._input_type(name)), None
                return None, self._missing(keys, path, f"the pipeline has no input '{name}'", name, self.inputs)
            case ["outputs", name]:
                if name in self.outputs:
                    return mapping(self.outputs[name]).get("type"), None
                return None, self._missing(keys, path, f"the pipeline has no output '{name}'", name, self.outputs)
            case ["jobs", step, ("outputs" | "inputs") as group, port]:
                if step not in self.steps:
                    return None, self._missing(keys, path, f"there is no step '{step}'", step, self.steps)
                if self.steps[step].get("type") == "do_while":
                    fix = f"bind what its body {self.steps[step].get('body')} has"
                    why = f"${{{{parent.{path}}}}}: '{step}' is a loop, and its outputs are those of its body"
                    return None, self.draft.document.problem(keys, why, fix)
                ports = self.ports(step, group)
                if ports is not None and port not in ports:
                    return None, self._missing(keys, path, f"step '{step}' has no {group[:-1]} '{port}'", port, ports)
                return (mapping(ports[port]).get("type") if ports is not None else None), None
        fix = "write ${{parent.inputs.NAME}} or ${{parent.jobs.STEP.outputs.NAME}}"
        return None, self.draft.document.problem(keys, f"${{{{parent.{path}}}}} is not a binding", fix)

    def _missing(self, keys: KeyPath, path: str, why: str, word: str, known: Mapping[str, Any]) -> Problem:
        advice = suggestion(word, known, otherwise=one_of(known, otherwise="declare it there, or correct the name"))
        return self.draft.document.problem(keys, f"${{{{parent.{path}}}}}: {why}", advice)

    def ports(self, step: str, group: str) -> Mapping[str, Any] | None:
        """The declared inputs or outputs of a step, or None if its component is not in this tree."""
        if control_flow.is_control(self.steps[step]):
            body = control_flow.body_of(self.draft.definition, step)
            inner = self.ports(body, group) if body in self.steps and group == "outputs" else {}
            return None if inner is None else control_flow.gathered(inner)
        component = self.components.get(step)
        if component is not None:
            return mapping(component.definition.get(group))
        if not {"command", "task"} & self.steps[step].keys():
            return None
        return mapping(self.steps[step].get(group))

    def _input_type(self, name: str) -> str | None:
        value = self.inputs[name]
        if isinstance(value, float) and not math.isfinite(value):
            return None  # it is reported where it is written
        if isinstance(value, dict):
            if "type" in value:
                return str(value["type"])
            return literal_type(value["value"]) if "value" in value else "uri_folder" if "path" in value else None
        return literal_type(value)

    def check_cycles(self) -> Iterator[Problem]:
        """Steps that wait for each other."""
        graph = {
            name: {
                match[1].split(".")[1]
                for value in mapping(step.get("inputs")).values()
                for match in BINDING.finditer(str(value.get("path") if isinstance(value, dict) else value))
                if match[1].startswith("jobs.")
            }
            & set(self.steps)
            for name, step in self.steps.items()
        }
        for name, others in waits(self.steps).items():
            graph[name] |= others & set(self.steps)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = [str(name) for name in error.args[1]]
            shown = " → ".join(reversed(cycle))
            message = f"the steps wait for each other: {shown}"
            yield self.draft.document.problem(("jobs", min(cycle)), message, "remove one of these bindings")


def _is_free(port: Mapping[str, Any]) -> bool:
    """Return whether an input needs no value."""
    return bool(port.get("optional")) or port.get("default") is not None


def _fits(actual: str, wanted: str, literal: Any) -> bool:
    if actual == wanted or not {actual, wanted} <= _TYPES:
        return True  # an unknown type is reported where it is written
    if {actual, wanted} == {"uri_file", "uri_folder"}:
        return True  # Azure passes any URI
    if actual in _PORTS and wanted in _PORTS:
        return bool((actual in _FOLDERS and wanted in _FOLDERS) or (actual in _FILES and wanted in _FILES))
    if actual in _PORTS or wanted in _PORTS:
        return False
    if wanted == "string" or (actual == "integer" and wanted == "number"):
        return True
    # `az ml` parses numbers and booleans from text.
    return actual == "string" and literal is not None and _reads_as(str(literal), wanted)


def _reads_as(text: str, wanted: str) -> bool:
    if wanted == "boolean":
        return text.lower() in {"true", "false"}
    try:
        int(text) if wanted == "integer" else float(text)
    except ValueError:
        return False
    return True


def _described(wanted: str) -> str:
    if wanted == "boolean":
        return "`true` or `false`"
    return "the output of a step or a data asset" if wanted in _PORTS else f"a value of type {wanted}"
