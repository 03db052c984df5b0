"""Values that azure-ai-ml loads, and that it or Azure refuses when they are submitted."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project

COMMAND = "type: command\ncommand: echo\nenvironment: azureml:training\ncompute: azureml:cpu\n"
SWEEP = """\
type: sweep
compute: azureml:cpu
trial: {command: "echo ${{search_space.rate}}", environment: azureml:training}
objective: {goal: maximize, primary_metric: score}
"""
RANDOM = SWEEP + "sampling_algorithm: random\n"
TRIALS = "limits: {max_total_trials: 2}\n"
RATES = "search_space: {rate: {type: choice, values: [1, 2]}}\n"
SPACE = RANDOM + TRIALS + RATES
UNIFORM = "search_space: {rate: {type: uniform, min_value: 0, max_value: 1}}\n"
BETWEEN = "search_space: {rate: {type: uniform, min_value: 2, max_value: 1}}\n"
SPARK = """\
type: spark
code: ../ml/prep/src
entry: {file: prep.py}
conf: {spark.driver.cores: 1, spark.driver.memory: 2g, spark.executor.cores: 1, spark.executor.memory: 2g%s}
"""
STEP = "jobs:\n  say:\n    type: command\n    component: azureml:prep\n    inputs: {days: {path: azureml:days}}\n"
SERVER = "name: server\nimage: python:3.11\ninference_config:\n"
ROUTES = "".join(f"  {name}_route: {{path: /{name}, port: %d}}\n" for name in ("liveness", "readiness", "scoring"))
STORE = "name: raw\ntype: azure_blob\naccount_name: %s\ncontainer_name: %s\n"
ENDPOINT = "name: flights\nauth_mode: key\n"
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
IDENTITY = "identity: {type: user_assigned, user_assigned_identities: [{resource_id: %s}]}\n"
JOB, ENVIRONMENT, DATASTORE = "pipelines/more.yml", "ml/environments/server/environment.yml", "ml/raw/datastore.yml"
ONLINE, COMPONENT, DATA = "ml/deploy/endpoint.yml", "ml/say/component.yml", "ml/data/more/data.yml"
ECHO = "name: say\ncommand: echo\nenvironment: azureml:training\n"
WEEK = "name: week\ntype: uri_folder\npath: azureml://datastores/workspaceblobstore/paths/week\n"


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        (JOB, COMMAND + "limits: {timeout: 0}\n", "'limits.timeout' cannot be 0"),
        (JOB, COMMAND + "distribution: {type: pytorch, process_count_per_instance: 0}\n", "per_instance' cannot be 0"),
        (JOB, COMMAND.replace("echo", "echo ${{inputs.x}}"), "Inputs to job does not contain 'x'"),
        (JOB, "type: pipeline\n" + STEP, "jobs.say has no compute"),
        (JOB, COMMAND + "experiment_name: a b\n", "'a b' is not a name for an experiment"),
        (JOB, COMMAND + "experiment_name: über\n", "'über' is not a name for an experiment"),
        (JOB, COMMAND + f"experiment_name: {'a' * 257}\n", "is not a name for an experiment"),
        (JOB, COMMAND + "services: {s: {type: jupyter}}\n", "'services.s.type' cannot be 'jupyter'"),
        (JOB, COMMAND + "services: {s: {type: ssh, port: 65536}}\n", "'services.s.port' cannot be 65536"),
        (JOB, COMMAND + "services: {s: {type: ssh, nodes: some}}\n", "'services.s.nodes' cannot be 'some'"),
        (
            JOB,
            SPARK % ", spark.executor.instances: 1"
            + 'resources: {instance_type: standard_e4s_v3, runtime_version: "2.4"}\n',
            "'resources.runtime_version' cannot be '2.4'",
        ),
        (JOB, RANDOM + RATES + "limits: {max_total_trials: 1001}\n", "'limits.max_total_trials' cannot be 1001"),
        (JOB, RANDOM + TRIALS + "search_space: {}\n", "'search_space' is empty"),
        (JOB, RANDOM + TRIALS + "search_space: {rate: {type: choice, values: []}}\n", "'rate' has no values to search"),
        (JOB, RANDOM + TRIALS + BETWEEN, "'min_value' of 'rate' is 2, and 'max_value' is 1"),
        (
            JOB,
            SWEEP + "sampling_algorithm: grid\n" + TRIALS + UNIFORM,
            "grid sampling cannot sample 'rate' of type",
        ),
        (JOB, SWEEP + "sampling_algorithm: {type: grid}\n" + TRIALS + UNIFORM, "grid sampling cannot sample 'rate'"),
        (JOB, SPACE + "early_termination: {type: bandit}\n", "either 'slack_factor' or 'slack_amount'"),
        (JOB, SPACE + "early_termination: {type: truncation_selection, truncation_percentage: 100}\n", "cannot be 100"),
        (JOB, SPARK % ", spark.executor.instances: 1", "One of either compute or resources must be specified"),
        (JOB, SPARK % "" + "resources: {instance_type: standard_e8s_v3, runtime_version: '3.4'}\n", "mandatory fields"),
        (COMPONENT, ECHO + "inputs: {a-b: {type: string}}\n", "'inputs.a-b': 'a-b' is not a valid parameter name"),
        (COMPONENT, ECHO + "inputs: {a: {type: string}, A: {type: string}}\n", "which are equal ignore case"),
        (ENVIRONMENT, SERVER + ROUTES % (80, 80, 65_536), "'inference_config.scoring_route.port' cannot be 65536"),
        (DATASTORE, STORE % ("My_Account", "raw"), "'My_Account' cannot be a name in Azure Storage"),
        (DATASTORE, STORE % ("account", "raw--data"), "'raw--data' cannot be a name in Azure Storage"),
        (DATA, WEEK + "properties: {source: {team: a}}\n", "'properties.source' has the wrong type: a mapping"),
        (ONLINE, ENDPOINT + "identity: {type: user_assigned}\n", "the endpoint has no user-assigned identity"),
        (ONLINE, ENDPOINT + IDENTITY % "mine", "'mine' is not the resource id of a user-assigned identity"),
        (ONLINE, ENDPOINT + "mirror_traffic: {gren: 10}\n", "traffic goes to an unknown deployment 'gren'"),
        (ONLINE, ENDPOINT + "traffic: {blue: 100}\nmirror_traffic: {blue: 10}\n", "gets live traffic, so that none"),
    ],
)
def test_a_preview_refuses_what_the_submission_would(project: Project, path: str, text: str, message: str) -> None:
    project.write(path, text)
    problem = project.problem(check_with_azure=True)
    assert message in problem.message
    assert problem.file == path
    assert problem.fix


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            JOB,
            COMMAND + f"experiment_name: {'a' * 256}\nservices: {{s: {{type: JupyterLab, port: 8888, nodes: all}}}}\n",
        ),
        (JOB, SPACE + "early_termination: {type: bandit, slack_factor: 0.1, evaluation_interval: 1}\n"),
        (JOB, SWEEP + "sampling_algorithm: bayesian\n" + TRIALS + UNIFORM),
        (JOB, "type: pipeline\nsettings: {default_compute: serverless}\n" + STEP),
        (JOB, SPARK % ", spark.executor.instances: 1" + "compute: azureml:cpu\n"),
        (ENVIRONMENT, SERVER + ROUTES % (1, 80, 65_535)),
        (DATASTORE, STORE % ("account1", "$root")),
        (DATASTORE, STORE % ("account1", "raw-data-2")),
        (ONLINE, ENDPOINT + IDENTITY % ID),
    ],
)
def test_it_takes_what_is_just_within_the_limits(project: Project, path: str, text: str) -> None:
    project.write(path, text)
    assert project.load(check_with_azure=True).warnings == ()


def test_a_schedule_can_give_its_pipeline_a_compute(project: Project) -> None:
    """`az ml` submits neither the pipeline alone nor the schedule without the setting."""
    project.write("pipelines/more.yml", "type: pipeline\n" + STEP)
    job = "{type: pipeline, job: ../more.yml, settings: {default_compute: azureml:cpu}}"
    trigger = "trigger: {type: cron, expression: 0 6 * * *}\n"
    project.write("pipelines/schedules/more.yml", f"name: more\n{trigger}create_job: {job}\n")
    assert project.load(check_with_azure=True)["schedule", "more"].definition["create_job"]


def test_a_choice_in_another_case_is_suggested(project: Project) -> None:
    project.replace(
        "ml/prep/component.yml", "share:", "day: {type: string, default: Monday, enum: [monday, sunday]}\n  share:"
    )
    problem = project.problem()
    assert (problem.message, problem.fix) == ("input 'day' cannot be 'Monday'", "did you mean 'monday'?")


def test_an_empty_default_is_a_problem_with_a_fix(project: Project) -> None:
    project.replace("ml/prep/component.yml", "share:", "day: {type: string, default: null}\n  share:")
    assert project.problem().fix == "write a value, or remove `default`"
