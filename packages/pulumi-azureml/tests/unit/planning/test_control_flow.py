"""Pipelines with `if_else`, `do_while` and `parallel_for`, which azure-ai-ml takes if a variable is set."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import yaml

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import Left
from pulumi_azureml.planning.control_flow import VARIABLE

FILE = "pipelines/flow.yml"
COMPONENTS = {
    "ml/count/component.yml": """
        type: command
        name: count
        description: Counts.
        inputs:
          most: {type: integer}
          n: {type: integer, default: 0}
          before: {type: uri_folder, optional: true}
        outputs: {next: {type: integer}, again: {type: boolean}, rows: {type: uri_folder}}
        code: ./src
        environment: azureml:training
        command: python count.py ${{inputs.most}}
        """,
    "ml/count/src/count.py": "print('count')\n",
    "ml/round/component.yml": """
        type: pipeline
        name: round
        inputs: {n: {type: integer, default: 0}}
        outputs: {next: {type: integer}, again: {type: boolean}}
        jobs:
          count:
            type: command
            component: azureml:count
            inputs: {most: 3, n: "${{parent.inputs.n}}"}
            outputs: {next: "${{parent.outputs.next}}", again: "${{parent.outputs.again}}"}
        """,
}
FLOW = """
type: pipeline
settings: {default_compute: azureml:cpu}
inputs: {third: 3}
outputs: {tables: {type: mltable}}
jobs:
  body: {type: command, component: ../ml/count/component.yml, inputs: {most: 3}}
  loop:
    type: do_while
    body: ${{parent.jobs.body}}
    condition: ${{parent.jobs.body.outputs.again}}
    mapping: {next: n, rows: before}
    limits: {max_iteration_count: 5}
  round: {type: pipeline, component: azureml:round}
  rounds:
    type: do_while
    body: ${{parent.jobs.round}}
    condition: again
    mapping: {"${{parent.jobs.round.outputs.next}}": ["${{parent.jobs.round.inputs.n}}"]}
    limits: {max_iteration_count: 2}
  item: {type: command, component: azureml:count}
  each:
    type: parallel_for
    body: ${{parent.jobs.item}}
    items:
      - {most: 1, before: {type: uri_folder, path: azureml:days}}
      - {most: "${{parent.inputs.third}}", before: {type: uri_folder, path: azureml:days}}
    max_concurrency: 2
    outputs: {rows: "${{parent.outputs.tables}}"}
  chosen: {type: command, component: azureml:count, inputs: {most: 1}}
  other: {type: command, component: azureml:count, inputs: {most: "${{parent.jobs.body.outputs.next}}"}}
  choice:
    type: if_else
    condition: ${{parent.jobs.body.outputs.again}}
    true_block: ${{parent.jobs.chosen}}
    false_block: ["${{parent.jobs.other}}"]
  table:
    type: command
    command: ls ${{inputs.rows}} ${{inputs.text}}
    environment: azureml:training
    inputs: {rows: "${{parent.jobs.each.outputs.rows}}", text: "${{parent.jobs.each.outputs.next}}"}
"""
OUTPUTS = {"next": {"type": "integer"}, "rows": {"type": "uri_folder"}}


@pytest.fixture
def flow(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with all kinds of control flow, for a program that has the variable."""
    monkeypatch.setenv(VARIABLE, "true")
    for path, text in {**COMPONENTS, FILE: FLOW}.items():
        project.write(path, text)
    return project


def change(flow: Project, step: str, **changes: Any) -> None:
    """Change keys of a step. None removes a key."""
    pipeline = yaml.safe_load((flow.root / FILE).read_text("utf-8"))
    content = {**pipeline["jobs"].get(step, {}), **changes}
    pipeline["jobs"][step] = {key: value for key, value in content.items() if value is not None}
    flow.write(FILE, yaml.safe_dump(pipeline, sort_keys=False))


def test_a_pipeline_with_control_flow_is_planned_and_the_plan_says_why(flow: Project) -> None:
    plan = flow.load()
    assert plan.left == ()
    (warning,) = plan.warnings
    assert (warning.file, warning.line) == (FILE, 8)
    assert warning.message == f"step 'loop' is of type do_while, a private preview, and planned as {VARIABLE} is set"
    asset = plan["pipeline_job", "flow"]
    jobs = asset.definition["jobs"]
    reference = plan["component", "count"].reference
    assert [jobs[name]["component"] for name in ("item", "chosen", "other")] == [reference] * 3
    days = {"type": "uri_folder", "path": plan["data", "days"].reference}
    assert jobs["each"]["items"][0] == {"most": 1, "before": days}
    assert {str(each) for each in asset.depends_on} == {
        "component count", "component round", "component flow_table", "data days"
    }  # fmt: skip
    table = plan["component", "flow_table"].definition
    assert table["inputs"] == {"rows": {"type": "mltable"}, "text": {"type": "string"}}


def test_the_body_of_a_loop_is_in_its_pipeline_with_the_content_of_its_component(flow: Project) -> None:
    plan = flow.load()
    asset, count = plan["pipeline_job", "flow"], plan["component", "count"]
    body = asset.definition["jobs"]["body"]["component"]
    kept = ("type", "inputs", "outputs", "code", "environment", "command")
    assert body == {key: count.definition[key] for key in kept}
    assert asset.trees["jobs", "body", "component", "code"] == count.trees["code",]
    inner = asset.definition["jobs"]["round"]["component"]["jobs"]["count"]["component"]
    assert inner == count.reference
    before = flow.versions()
    flow.replace("ml/count/component.yml", "Counts.", "It counts.")
    assert flow.versions() == before
    flow.write("ml/count/src/count.py", "print('changed')\n")
    after = flow.versions()
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"component count", "component round", "pipeline job flow"}


def test_a_schedule_and_a_pipeline_component_may_have_control_flow(flow: Project) -> None:
    flow.write("pipelines/schedules/hourly.yml", "name: hourly\ntrigger: {type: cron, expression: '0 * * * *'}\n"
               "create_job: ../flow.yml\n")  # fmt: skip
    jobs = yaml.safe_load(FLOW)["jobs"]
    whole = {"type": "pipeline", "name": "whole", "jobs": {name: jobs[name] for name in ("round", "rounds")}}
    flow.write("ml/whole/component.yml", yaml.safe_dump(whole, sort_keys=False))
    plan = flow.load()
    body = plan["component", "round"].definition["jobs"]
    assert plan["component", "whole"].definition["jobs"]["round"]["component"]["jobs"] == body
    schedule = plan["schedule", "hourly"]
    assert ("create_job", "jobs", "body", "component", "code") in schedule.trees
    assert schedule.definition["create_job"]["jobs"]["round"]["component"]["jobs"] == body


def test_without_the_variable_it_stays_with_az_ml_and_the_plan_names_the_cure(
    flow: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "false")
    cure = f"set {VARIABLE}=true in the environment of Pulumi to plan it"
    why = f"azure-ai-ml takes that as a private preview only: {cure}"
    assert flow.load().left == (Left(FILE, "a pipeline with a step of type do_while", why),)


@pytest.mark.parametrize(
    ("step", "changes", "message"),
    [
        ("loop", {"body": "${{parent.jobs.bodi}}"}, "there is no step 'bodi'"),
        ("loop", {"body": "body"}, "'body' of 'loop' is 'body', and must name a step"),
        ("loop", {"body": "${{parent.jobs.each}}"},
         "'each' is of type parallel_for, which azure-ai-ml takes in no block and no body"),
        ("item", {"component": None, "command": "ls", "environment": "azureml:training", "outputs": OUTPUTS},
         "azure-ai-ml repeats no step like 'item': it takes components of type command or pipeline"),
        ("body", {"component": "azureml:team_count:3"},
         "azure-ai-ml repeats a component only if it reads its file, and no file defines that of 'body'"),
        ("loop", {"condition": True}, "azure-ai-ml takes no true for the condition of 'loop'"),
        ("loop", {"condition": "${{parent.jobs.body.outputs.agian}}"},
         "'body', the body of the loop, has no output 'agian'"),
        ("loop", {"mapping": {"nxt": "n"}}, "'body', the body of the loop, has no output 'nxt'"),
        ("loop", {"mapping": {"next": ["m"]}}, "'body', the body of the loop, has no input 'm'"),
        ("loop", {"mapping": None}, "'jobs.loop' has no 'mapping'"),
        ("body", {"inputs": None}, "step 'body' gives no value to input 'most' of component 'count'"),
        ("each", {"items": [{"most": 1, "moist": 1}]}, "'item', the body of the loop, has no input 'moist'"),
        ("each", {"items": [{"most": "many"}]}, "input 'most' takes integer but gets 'many' (string)"),
        ("each", {"items": [{"n": 1}]}, "step 'item' gives no value to input 'most' of component 'count'"),
        ("each", {"items": '[{"most": 1'}, "the items of 'each' are neither JSON nor a binding: "),
        ("each", {"items": "${{parent.inputs.nothing}}"}, "${{parent.inputs.nothing}}: the pipeline has no input"),
        ("each", {"items": [{"most": 1, "before": {"type": "uri_folder", "path": "rows"}}]},
         "azure-ai-ml uploads no files of this machine for items: 'rows'"),
        ("each", {"items": [{"most": 1, "before": {"type": "uri_folder", "path": "azureml:dayz"}}]},
         "unknown data 'dayz'"),
        ("each", {"outputs": {"row": {"type": "mltable"}}}, "'item', the body of the loop, has no output 'row'"),
        ("choice", {"condition": "${{parent.jobs.body.outputs.agian}}"}, "step 'body' has no output 'agian'"),
        ("choice", {"condition": "${{parent.jobs.body.outputs.rows}}"},
         "the condition of 'choice' is bound to data (uri_folder)"),
        ("choice", {"true_block": "${{parent.jobs.chose}}"}, "there is no step 'chose'"),
        ("choice", {"false_block": ["${{parent.jobs.loop}}"]},
         "'loop' is of type do_while, which azure-ai-ml takes in no block and no body"),
        ("chosen", {"inputs": {"most": "${{parent.jobs.loop.outputs.next}}"}},
         "${{parent.jobs.loop.outputs.next}}: 'loop' is a loop, and its outputs are those of its body"),
        ("chosen", {"inputs": {"most": "${{parent.jobs.choice.outputs.next}}"}}, "step 'choice' has no output 'next'"),
        ("choice", {"condition": "${{parent.jobs.chosen.outputs.again}}"}, "the steps wait for each other: "),
    ],
)  # fmt: skip
def test_control_flow_that_fits_no_step_is_refused_at_its_line(
    flow: Project, step: str, changes: dict[str, Any], message: str
) -> None:
    change(flow, step, **changes)
    problem = flow.problem()
    assert message in problem.message
    assert problem.file == FILE
    assert problem.line > 1


def test_items_may_be_json_or_come_from_a_run(flow: Project) -> None:
    change(flow, "each", items='[{"most": 1, "before": {"type": "uri_folder", "path": "azureml:days"}}]')
    plan = flow.load()
    items = plan["pipeline_job", "flow"].definition["jobs"]["each"]["items"]
    assert items[0]["before"]["path"] == plan["data", "days"].reference
    change(flow, "each", items="${{parent.jobs.body.outputs.next}}")
    assert flow.load()["pipeline_job", "flow"].definition["jobs"]["each"]["items"].startswith("${{")


ASK = """
import sys
from pathlib import Path
from pulumi_azureml.planning import CatalogueErrors, CatalogueSettings, load_catalogue
from pulumi_azureml.operations.staging import load, staged
root = Path(sys.argv[1])
try:
    plan = load_catalogue(root, CatalogueSettings(None, cache_folder=None))
except CatalogueErrors as errors:
    sys.exit("; ".join(each.message for each in errors.problems))
asset = plan["pipeline_job", "flow"]
trees = [{"keys": list(keys), "hash": tree.hash} for keys, tree in asset.trees.items()]
with staged(asset.definition, trees, asset.path, root) as here:
    sent = load("load_job", here, root)._to_rest_object().as_dict()["properties"]["jobs"]
print([sent[name].get("mapping") for name in ("loop", "rounds")])
"""


def ask(flow: Project) -> subprocess.CompletedProcess[str]:
    """Plan the project and load its pipeline with azure-ai-ml, which reads the variable when it is imported."""
    command = [sys.executable, "-W", "ignore", "-c", ASK, str(flow.root)]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_azure_ai_ml_takes_what_is_planned(flow: Project) -> None:
    ran = ask(flow)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().endswith("[{'next': ['n'], 'rows': ['before']}, {'next': ['n']}]")


def test_azure_ai_ml_refuses_what_only_it_knows(flow: Project) -> None:
    change(flow, "loop", mapping={"rows": "n"})
    assert "rows is a non-primitive type output and n is a primitive input" in ask(flow).stderr
