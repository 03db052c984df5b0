"""Pipelines with loops and conditions, by the real engine: planned, scheduled and run if the variable is set."""

from __future__ import annotations

import pytest
import yaml

from azureml_fixtures.engine import EngineProject, Make, operations
from pulumi_azureml.planning.control_flow import VARIABLE

COUNT = """
type: command
name: count
inputs: {most: {type: integer}, n: {type: integer, default: 0}, rows: {type: uri_file, optional: true}}
outputs: {next: {type: integer}, again: {type: boolean}, letters: {type: uri_file}}
environment: azureml:env-TAG
code: ./src
command: >-
  python count.py ${{inputs.most}} ${{inputs.n}} ${{outputs.next}} ${{outputs.again}} ${{outputs.letters}}
  $[[${{inputs.rows}}]]
"""
SOURCE = """
import pathlib, sys
most, n, *outputs = sys.argv[1:6]
read = "".join(pathlib.Path(each).read_text() for each in sys.argv[6:])
values = (int(n) + 1, str(int(n) + 1 < int(most)).lower(), read + "x")
for file, value in zip(outputs, values):
    pathlib.Path(file).write_text(str(value))
"""
ROUND = """
type: pipeline
name: round
inputs: {n: {type: integer, default: 0}}
outputs: {next: {type: integer}, again: {type: boolean}}
jobs:
  count:
    type: command
    component: azureml:count
    inputs: {most: 2, n: "${{parent.inputs.n}}"}
    outputs: {next: "${{parent.outputs.next}}", again: "${{parent.outputs.again}}"}
"""
FLOW = """
type: pipeline
settings: {default_compute: azureml:cpu, force_rerun: true}
outputs: {tables: {type: mltable}}
jobs:
  body: {type: command, component: azureml:count, inputs: {most: 3}}
  loop:
    type: do_while
    body: ${{parent.jobs.body}}
    condition: ${{parent.jobs.body.outputs.again}}
    mapping: {next: n, letters: rows}
    limits: {max_iteration_count: 5}
  round: {type: pipeline, component: ../ml/round/component.yml}
  rounds:
    type: do_while
    body: ${{parent.jobs.round}}
    condition: ${{parent.jobs.round.outputs.again}}
    mapping: {next: n}
    limits: {max_iteration_count: 5}
  item: {type: command, component: azureml:count}
  each:
    type: parallel_for
    body: ${{parent.jobs.item}}
    items: [{most: 1}, {most: 2}]
    outputs: {letters: "${{parent.outputs.tables}}"}
  yes: {type: command, component: azureml:count, inputs: {most: "${{parent.jobs.body.outputs.next}}"}}
  no: {type: command, component: azureml:count, inputs: {most: 1}}
  choice:
    type: if_else
    condition: ${{parent.jobs.body.outputs.again}}
    true_block: ${{parent.jobs.yes}}
    false_block: ${{parent.jobs.no}}
"""


@pytest.fixture
def flow(make: Make) -> EngineProject:
    """Return a project with a scheduled pipeline of all kinds of control flow, which the update runs."""
    project = make()
    project.environment[VARIABLE] = "true"
    files = {"ml/count/component.yml": COUNT.replace("TAG", project.tag), "ml/count/src/count.py": SOURCE}
    for path, text in {**files, "ml/round/component.yml": ROUND, "pipelines/flow.yml": FLOW}.items():
        project.write(path, text)
    schedule = {"name": "flows", "trigger": {"type": "cron", "expression": "0 6 * * *"}, "create_job": "../flow.yml"}
    project.write("pipelines/schedules/flows.yml", yaml.safe_dump(schedule))
    project.write("ml/environment/conda.yml", {"name": "plain", "dependencies": ["python=3.11"]})
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    project.edit("ml/environment/environment.yml", image=image, conda_file="./conda.yml")
    program = (project.root / "__main__.py").read_text("utf-8").replace(", check_with_azure=False", "")
    program = program.replace("workspace=workspace)", 'workspace=workspace, runs={"flow": 5})')
    project.write("__main__.py", program + '\npulumi.export("job", assets.resources["pipeline_job"]["flow"].job)\n')
    return project


def test_loops_and_conditions_are_planned_scheduled_and_run_to_their_end(flow: EngineProject) -> None:
    flow.up()
    name = flow.pulumi("stack", "output", "job", "--stack", "test").strip()
    assert flow.ml.jobs.get(name).status == "Completed"

    def steps(parent: str) -> dict[str, tuple[str, str]]:
        found = flow.ml.jobs.list(parent_job_name=parent)
        return {each.display_name: (each.name, each.status) for each in found}

    ran = steps(name)
    assert {step: status for step, (_, status) in ran.items()} == {
        "body": "Completed", "round": "Completed", "each": "Completed", "yes": "Canceled", "no": "Completed"
    }  # fmt: skip
    inner = {step: [status for _, status in steps(ran[step][0]).values()] for step in ("body", "round", "each")}
    assert inner == {"body": ["Completed"] * 3, "round": ["Completed"] * 2, "each": ["Completed"] * 2}
    scheduled = flow.ml.schedules.get("flows").create_job.jobs
    assert {scheduled[each].type for each in ("loop", "each", "choice")} == {"do_while", "parallel_for", "if_else"}

    assert operations(flow.preview(0, "--json")) == {}
    flow.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", "test")
    told = flow.preview(**{VARIABLE: "false"}, expect=1)
    assert f"set {VARIABLE}=true in the environment of Pulumi to plan it" in told
    flow.destroy()
