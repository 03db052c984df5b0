"""A file is an asset because of what it says, wherever it lies and whatever its name is."""

from __future__ import annotations

import os

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import CatalogueErrors, Folders, Left, control_flow

SCHEMA = "https://azuremlschemas.azureedge.net/latest/{}.schema.json"
STORE_WITH_KEY = """
type: azure_blob
name: raw
account_name: account
container_name: raw
credentials: {account_key: not-a-key}
"""
MLOPS = Folders(files=("mlops/", "!mlops/old/"))


@pytest.fixture
def template(project: Project) -> Project:
    """A project in the layout of a template: `mlops/` has the YAML, and `data-science/` the code."""
    project.write("data-science/src/prep.py", "print('prep')\n")
    project.write("data-science/environment/train-conda.yml", "dependencies: [python=3.11]\n")
    project.write(
        "mlops/azureml/train/train-env.yml",
        """
        $schema: https://azuremlschemas.azureedge.net/latest/environment.schema.json
        name: taxi-train-env
        image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
        conda_file: ../../../data-science/environment/train-conda.yml
        """,
    )
    project.write(
        "mlops/azureml/train/pipeline.yml",
        """
        $schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
        type: pipeline
        experiment_name: taxi-fare-training
        inputs:
          input: {type: uri_folder, path: "azureml:taxi-data@latest"}
        outputs:
          train_data:
        settings: {default_compute: azureml:cpu}
        jobs:
          prep_data:
            name: prep_data
            code: ../../../data-science/src
            command: python prep.py --raw ${{inputs.raw}} --out ${{outputs.train_data}}
            environment: azureml:taxi-train-env@latest
            inputs: {raw: "${{parent.inputs.input}}"}
            outputs: {train_data: "${{parent.outputs.train_data}}"}
        """,
    )
    project.write("mlops/old/broken.yml", "$schema: https://azuremlschemas.azureedge.net/latest/data.schema.json\na: [")
    return project


def test_files_outside_the_conventions_are_selected_by_patterns(template: Project) -> None:
    added = set(template.versions(folders=MLOPS)) - set(template.versions())
    assert added == {
        "environment taxi-train-env",
        "pipeline job mlops-azureml-train-pipeline",
        "component mlops_azureml_train_pipeline_prep_data",
    }


def test_a_step_that_defines_its_work_becomes_a_component(template: Project) -> None:
    plan = template.load(folders=MLOPS)
    step = plan["pipeline_job", "mlops-azureml-train-pipeline"].definition["jobs"]["prep_data"]
    component = plan["component", "mlops_azureml_train_pipeline_prep_data"]
    assert component.definition["inputs"] == {"raw": {"type": "uri_folder"}}
    assert component.definition["environment"] == plan["environment", "taxi-train-env"].reference
    assert component.definition["code"] == "data-science/src"
    assert step["component"] == component.reference
    assert not {"command", "code", "environment"} & step.keys()
    assert component.path == "mlops/azureml/train/pipeline.yml#jobs.prep_data.component"


def test_an_asset_of_the_workspace_keeps_its_label(template: Project) -> None:
    pipeline = template.load(folders=MLOPS)["pipeline_job", "mlops-azureml-train-pipeline"]
    assert pipeline.definition["inputs"]["input"]["path"] == "azureml:taxi-data@latest"


@pytest.mark.parametrize(
    ("text", "asset"),
    [
        ("name: clean\ntype: command\ncommand: echo\nenvironment: azureml:training\n", "component clean"),
        ("name: lake\nimage: python:3.11\n", "environment lake"),
        ("name: week\ntype: uri_folder\npath: azureml://datastores/workspaceblobstore/paths/week\n", "data week"),
        ("name: m\ntype: mlflow_model\npath: azureml://jobs/j/outputs/model\n", "model m"),
        ("name: store\ntype: azure_blob\naccount_name: sto\ncontainer_name: raw\n", "datastore store"),
        ("command: echo\nenvironment: azureml:training\ncompute: azureml:cpu\n", "pipeline job more-it"),
        ("name: other\nauth_mode: key\n", "online endpoint other"),
        ("name: night\ntrigger: {type: cron, expression: 0 5 * * *}\ncreate_job: ../../pipelines/training.yml\n",
         "schedule night"),
    ],
)  # fmt: skip
def test_a_file_without_a_schema_is_recognised_by_its_keys(project: Project, text: str, asset: str) -> None:
    before = set(project.versions())
    project.write("ml/more/it.yaml", text)
    expected = asset.replace("more-it", "ml-more-it")
    assert set(project.versions()) - before == {expected}


@pytest.mark.attack
@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "../../../other.yml"])
def test_nothing_but_a_file_of_the_project_is_read(project: Project, target: str) -> None:
    """A preview waited for a pipe for ever, and read a device until the memory was full."""
    before = project.versions()
    (project.root.parent / "other.yml").write_text("a: 1\n")
    (project.root / "ml/more").mkdir()
    os.mkfifo(project.root / "ml/more/pipe")
    (project.root / "ml/more/it.yml").symlink_to(target)
    assert project.versions() == before


def test_an_asset_is_no_link_to_outside_of_the_project(project: Project) -> None:
    (project.root.parent / "other.yml").write_text("name: lake\nimage: python:3.11\n")
    (project.root / "ml/more").mkdir()
    (project.root / "ml/more/it.yml").symlink_to("../../../other.yml")
    with pytest.raises(CatalogueErrors, match=r"ml/more/it\.yml: is a link to outside of the project"):
        project.load()


@pytest.mark.parametrize("text", ["dependencies: [python]\n", "a: 1\n", "- 1\n", "services: {web: {image: x}}\n"])
def test_other_yaml_files_are_not_assets(project: Project, text: str) -> None:
    before = project.versions()
    project.write("ml/more/it.yml", text)
    assert (project.versions(), project.load().left) == (before, ())


def test_the_ending_does_not_matter(project: Project) -> None:
    before = project.versions()
    (project.root / "ml/data/days/data.yml").rename(project.root / "ml/data/days/data.yaml")
    assert project.versions() == before


@pytest.mark.parametrize("schema", ["comandJob", "autoMLForecastingJob", "unheardOf"])
def test_a_file_with_a_schema_that_is_not_known_is_judged_by_its_keys(project: Project, schema: str) -> None:
    """`az ml` reads no `$schema`."""
    text = f"$schema: {SCHEMA.format(schema)}\ncommand: echo\nenvironment: azureml:training\ncompute: azureml:cpu\n"
    project.write("mlops/job.yml", text)
    plan = project.load(folders=Folders(files=("mlops/",)))
    assert plan.left == ()
    assert plan["pipeline_job", "mlops-job"].definition["command"] == "echo"


@pytest.mark.parametrize(
    ("schema", "left"),
    [
        ("amlCompute", ("a compute target", "the platform's configuration has it")),
        ("workspace", ("a workspace", "the platform's configuration has it")),
        ("featureSet", ("a part of a feature store", "this package does not manage it")),
        ("importJob", ("a component or job of a type that cannot be managed", "this package does not manage it")),
        ("surprise", (f"'{SCHEMA.format('surprise')}'", "its schema is not known here")),
    ],
)
def test_a_file_that_cannot_be_managed_is_named_with_the_reason(
    project: Project, schema: str, left: tuple[str, str]
) -> None:
    project.write("ml/more/it.yml", f"$schema: {SCHEMA.format(schema)}\nname: it\n")
    assert project.load().left == (Left("ml/more/it.yml", *left),)


@pytest.mark.parametrize(
    ("path", "text", "what", "why"),
    [
        (
            "mlops/store.yml",
            STORE_WITH_KEY,
            "a datastore with credentials",
            "a secret cannot be in a repository; without `credentials` it is managed, and signs in by identity",
        ),
        (
            "mlops/deployment.yml",
            "name: blue\nendpoint_name: of-another-team\ninstance_type: Standard_DS3_v2\nmodel: azureml:team:3\n",
            "an online deployment",
            "no file defines its endpoint 'of-another-team'",
        ),
        (
            "mlops/store.yml",
            "type: azure_blob\nname: workspaceblobstore\naccount_name: account\ncontainer_name: raw\n",
            "a default datastore",
            "every workspace has it",
        ),
        (
            "mlops/green.yml",
            "name: green\nendpoint_name: flights\ninstance_type: Standard_DS3_v2\nmodel: azureml:team:3\n",
            "an online deployment",
            "endpoint 'flights' has its deployment in ml/deploy/blue-deployment.yml; a rollout makes the second one",
        ),
        (
            "mlops/pipeline.yml",
            "type: pipeline\njobs:\n  chat: {component: ./flow.dag.yaml}\n",
            "a pipeline job",
            "it uses mlops/flow.dag.yaml, which is a prompt flow",
        ),
        (
            "mlops/loop.yml",
            "type: pipeline\njobs:\n  a: {component: azureml:prep}\n  b: {type: do_while, body: a}\n",
            "a pipeline with a step of type do_while",
            control_flow.WHY,
        ),
    ],
)
def test_what_needs_a_secret_or_what_no_file_defines_stays_with_az_ml(
    project: Project, path: str, text: str, what: str, why: str
) -> None:
    project.write("mlops/flow.dag.yaml", f"$schema: {SCHEMA.format('Flow')}\ninputs: {{}}\n")
    project.write(path, text)
    before = project.versions()
    plan = project.load(folders=Folders(files=("mlops/",)))
    assert Left(path, what, why) in plan.left
    assert project.versions(folders=Folders(files=("mlops/",))) == before


def test_a_file_with_a_close_endpoint_has_a_mistake(project: Project) -> None:
    project.write("mlops/endpoint.yml", "name: online-one\nauth_mode: key\n")
    deployment = "name: blue\nendpoint_name: online-on\ninstance_type: Standard_DS3_v2\nmodel: azureml:team:3\n"
    project.write("mlops/deployment.yml", deployment)
    found = project.problem(folders=Folders(files=("mlops/",)))
    assert (found.message, found.fix) == ("unknown endpoint 'online-on'", "did you mean 'online-one'?")


def test_data_in_a_datastore_that_stays_with_az_ml_is_managed(project: Project) -> None:
    project.write("mlops/store.yml", STORE_WITH_KEY)
    project.write("mlops/rows.yml", "name: rows\ntype: uri_file\npath: azureml://datastores/raw/paths/rows.csv\n")
    plan = project.load(folders=Folders(files=("mlops/",)), datastores=frozenset())
    assert plan["data", "rows"].depends_on == ()


def test_files_of_an_asset_are_not_assets_themselves(project: Project) -> None:
    project.write("ml/prep/src/job/data.yaml", f"$schema: {SCHEMA.format('data')}\nname: inner\npath: .\n")
    assert [(left.path, left.why) for left in project.load().left] == [
        ("ml/prep/src/job/data.yaml", "it belongs to the files of component prep")
    ]


def test_a_component_beside_its_pipeline_is_found_by_the_reference(project: Project) -> None:
    project.write("jobs/steps/echo.yml", "command: echo\nenvironment: azureml:training\n")
    project.write("jobs/job.yml", "type: pipeline\njobs:\n  echo: {type: command, component: ./steps/echo.yml}\n")
    plan = project.load(folders=Folders(files=("jobs/job.yml",)))
    component = plan["component", "echo"]
    assert plan["pipeline_job", "jobs-job"].definition["jobs"]["echo"]["component"] == component.reference
    assert component.path == "jobs/steps/echo.yml"


def test_two_components_of_one_name_are_told_apart_by_their_files(project: Project) -> None:
    for folder in ("a", "b"):
        text = f"name: echo\ncommand: echo {folder}\nenvironment: azureml:training\n"
        project.write(f"jobs/{folder}/echo.yml", text)
        project.write(f"jobs/{folder}/job.yml", "type: pipeline\njobs:\n  echo: {component: ./echo.yml}\n")
    plan = project.load(folders=Folders(files=("jobs/",)))
    first, second = plan["component", "echo"], plan["component", "echo_b"]
    assert (first.path, second.path) == ("jobs/a/echo.yml", "jobs/b/echo.yml")
    assert plan["pipeline_job", "jobs-b-job"].definition["jobs"]["echo"]["component"] == second.reference


def test_a_component_gets_a_valid_name_if_a_pipeline_refers_to_it(project: Project) -> None:
    """`az ml` ignores the name of a component in a pipeline's folder, and refuses it in `az ml component create`."""
    echo = (
        f"$schema: {SCHEMA.format('commandComponent')}\nname: Say-Echo\ncommand: echo\nenvironment: azureml:training\n"
    )
    project.write("jobs/echo.yml", echo)
    message = "'Say-Echo' is not a valid component name"
    assert project.problem(folders=Folders(files=("jobs/",))).message == message
    project.write("jobs/job.yml", "type: pipeline\njobs:\n  echo: {type: command, component: ./echo.yml}\n")
    assert project.load(folders=Folders(files=("jobs/",)))["component", "say_echo"].path == "jobs/echo.yml"


def test_a_pipeline_that_another_one_refers_to_is_a_component(project: Project) -> None:
    project.write("jobs/z.yml", "type: pipeline\njobs:\n  prep: {component: azureml:prep, inputs: {days: {path: a}}}\n")
    project.write("jobs/a", "x")
    project.write("jobs/job.yml", "type: pipeline\njobs:\n  all: {type: pipeline, component: ./z.yml}\n")
    plan = project.load(folders=Folders(files=("jobs/*.yml",)))
    assert {str(each.id) for each in plan.assets if each.path.startswith("jobs/")} >= {
        "component z",
        "pipeline job jobs-job",
    }


def test_a_curated_environment_is_no_misspelt_one_of_the_project(project: Project) -> None:
    project.write("ml/environments/own/environment.yml", "name: azureml-pytorch-2.0-own\nimage: python:3.11\n")
    text = "name: say\ncommand: echo\nenvironment: azureml:AzureML-pytorch-2.0-cuda@latest\n"
    project.write("ml/say/component.yml", text)
    plan = project.load()
    assert plan["component", "say"].definition["environment"] == "azureml:AzureML-pytorch-2.0-cuda@latest"


def test_a_deployment_without_an_endpoint_has_a_mistake(project: Project) -> None:
    text = f"$schema: {SCHEMA.format('batchDeployment')}\nname: blue\nmodel: azureml:team:3\ncompute: azureml:cpu\n"
    project.write("mlops/deployment.yml", text)
    assert "'endpoint_name' is missing" in [each.message for each in project.problems(folders=MLOPS)]


ENVIRONMENT = f"$schema: {SCHEMA.format('environment')}\nname: lake\nimage: python:3.11\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ml/more/it.YML", ENVIRONMENT),
        ("ml/more/It.Yaml", ENVIRONMENT),
        ("ml/more/.hidden/it.yml", ENVIRONMENT),
        (".azureml/it.yml", ENVIRONMENT),
        ("ml/more/it.yml", "{'name': 'lake', \"image\": 'python:3.11'}\n"),
        ("ml/more/it.yml", "--- {name: lake, image: 'python:3.11'}\n"),
        ("ml/more/it.yml", "# A lake\n\n  name: lake\n  image: python:3.11\n"),
        ("ml/more/it.yml", "\ufeffimage: python:3.11\nname: lake\n"),
        ("ml/more/it.yml", f"%YAML 1.1\n---\n{ENVIRONMENT}"),
    ],
)
def test_an_asset_is_found_in_every_form_that_az_ml_reads(project: Project, path: str, text: str) -> None:
    before = set(project.versions())
    project.write(path, text.encode())
    folders = Folders(files=(".azureml/",))
    assert set(project.versions(folders=folders)) - before == {"environment lake"}


@pytest.mark.parametrize(
    "damage", ["tags: {a: [\n", "<<<<<<< HEAD\n", "---\nname: b\n", "tags:\n\ta: b\n", "name: b\n"]
)
@pytest.mark.parametrize("above", ["", "# A lake\n\n"])
def test_a_malformed_file_that_says_what_it_is_is_a_problem(project: Project, above: str, damage: str) -> None:
    project.write("ml/more/it.yml", (above + ENVIRONMENT + damage).encode())
    assert project.problem().file == "ml/more/it.yml"


def test_a_malformed_file_with_the_keys_of_an_asset_is_named(project: Project) -> None:
    project.write("ml/more/it.yml", "name: lake\nimage: python:3.11\ntags: {a: [\n")
    project.write("ml/more/chart.yml", "kind: Service\nspec: {{ .Values.spec }}\n")
    (left,) = project.load().left
    assert (left.path, left.what) == ("ml/more/it.yml", "a malformed file with the keys of an environment")
    assert left.why.startswith("line 4: malformed YAML")


def test_a_pattern_that_selects_no_file_is_named(template: Project) -> None:
    (warning,) = template.load(folders=Folders(files=("mlops/", "mlopz/", "!mlops/old/"))).warnings
    assert warning.message == "the pattern 'mlopz/' selects no YAML file"


JOB = """
type: pipeline
jobs:
  echo: {type: command, command: echo, environment: "azureml:training@latest", compute: "azureml:cpu"}
"""


@pytest.mark.parametrize("schema", ["pipelineComponent", "pipelineJob", "commandJob", ""])
@pytest.mark.parametrize("path", ["mlops/a.yml", "mlops/z.yml", "ml/inner/component.yml", "pipelines/a.yml"])
def test_the_file_of_a_step_is_a_component_whatever_it_says_and_wherever_it_is(
    project: Project, path: str, schema: str
) -> None:
    """azure-ai-ml reads it as one. It needs no name either."""
    head = f"$schema: {SCHEMA.format(schema)}\n" if schema else ""
    inner = "type: command\ncommand: echo\nenvironment: azureml:training@latest\n"
    project.write(path, head + (JOB if schema.startswith("pipeline") else inner))
    project.write(
        "mlops/m.yml", f"type: pipeline\nsettings: {{default_compute: cpu}}\njobs: {{a: {{component: ../{path}}}}}\n"
    )
    plan = project.load(folders=MLOPS)
    (target,) = [each for each in plan.of("component") if each.path == path]
    assert plan["pipeline_job", "mlops-m"].definition["jobs"]["a"]["component"] == target.reference


def test_a_schedule_starts_the_file_of_a_component_too(project: Project) -> None:
    project.write("mlops/inner.yml", f"$schema: {SCHEMA.format('pipelineComponent')}\nname: inner{JOB}")
    trigger = 'trigger: {type: cron, expression: "0 6 * * *"}'
    project.write("mlops/s.yml", f"name: night\n{trigger}\ncreate_job: ./inner.yml\n")
    plan = project.load(folders=MLOPS)
    assert plan["schedule", "night"].depends_on
    assert plan["component", "inner"].path == "mlops/inner.yml"


def test_a_file_without_a_name_that_nothing_refers_to_is_a_problem(project: Project) -> None:
    project.write("ml/more/it.yml", ENVIRONMENT.replace("name: lake\n", ""))
    assert project.problem().message == "'name' is missing"
