"""Pipelines and schedules: steps, bindings, cycles and what is started."""

from azureml_fixtures.bad_input.changes import PIPELINE, SCHEDULE, Change, add, both, put, swap  # fmt: skip

_OTHER = "pipelines/other.yml"
_STEP = """type: pipeline
settings: {{default_compute: azureml:cpu}}
jobs:
  prep:
    type: command
    component: azureml:prep
    {}
"""
_DAYS = "inputs: {days: {type: uri_file, path: azureml:days@latest}}"
_COMPONENT = """$schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json
type: pipeline
name: {}
jobs:
  step: {{type: pipeline, component: azureml:{}}}
"""


def _step(text: str) -> Change:
    return put(_OTHER, _STEP.format(text))


CASES: dict[str, Change] = {
    "a pipeline without a type": swap(PIPELINE, "type: pipeline\n", ""),
    "a pipeline with steps in a list": put(_OTHER, "type: pipeline\njobs: [a]\n"),
    "a pipeline with a step that is a text": put(_OTHER, "type: pipeline\njobs: {a: azureml:prep}\n"),
    "a pipeline with a step that is null": put(_OTHER, "type: pipeline\njobs: {a: }\n"),
    "a pipeline with a step without a component": put(_OTHER, "type: pipeline\njobs: {a: {type: command}}\n"),
    "a step with a space in its name": swap(PIPELINE, "  prep:\n", "  the prep:\n"),
    "an unknown component": swap(PIPELINE, "component: azureml:prep", "component: azureml:prop"),
    "an unknown component in a file": swap(
        PIPELINE, "file:../ml/train/component.yml", "file:../ml/trian/component.yml"
    ),
    "a component that is an environment": swap(
        PIPELINE, "file:../ml/train/component.yml", "../ml/environments/serving/environment.yml"
    ),
    "a missing input": _step(""),
    "an unknown input": _step("inputs: {days: {type: uri_file, path: azureml:days@latest}, shares: 0.5}"),
    "an input of another type": _step("inputs: {days: {type: uri_file, path: azureml:days@latest}, share: half}"),
    "an input above its maximum": _step("inputs: {days: {type: uri_file, path: azureml:days@latest}, share: 2}"),
    "an input that is not a number": _step("inputs: {days: {type: uri_file, path: azureml:days@latest}, share: .nan}"),
    "an input that is an empty text": _step("inputs: {days: {type: uri_file, path: azureml:days@latest}, share: ''}"),
    "an input that is a list": _step("inputs: {days: {type: uri_file, path: azureml:days@latest}, share: [1]}"),
    "data in place of a number": _step(
        "inputs: {days: {type: uri_file, path: azureml:days}, share: {type: uri_file, path: azureml:days}}"
    ),
    "a number in place of data": _step("inputs: {days: 7}"),
    "unknown data": _step("inputs: {days: {type: uri_file, path: azureml:day@latest}}"),
    "data that does not exist": _step("inputs: {days: {type: uri_file, path: ./days.csv}}"),
    "data outside of the project": _step("inputs: {days: {type: uri_file, path: /etc/hostname}}"),
    "data without a path": _step("inputs: {days: {type: uri_file}}"),
    "an unknown mode of data": _step("inputs: {days: {type: uri_file, path: azureml:days@latest, mode: mounted}}"),
    "inputs that are a list": _step("inputs: [days]"),
    "a binding to an unknown input": swap(PIPELINE, "${{parent.inputs.days}}", "${{parent.inputs.day}}"),
    "a binding to an unknown step": swap(PIPELINE, "parent.jobs.prep.outputs", "parent.jobs.prop.outputs"),
    "a binding to an unknown output": swap(PIPELINE, "prep.outputs.rows", "prep.outputs.row"),
    "a binding to an unknown output of the pipeline": swap(
        PIPELINE, "${{parent.outputs.model}}", "${{parent.outputs.models}}"
    ),
    "a binding that is cut off": swap(PIPELINE, "${{parent.inputs.days}}", "${{parent.inputs}}"),
    "a binding to nothing": swap(PIPELINE, "${{parent.inputs.days}}", "${{parent.days}}"),
    "a binding without its end": swap(PIPELINE, "${{parent.inputs.days}}", "${{parent.inputs.days"),
    "a step of an unknown type": swap(
        PIPELINE, "    type: command\n    component: azureml:prep", "    type: comand\n    component: azureml:prep"
    ),
    "a step that waits for itself": swap(
        PIPELINE, "${{parent.jobs.prep.outputs.rows}}", "${{parent.jobs.train.outputs.model}}"
    ),
    "steps that wait for each other": put(
        _OTHER,
        "type: pipeline\nsettings: {default_compute: azureml:cpu}\njobs:\n"
        '  a: {component: azureml:train, inputs: {steps: 1, rows: "${{parent.jobs.b.outputs.model}}"}}\n'
        '  b: {component: azureml:train, inputs: {rows: "${{parent.jobs.a.outputs.model}}", steps: 1}}\n',
    ),
    "an unknown output of a step": swap(PIPELINE, "outputs: {model:", "outputs: {models:"),
    "an unknown compute": swap(PIPELINE, "azureml:cpu", "azureml:gpu"),
    "an unknown compute of a step": _step(f"{_DAYS}\n    compute: azureml:gpu"),
    "a compute that is a list": swap(PIPELINE, "azureml:cpu", "[cpu]"),
    "a setting that belongs under settings": add(PIPELINE, "default_compute: azureml:cpu"),
    "another setting that belongs under settings": add(PIPELINE, "continue_on_step_failure: true"),
    "an unknown default datastore": swap(
        PIPELINE, "{default_compute: azureml:cpu}", "{default_compute: azureml:cpu, default_datastore: azureml:lake}"
    ),
    "a force_rerun that is no Boolean": swap(
        PIPELINE, "{default_compute: azureml:cpu}", "{default_compute: azureml:cpu, force_rerun: maybe}"
    ),
    "pipeline components that need each other": both(
        put("pipelines/first.yml", _COMPONENT.format("first", "second")),
        put("pipelines/second.yml", _COMPONENT.format("second", "first")),
    ),
    "a pipeline component that needs itself": put("pipelines/first.yml", _COMPONENT.format("first", "first")),
    "a schedule of an unknown pipeline": swap(SCHEDULE, "../training.yml", "../trainin.yml"),
    "a schedule of a component": swap(SCHEDULE, "../training.yml", "../../ml/prep/component.yml"),
    "a schedule of nothing": swap(SCHEDULE, "create_job: ../training.yml\n", ""),
    "a schedule of a list": swap(SCHEDULE, "create_job: ../training.yml", "create_job: [../training.yml]"),
    "a schedule of an empty mapping": swap(SCHEDULE, "create_job: ../training.yml", "create_job: {}"),
    "a schedule with an unknown input": swap(
        SCHEDULE, "../training.yml", "{type: pipeline, job: ../training.yml, inputs: {step: 1}}"
    ),
    "a schedule with an input of another type": swap(
        SCHEDULE, "../training.yml", "{type: pipeline, job: ../training.yml, inputs: {steps: many}}"
    ),
    "a schedule with an unknown compute": swap(
        SCHEDULE, "../training.yml", "{type: pipeline, job: ../training.yml, settings: {default_compute: azureml:gpu}}"
    ),
    "a schedule with a compute outside of settings": swap(
        SCHEDULE, "../training.yml", "{type: pipeline, job: ../training.yml, default_compute: azureml:gpu}"
    ),
    "a schedule with a key of a job": add(SCHEDULE, "experiment_name: x"),
}
