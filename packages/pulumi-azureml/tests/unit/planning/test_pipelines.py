"""Steps that do not fit together."""

from pathlib import Path
from typing import Any

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import CatalogueErrors, CatalogueSettings, plan_definitions

PIPELINE = "pipelines/training.yml"


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "fix"),
    [
        ("steps: 10", "steps:", 5, "input 'steps' has no value", 'or set overrides.pipelines["training"]'),
        ("path: azureml:days@latest", "mode: download", 4, "input 'days' has no value", "`path:`"),
        ("azureml:days@latest", "azureml:dais@latest", 4, "unknown data 'dais'", "did you mean 'days'?"),
        ('{days: "${{parent.inputs.days}}"}', "{}", 12, "gives no value to input 'days'", "add `days:`"),
        ("{days: ", "{share: 0.1, dais: 1, days: ", 12, "component 'prep' has no input 'dais'", "did you mean 'days'?"),
        ("{days: ", "{share: 2, days: ", 12, "input 'share' cannot be 2", "between 0 and 1"),
        ("{days: ", "{share: text, days: ", 12,
         "input 'share' takes number but gets 'text' (string)", "a value of"),
        ("{days: ", "{share: true, days: ", 12,
         "input 'share' takes number but gets 'True' (boolean)", "a value of"),
        ('rows: "${{parent.jobs.prep.outputs.rows}}"', "rows: 3", 16, "takes uri_folder but gets '3'", "output"),
        ('steps: "${{parent.inputs.steps}}"', 'steps: "${{parent.jobs.prep.outputs.rows}}"', 16,
         "input 'steps' takes integer but gets uri_folder", "a value of type integer"),
        ("parent.inputs.steps", "parent.inputs.step", 16, "the pipeline has no input 'step'", "did you mean 'steps'?"),
        ("parent.jobs.prep.outputs.rows", "parent.jobs.prop.outputs.rows", 16, "there is no step 'prop'", "'prep'"),
        ("parent.jobs.prep.outputs.rows", "parent.jobs.prep.outputs.row", 16,
         "step 'prep' has no output 'row'", "'rows'"),
        ("parent.jobs.prep.outputs.rows", "parent.rows", 16, "${{parent.rows}} is not a binding", "parent.inputs.NAME"),
        ('{model: "${{parent.outputs.model}}"}', '{model: "${{parent.outputs.modl}}"}', 17,
         "the pipeline has no output 'modl'", "did you mean 'model'?"),
        ('outputs: {model: "$', 'outputs: {modl: "$', 17, "component 'train' has no output 'modl'", "'model'"),
        ("steps: 10", "steps: 1.5", 16, "input 'steps' takes integer but gets number", "a value of type integer"),
        ("azureml:cpu", "azureml:gpu", 2, "unknown compute 'gpu'", "did you mean 'cpu'?"),
    ],
)  # fmt: skip
def test_one_wrong_wire_is_one_problem(project: Project, old: str, new: str, line: int, message: str, fix: str) -> None:
    project.replace(PIPELINE, old, new)
    problem = project.problem()
    assert (problem.file, problem.line) == (PIPELINE, line)
    assert message in problem.message
    assert fix in problem.fix


@pytest.mark.parametrize("text", ["true", "True", "yes", "on"])
def test_a_boolean_is_written_as_azure_ai_ml_reads_it(project: Project, text: str) -> None:
    project.replace("ml/train/component.yml", "steps: {type: integer}", "steps: {type: boolean}")
    project.replace(PIPELINE, "steps: 10", f"steps: {text}")
    assert project.load()["pipeline_job", "training"].definition["inputs"]["steps"] is True


def test_a_text_is_no_boolean(project: Project) -> None:
    project.replace("ml/train/component.yml", "steps: {type: integer}", "steps: {type: boolean}")
    project.replace(PIPELINE, "steps: 10", "steps: 'yes'")
    assert project.problem().fix == "give it `true` or `false`, or change the component's input"


@pytest.mark.parametrize(
    ("old", "new", "files"),
    [
        ("type: command", "type: command\ndispaly_name: Preparation", {"ml/prep/component.yml", PIPELINE}),
        ("inputs:", "inptus:", {"ml/prep/component.yml"}),
    ],
)
def test_a_fault_of_a_component_hides_no_wrong_wire_unless_its_inputs_are_in_doubt(
    project: Project, old: str, new: str, files: set[str]
) -> None:
    project.replace(PIPELINE, "{days: ", "{share: 0.1, dais: 1, days: ")
    project.replace("ml/prep/component.yml", old, new)
    assert {each.file for each in project.problems()} == files


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("azureml:cpu", "serverless"),
        ("azureml:cpu", "azureml:serverless"),
        ("azureml:cpu", "cpu"),
        ("azureml:cpu", "'${{parent.inputs.compute}}'"),
        ("{days: ", "{share: 1, days: "),
        ("{days: ", "{share: '0.25', days: "),
        ("azureml:prep", "azureml:prep:5"),
        ("azureml:prep", "azureml://registries/shared/components/prep/versions/1"),
        ("azureml:days@latest", "https://example.com/days.csv"),
    ],
)
def test_what_az_ml_accepts_is_accepted(project: Project, old: str, new: str) -> None:
    project.replace(PIPELINE, old, new)
    assert project.load()["pipeline_job", "training"].version


def test_a_number_with_an_exponent_is_no_text_to_az_ml(project: Project) -> None:
    """YAML 1.1 reads 1e-3 as a text, and azure-ai-ml sends it as it is."""
    project.replace(PIPELINE, "steps: 10", "steps: 10\n  part: 1e-3")
    project.replace(PIPELINE, "{days: ", "{share: '${{parent.inputs.part}}', days: ")
    assert project.load()["pipeline_job", "training"].definition["inputs"]["part"] == "1e-3"
    project.replace(PIPELINE, "1e-3", "little")
    assert project.problem().message == "input 'share' takes number but gets string"


def test_steps_that_wait_for_each_other_are_reported(project: Project) -> None:
    project.write(
        "ml/loop/component.yml",
        """
        name: loop
        inputs: {rows: {type: uri_folder}}
        outputs: {rows: {type: uri_folder}}
        environment: azureml:training
        command: run ${{inputs.rows}} ${{outputs.rows}}
        """,
    )
    project.write(
        "pipelines/loop.yml",
        """
        type: pipeline
        jobs:
          one: {type: command, component: "azureml:loop", inputs: {rows: "${{parent.jobs.two.outputs.rows}}"}}
          two: {type: command, component: "azureml:loop", inputs: {rows: "${{parent.jobs.one.outputs.rows}}"}}
        """,
    )
    problem = project.problem()
    assert (problem.file, problem.line) == ("pipelines/loop.yml", 3)
    assert "the steps wait for each other: " in problem.message


def test_a_step_with_its_own_code_is_hashed_and_checked(project: Project) -> None:
    project.write("pipelines/code/run.py", "print()\n")
    project.write(
        "pipelines/inline.yml",
        """
        type: pipeline
        settings: {default_compute: cpu}
        jobs:
          only:
            type: command
            code: ./code
            command: python run.py
            environment: azureml:training
        """,
    )
    before = project.load()["pipeline_job", "inline"]
    component = project.load()["component", "inline_only"]
    assert component.definition["code"] == "pipelines/code"
    assert before.definition["jobs"]["only"]["component"] == component.reference
    project.write("pipelines/code/run.py", "print(1)\n")
    assert project.load()["pipeline_job", "inline"].version != before.version


def test_a_schedule_may_only_change_inputs_of_its_pipeline(project: Project) -> None:
    project.edit(
        "pipelines/schedules/daily.yml",
        create_job={"type": "pipeline", "job": "../training.yml", "inputs": {"stps": 1}},
    )
    assert project.problem().fix == "did you mean 'steps'?"


@pytest.mark.parametrize("code", ["azureml:shared_code:1", "azureml:shared_code@latest", "git+https://example.com/a#b"])
def test_code_that_azure_ai_ml_does_not_submit_is_refused(project: Project, code: str) -> None:
    project.edit("ml/prep/component.yml", code=code)
    assert project.problem().message == f"azure-ai-ml takes no code from '{code}'"


def test_a_name_that_begins_like_another_is_no_mistake(project: Project) -> None:
    """The workspace may have it: a preview asks for it."""
    component = (project.root / "ml/prep/component.yml").read_text()
    project.write("ml/score/component.yml", component.replace("name: prep", "name: heart_rate_score"))
    project.write("ml/score/src/prep.py", "print()\n")
    step = "{component: azureml:heart_rate_prepare@latest, compute: serverless}"
    project.write("pipelines/other.yml", f"type: pipeline\njobs: {{prepare: {step}}}\n")
    (outside,) = project.load()["pipeline_job", "other"].outside
    assert outside.text == "azureml:heart_rate_prepare@latest"
    project.write("pipelines/other.yml", f"type: pipeline\njobs: {{prepare: {step.replace('prepare', 'scores')}}}\n")
    assert project.problem().fix == "did you mean 'heart_rate_score'?"


@pytest.mark.parametrize("create_job", ["../single.yml", {"type": "command", "job": "../single.yml"}])
def test_a_schedule_of_a_job_that_is_no_pipeline_is_refused(project: Project, create_job: Any) -> None:
    """azure-ai-ml loads it and sends it only with its private features: an update failed after the preview."""
    project.write(
        "pipelines/single.yml",
        """
        type: command
        command: echo hello
        compute: serverless
        environment: azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu@latest
        """,
    )
    project.edit("pipelines/schedules/daily.yml", create_job=create_job)
    problem = project.problem()
    assert "sends no schedule of a job of type 'command': it starts pipelines only" in problem.message
    assert problem.fix == "start a pipeline that has this job as its step"


@pytest.mark.parametrize(
    "create_job",
    ["azureml:calm_tent_1", {"type": "pipeline", "job": "azureml:calm_tent_1", "settings": {"force_rerun": True}}],
)
def test_a_schedule_may_repeat_a_job_that_ran_in_the_workspace(project: Project, create_job: Any) -> None:
    project.edit("pipelines/schedules/daily.yml", create_job=create_job)
    daily = project.load(check_with_azure=True)["schedule", "daily"]
    assert daily.definition["create_job"] == create_job
    assert not [each for each in daily.depends_on if each.kind == "pipeline_job"]


SWEEP = """
    type: pipeline
    settings: {default_compute: serverless}
    inputs:
      rows: {type: uri_folder, path: azureml:days@latest}
    jobs:
      tune:
        type: sweep
        trial: azureml:train
        inputs: {rows: "${{parent.inputs.rows}}"}
        search_space: {steps: {type: choice, values: [1, 2]}}
        objective: {goal: minimize, primary_metric: loss}
        sampling_algorithm: random
        limits: {max_total_trials: 2}
    """


def test_a_search_space_gives_values_to_inputs(project: Project) -> None:
    project.write("pipelines/tune.yml", SWEEP)
    trial = project.load()["pipeline_job", "tune"].definition["jobs"]["tune"]["trial"]
    assert trial == project.load()["component", "train"].reference


def test_a_search_space_over_what_is_no_input_is_refused(project: Project) -> None:
    project.write("pipelines/tune.yml", SWEEP.replace("{steps: {type", "{step: {type"))
    missing, unknown = project.problems()
    assert missing.message == "step 'tune' gives no value to input 'steps' of component 'train'"
    assert unknown.message == "component 'train' has no input 'step' to search"
    assert unknown.fix == "did you mean 'steps'?"


def test_the_tables_of_an_automl_step_are_references(project: Project) -> None:
    project.write(
        "pipelines/search.yml",
        """
        type: pipeline
        settings: {default_compute: serverless}
        jobs:
          search:
            type: automl
            task: regression
            primary_metric: r2_score
            target_column_name: delay
            training_data: {type: mltable, path: azureml:days@latest}
        """,
    )
    step = project.load()["pipeline_job", "search"].definition["jobs"]["search"]
    assert step["training_data"]["path"] == project.load()["data", "days"].reference


@pytest.mark.parametrize("port", ["{type: string, optional: true}", "{type: string, default: fast}"])
def test_an_empty_text_for_an_input_that_needs_none_is_a_warning(project: Project, port: str) -> None:
    """azure-ai-ml leaves the input out, so that the component's default counts."""
    inputs = f"inputs: {{mode: {port}}}\n"
    project.write("ml/say/component.yml", f"name: say\n{inputs}command: echo\nenvironment: azureml:training@latest\n")
    project.write("pipelines/other.yml", "type: pipeline\njobs:\n  say: {component: azureml:say, inputs: {mode: ''}}\n")
    (warning,) = project.load().warnings
    assert warning.message == "azure-ai-ml does not send the empty text of input 'mode': the component's default counts"


@pytest.mark.parametrize(
    ("port", "is_problem"),
    [("{type: string, optional: true}", False), ("{type: string, default: a}", False), ("{type: string}", True)],
)
def test_an_empty_text_of_a_pipeline_is_a_problem_where_a_step_needs_it(
    project: Project, port: str, is_problem: bool
) -> None:
    project.write(
        "ml/say/component.yml",
        f"name: say\ninputs: {{mode: {port}}}\ncommand: echo\nenvironment: azureml:training@latest\n",
    )
    step = "say: {component: azureml:say, inputs: {mode: '${{parent.inputs.it}}'}}"
    project.write("pipelines/other.yml", f"type: pipeline\ninputs: {{it: ''}}\njobs: {{{step}}}\n")
    if is_problem:
        found = project.problem()
        assert (found.file, found.line) == ("pipelines/other.yml", 2)
        assert found.message == "input 'it' is an empty text, which azure-ai-ml does not send"
        assert found.fix == "write a text, or remove the input"
    else:
        (warning,) = project.load().warnings
        assert "does not send the empty text of input 'it'" in warning.message


def test_an_empty_text_for_components_that_no_file_has_is_a_warning(project: Project) -> None:
    """As in the samples for distillation: Azure takes a step that is bound to an input without a value."""
    reference = "azureml://registries/azureml/components/score/labels/latest"
    step = f"say: {{type: command, component: '{reference}', inputs: {{url: '${{{{parent.inputs.it}}}}'}}}}"
    project.write("pipelines/other.yml", f"type: pipeline\ninputs: {{it: ''}}\njobs: {{{step}}}\n")
    (warning,) = project.load().warnings
    assert "does not send the empty text of input 'it'" in warning.message


def test_an_input_that_a_component_in_a_file_does_not_have_is_left_out_with_a_warning(project: Project) -> None:
    """azure-ai-ml leaves it out too: it builds the inputs of a step from a component that it reads."""
    project.replace(PIPELINE, "{rows:", "{step: 1, rows:")
    plan = project.load()
    (warning,) = plan.warnings
    assert warning.message == "component 'train' has no input 'step', so azure-ai-ml leaves it out"
    assert (warning.file, warning.line, warning.fix) == (PIPELINE, 16, "did you mean 'steps'?")
    assert "step" not in plan["pipeline_job", "training"].definition["jobs"]["train"]["inputs"]


def test_an_empty_text_for_an_input_that_needs_a_value_is_a_problem(project: Project) -> None:
    inputs = "inputs: {mode: {type: string}}\n"
    project.write("ml/say/component.yml", f"name: say\n{inputs}command: echo\nenvironment: azureml:training@latest\n")
    project.write("pipelines/other.yml", "type: pipeline\njobs:\n  say: {component: azureml:say, inputs: {mode: ''}}\n")
    assert project.problem().message == "input 'mode' is an empty text, which azure-ai-ml does not send"


def test_several_nodes_without_a_distribution_are_warned_of(project: Project) -> None:
    """Source: "Distributed GPU training guide": a distribution starts a job's processes on its nodes."""
    path = "ml/train/component.yml"
    project.replace(path, "code: ./src", "code: ./src\nresources:\n  instance_count: 3")
    (warning,) = project.load().warnings
    assert (warning.file, warning.message) == (
        path,
        "3 nodes and no `distribution`: nothing starts the command on each node",
    )
    project.replace(path, "code: ./src", "code: ./src\ndistribution: {type: pytorch, process_count_per_instance: 1}")
    assert project.load().warnings == ()


@pytest.mark.parametrize("line", ["compute: azureml:cpu", "environment_variables: {LEVEL: debug}"])
def test_a_key_of_a_step_in_its_component_is_sent_to_the_step(line: str, project: Project) -> None:
    project.replace("ml/prep/component.yml", "code: ./src", f"code: ./src\n{line}")
    key = line.partition(":")[0]
    assert project.problem().fix == f"set `{key}:` on the step that runs the component"


@pytest.mark.parametrize("kind", ["if_else", "do_while", "parallel_for"])
def test_control_flow_of_a_program_is_refused_with_one_reason(kind: str, tmp_path: Path) -> None:
    steps = {"loop": {"type": kind, "body": "${{parent.jobs.a}}", "condition": True}, "more": {"type": "if_else"}}
    job = {"type": "pipeline", "settings": {"default_compute": "azureml:cpu"}, "jobs": steps}
    with pytest.raises(CatalogueErrors) as caught:
        plan_definitions(tmp_path, {"it": ("pipeline_job", job)}, CatalogueSettings(None, cache_folder=None))
    (problem,) = caught.value.problems
    assert problem.message.startswith(
        f"step 'loop' is of type {kind}; azure-ai-ml takes that as a private preview only"
    )


def test_data_that_a_step_gives_as_a_text_is_a_path(project: Project) -> None:
    """azure-ai-ml makes it one as it loads the pipeline, because it knows the component."""
    for path in ("./rows", "azureml:rows:1"):
        project.write("pipelines/rows/table.csv", "a\n1\n")
        project.write(
            "pipelines/other.yml",
            f"""
            type: pipeline
            settings: {{default_compute: azureml:cpu}}
            jobs:
              train: {{component: "azureml:train", inputs: {{rows: "{path}", steps: 1}}}}
            """,
        )
        given = project.load()["pipeline_job", "other"].definition["jobs"]["train"]["inputs"]["rows"]
        assert given["path"] in ("pipelines/rows", path)
        assert given["type"] in ("uri_folder", "uri_file")


def test_the_default_of_a_pipeline_component_fits_the_components_that_get_it(project: Project) -> None:
    project.replace("ml/train/component.yml", "  steps: {type: integer}\n", "  steps: {type: integer, max: 10}\n")
    project.write(
        "pipelines/inner.yml",
        """
        $schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json
        type: pipeline
        name: inner
        inputs: {rows: {type: uri_folder}, steps: {type: integer, default: 50}}
        jobs:
          train:
            component: azureml:train
            compute: azureml:cpu
            inputs: {rows: "${{parent.inputs.rows}}", steps: "${{parent.inputs.steps}}"}
        """,
    )
    problem = project.problem()
    assert (problem.file, problem.message) == ("pipelines/inner.yml", "input 'steps' cannot be 50")
