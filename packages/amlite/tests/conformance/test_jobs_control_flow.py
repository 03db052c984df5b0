"""Pipelines with if_else, do_while and parallel_for, through the real azure-ai-ml client, where they are previews."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.jobs import CLUSTER, children, equip, history, processes, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

COMPONENTS = {
    "decide": """
inputs: {say: {type: string}}
outputs: {verdict: {type: boolean}}
command: echo ${{inputs.say}} > ${{outputs.verdict}}
""",
    "write": """
inputs: {text: {type: string}, early: {type: uri_file, optional: true}, late: {type: uri_file, optional: true}}
outputs: {o: {type: uri_file}}
command: >-
  cat $[[${{inputs.early}}]] $[[${{inputs.late}}]] /dev/null > ${{outputs.o}};
  printf ${{inputs.text}} >> ${{outputs.o}}
""",
    # Adds one to a number and a letter to a file, until there are as many as wanted.
    "count": """
inputs:
  most: {type: integer}
  n: {type: integer, default: 0}
  before: {type: uri_file, optional: true}
  wait: {type: number, default: 0}
outputs: {next: {type: integer}, again: {type: boolean}, letters: {type: uri_file}}
command: >-
  sleep ${{inputs.wait}};
  cat $[[${{inputs.before}}]] /dev/null > ${{outputs.letters}}; printf x >> ${{outputs.letters}};
  echo $((${{inputs.n}} + 1)) > ${{outputs.next}};
  test $((${{inputs.n}} + 1)) -lt ${{inputs.most}} && echo true > ${{outputs.again}} || echo false > ${{outputs.again}}
""",
    "square": """
inputs: {n: {type: integer, max: 9}, wait: {type: number, default: 0}}
outputs: {file: {type: uri_file}, folder: {type: uri_folder}, value: {type: integer}}
command: >-
  sleep ${{inputs.wait}}; echo $((${{inputs.n}} * ${{inputs.n}})) | tee ${{outputs.file}} > ${{outputs.value}};
  test ${{inputs.n}} -ne 7 || { echo seven is refused; exit 3; }
""",
    "list": """
inputs: {table: {type: mltable}}
outputs: {o: {type: uri_file}}
command: cp ${{inputs.table}}/MLTable ${{outputs.o}}
""",
    "copy": """
inputs: {file: {type: uri_file}}
outputs: {o: {type: uri_file}}
command: cp ${{inputs.file}} ${{outputs.o}}
""",
    "choose": """
outputs: {items: {type: string}}
command: echo '[{"n":2},{"n":3}]' > ${{outputs.items}}
""",
    "report": """
inputs: {seen: {type: integer}}
outputs: {flag: {type: boolean}, words: {type: string}}
code: ./report
command: python report.py ${{inputs.seen}}
""",
}
# As mldesigner's function _write_properties_to_run_history: it sets a property of its own run.
REPORT = """
import json, os, sys, urllib.request
values = json.dumps({"flag": int(sys.argv[1]) > 2, "words": "a b"})
address = (f"{os.environ['AZUREML_SERVICE_ENDPOINT']}/history/v1.0{os.environ['AZUREML_WORKSPACE_SCOPE']}"
           f"/experimentids/{os.environ['MLFLOW_EXPERIMENT_ID']}/runs/{os.environ['MLFLOW_RUN_ID']}")
body = {"runId": os.environ["MLFLOW_RUN_ID"], "properties": {"azureml.pipeline.control": values}}
headers = {"Authorization": f"Bearer {os.environ['MLFLOW_TRACKING_TOKEN']}", "Content-Type": "application/json"}
asked = urllib.request.Request(address, json.dumps(body).encode(), headers, method="PATCH")
assert urllib.request.urlopen(asked).status == 200
"""
Json = dict[str, Any]
Submit = Callable[..., str]


@pytest.fixture(scope="module")
def client(amlite: LocalAzure) -> MLClient:
    """Return the real client of a workspace."""
    return equip(Workspace.create(amlite, "flow")).client()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the components."""
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "report").mkdir()
    (folder / "report/report.py").write_text(REPORT, "utf-8")
    for name, content in COMPONENTS.items():
        head = f'type: command\nname: {name}\nversion: "1"\nenvironment: azureml:plain:1\n'
        (folder / f"{name}.yml").write_text(head + content, "utf-8")
    (folder / "nested.yml").write_text(NESTED, "utf-8")
    return folder


@pytest.fixture(scope="module")
def submit(client: MLClient, folder: Path) -> Submit:
    """Return a function that submits a pipeline's YAML as `az ml` with private features does.

    azure-ai-ml knows the control flow of YAML only if the variable is set before it is imported: in another process.
    """

    def submitted(text: str, **settings: Any) -> str:
        content = {"type": "pipeline", "experiment_name": "tests", **yaml.safe_load(text)}
        # No test takes the results of another one.
        content["settings"] = {"default_compute": f"azureml:{CLUSTER}", "force_rerun": True, **settings}
        (folder / "pipeline.yml").write_text(yaml.safe_dump(content), "utf-8")
        scope = (client.subscription_id, client.resource_group_name, client.workspace_name)
        script = (
            "import sys; from azure.ai.ml import MLClient, load_job; "
            "from azure.identity import DefaultAzureCredential; "
            "client = MLClient(DefaultAzureCredential(), *sys.argv[2:]); "
            "print(client.jobs.create_or_update(load_job(sys.argv[1])).name)"
        )
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, str(folder / "pipeline.yml"), *map(str, scope)],
            env={**os.environ, "AZURE_ML_CLI_PRIVATE_FEATURES_ENABLED": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.split()[-1]

    return submitted


def completed(client: MLClient, name: str) -> dict[str, Any]:
    """Wait until a pipeline has completed, and return its steps."""
    assert until(client, name).status == "Completed", history(client, name).error
    return children(client, name)


def text(client: MLClient, name: str, output: str, folder: Path) -> str:
    """Return the text of an output that is a file."""
    client.jobs.download(name, download_path=str(folder / name), output_name=output)
    return next(path.read_text("utf-8") for path in (folder / name).rglob("*") if path.is_file())


BRANCHES = """
outputs: {end: {type: uri_file}}
jobs:
  decided: {type: command, component: ./decide.yml, inputs: {say: "true"}}
  chosen:
    type: if_else
    condition: ${{parent.jobs.decided.outputs.verdict}}
    true_block: ["${{parent.jobs.yes}}", "${{parent.jobs.also}}"]
    false_block: ${{parent.jobs.no}}
  'yes': {type: command, component: ./write.yml, inputs: {text: "y"}, outputs: {o: "${{parent.outputs.end}}"}}
  also: {type: command, component: ./write.yml, inputs: {text: "a"}}
  'no': {type: command, component: ./decide.yml, inputs: {say: "false"}}
  after_no: {type: if_else, condition: "${{parent.jobs.no.outputs.verdict}}", true_block: "${{parent.jobs.never}}"}
  never: {type: command, component: ./write.yml, inputs: {text: "n"}}
  joined:
    type: command
    component: ./write.yml
    inputs: {text: "j", early: "${{parent.jobs.never.outputs.o}}", late: "${{parent.jobs.yes.outputs.o}}"}
"""


def test_a_condition_runs_one_of_two_branches(client: MLClient, submit: Submit, tmp_path: Path) -> None:
    name = submit(BRANCHES)
    steps = completed(client, name)
    assert {key: child.status for key, child in steps.items()} == {
        "decided": "Completed", "yes": "Completed", "also": "Completed", "joined": "Completed",
        "no": "Canceled", "never": "Canceled",
    }  # fmt: skip
    assert text(client, name, "end", tmp_path) == "y"
    assert text(client, steps["joined"].name, "o", tmp_path) == "yj"


LOOP = """
outputs: {letters: {type: uri_file}}
jobs:
  body:
    type: command
    component: ./count.yml
    inputs: {most: 3}
    outputs: {letters: "${{parent.outputs.letters}}"}
  loop:
    type: do_while
    body: ${{parent.jobs.body}}
    condition: ${{parent.jobs.body.outputs.again}}
    mapping: {next: n, letters: before}
    limits: {max_iteration_count: 5}
  report: {type: command, component: ./report.yml, inputs: {seen: "${{parent.jobs.body.outputs.next}}"}}
  told:
    type: if_else
    condition: ${{parent.jobs.report.outputs.flag}}
    true_block: ${{parent.jobs.said}}
  said:
    type: command
    component: ./write.yml
    inputs: {text: "${{parent.jobs.report.outputs.words}}", early: "${{parent.jobs.body.outputs.letters}}"}
"""


def test_a_loop_repeats_its_body_with_what_it_made(client: MLClient, submit: Submit, tmp_path: Path) -> None:
    name = submit(LOOP)
    steps = completed(client, name)
    assert set(steps) == {"body", "report", "said"}
    assert list(children(client, steps["body"].name)) == ["body_0", "body_1", "body_2"]
    assert text(client, name, "letters", tmp_path) == "xxx"
    assert text(client, steps["said"].name, "o", tmp_path) == "xxxa"


def test_a_loop_ends_at_its_limit(client: MLClient, submit: Submit) -> None:
    unlimited = LOOP.replace("most: 3", "most: 99").replace("max_iteration_count: 5", "max_iteration_count: 2")
    steps = completed(client, submit(unlimited))
    assert list(children(client, steps["body"].name)) == ["body_0", "body_1"]
    assert steps["said"].status == "Canceled"


ITEMS = """
inputs: {third: 3}
outputs: {files: {type: mltable}}
jobs:
  body: {type: command, component: ./square.yml, inputs: {wait: 0.2}}
  each:
    type: parallel_for
    body: ${{parent.jobs.body}}
    items: [{n: 1}, {n: 2}, {n: "${{parent.inputs.third}}"}]
    max_concurrency: 1
    outputs: {file: "${{parent.outputs.files}}"}
  list: {type: command, component: ./list.yml, inputs: {table: "${{parent.jobs.each.outputs.folder}}"}}
"""


def squares(client: MLClient, uris: list[str], folder: Path) -> list[str]:
    """Return the texts of files in the datastore by their URIs."""
    from azure.ai.ml import Input, command

    found = []
    for number, uri in enumerate(uris):
        line = "cat ${{inputs.file}} > ${{outputs.o}}"
        job = command(
            command=line,
            environment="plain:1",
            compute=CLUSTER,
            inputs={"file": Input(type="uri_file", path=uri)},
            outputs={"o": {"type": "uri_file"}},
        )
        name = client.jobs.create_or_update(job).name
        assert until(client, name).status == "Completed", history(client, name).error
        found.append(text(client, name, "o", folder / str(number)).strip())
    return found


def test_items_run_side_by_side_and_their_outputs_are_a_table(client: MLClient, submit: Submit, tmp_path: Path) -> None:
    name = submit(ITEMS)
    steps = completed(client, name)
    iterations = children(client, steps["each"].name)
    assert list(iterations) == ["each_0", "each_1", "each_2"]
    times = [history(client, child.name) for child in iterations.values()]
    assert all(first.end_time_utc <= second.start_time_utc for first, second in itertools.pairwise(times))
    table = yaml.safe_load(text(client, name, "files", tmp_path))
    assert squares(client, [path["file"] for path in table["paths"]], tmp_path) == ["1", "4", "9"]
    folders = yaml.safe_load(text(client, steps["list"].name, "o", tmp_path))["paths"]
    assert [list(path) for path in folders] == [["folder"]] * 3


NESTED = """
type: pipeline
name: nested
version: "1"
inputs: {n: {type: integer}, big: {type: boolean}}
outputs: {file: {type: uri_file}, text: {type: uri_file}}
jobs:
  square:
    type: command
    component: ./square.yml
    inputs: {n: "${{parent.inputs.n}}"}
    outputs: {file: "${{parent.outputs.file}}"}
  large:
    type: command
    component: ./write.yml
    inputs: {text: "large"}
    outputs: {o: "${{parent.outputs.text}}"}
  check: {type: if_else, condition: "${{parent.inputs.big}}", true_block: "${{parent.jobs.large}}"}
"""
CHOSEN = """
jobs:
  choose: {type: command, component: ./choose.yml}
  big: {type: command, component: ./decide.yml, inputs: {say: "false"}}
  body: {type: pipeline, component: ./nested.yml, inputs: {big: "${{parent.jobs.big.outputs.verdict}}"}}
  each: {type: parallel_for, body: "${{parent.jobs.body}}", items: "${{parent.jobs.choose.outputs.items}}"}
  list: {type: command, component: ./list.yml, inputs: {table: "${{parent.jobs.each.outputs.file}}"}}
  none: {type: command, component: ./list.yml, inputs: {table: "${{parent.jobs.each.outputs.text}}"}}
"""
INNER = """
jobs:
  one: {type: pipeline, component: ./nested.yml, inputs: {n: 1, big: false}}
  may: {type: command, component: ./write.yml, inputs: {text: "m", early: "${{parent.jobs.one.outputs.text}}"}}
  must: {type: command, component: ./copy.yml, inputs: {file: "${{parent.jobs.one.outputs.text}}"}}
"""


def test_an_output_that_no_branch_of_a_component_has_written_is_left_out(
    client: MLClient, submit: Submit, tmp_path: Path
) -> None:
    steps = completed(client, submit(INNER))
    assert {key: child.status for key, child in steps.items()} == {
        "one": "Completed", "may": "Completed", "must": "Canceled"
    }  # fmt: skip
    assert text(client, steps["may"].name, "o", tmp_path) == "m"
    assert "'one' gives nothing to input 'file'" in str(history(client, steps["must"].name).as_dict())


def test_items_of_a_run_go_through_a_pipeline_with_a_condition(
    client: MLClient, submit: Submit, tmp_path: Path
) -> None:
    steps = completed(client, submit(CHOSEN))
    inner = [children(client, child.name) for child in children(client, steps["each"].name).values()]
    assert [{key: child.status for key, child in steps.items()} for steps in inner] == [
        {"square": "Completed", "large": "Canceled"}
    ] * 2
    table = yaml.safe_load(text(client, steps["list"].name, "o", tmp_path))
    assert squares(client, [path["file"] for path in table["paths"]], tmp_path) == ["4", "9"]
    assert yaml.safe_load(text(client, steps["none"].name, "o", tmp_path)) == {"paths": []}


FAILING = """
jobs:
  body: {type: command, component: ./square.yml}
  each: {type: parallel_for, body: "${{parent.jobs.body}}", items: [{n: 7}, {n: 1, }, {n: 2}], max_concurrency: 1}
  list: {type: command, component: ./list.yml, inputs: {table: "${{parent.jobs.each.outputs.file}}"}}
"""


@pytest.mark.parametrize("carry_on", [False, True])
def test_a_failed_iteration_fails_its_loop(carry_on: bool, client: MLClient, submit: Submit) -> None:
    name = submit(FAILING, continue_on_step_failure=carry_on)
    assert until(client, name).status == "Failed"
    error = history(client, name).error.error.message
    assert "Failed nodes: /each" in error
    assert "each_0" in error
    assert "seven is refused" in error
    steps = children(client, name)
    assert steps["list"].status == "Canceled"
    others = [child.status for child in children(client, steps["each"].name).values()]
    assert others == ["Failed", *(["Completed"] * 2 if carry_on else ["Canceled"] * 2)]


SLOW = """
jobs:
  body: {type: command, component: ./count.yml, inputs: {most: 3, wait: 1.5}}
  loop:
    type: do_while
    body: ${{parent.jobs.body}}
    condition: again
    mapping: {next: [n]}
    limits: {max_iteration_count: 9}
  square: {type: command, component: ./square.yml, inputs: {wait: 60}}
  each: {type: parallel_for, body: "${{parent.jobs.square}}", items: [{n: 1}, {n: 2}], max_concurrency: 1}
"""
"""Both loops run at once on the two nodes of the cluster, one iteration each."""


def running(client: MLClient, name: str, *steps: str) -> list[str]:
    """Wait until an iteration of each of these loops runs, and return their names."""
    found: dict[str, str] = {}
    while len(found) < len(steps):
        for step, loop in children(client, name).items():
            for child in children(client, loop.name).values():
                if child.status == "Running":
                    found[step] = child.name
        time.sleep(0.05)
    return list(found.values())


def test_cancel_ends_the_iterations(client: MLClient, submit: Submit) -> None:
    name = submit(SLOW.replace("wait: 1.5", "wait: 60"))
    begun = running(client, name, "body", "each")
    client.jobs.begin_cancel(name).result()
    assert client.jobs.get(name).status == "Canceled"
    assert not [process for each in begun for process in processes(each)]
    loops = children(client, name)
    assert {child.status for child in loops.values()} == {"Canceled"}
    for loop in loops.values():
        assert "Canceled" in {child.status for child in children(client, loop.name).values()}


def test_a_loop_goes_on_where_it_was_after_a_restart(client: MLClient, submit: Submit, amlite: LocalAzure) -> None:
    name = submit(SLOW[: SLOW.index("  square")])
    while len(done := children(client, name)) == 0 or len(children(client, done["body"].name)) < 2:
        time.sleep(0.05)
    first = children(client, done["body"].name)["body_0"]
    ended = history(client, first.name).end_time_utc
    amlite.command("stop")
    amlite.command("start")
    iterations = children(client, completed(client, name)["body"].name)
    assert list(iterations) == ["body_0", "body_1", "body_2"]
    assert history(client, first.name).end_time_utc == ended


EACH = """
jobs:
  body: {type: command, component: ./square.yml}
  each:
    type: parallel_for
    body: ${{parent.jobs.body}}
    items: [{n: 1, wait: 0}, {n: 2, wait: 4}, {n: 3, wait: 0}, {n: 4, wait: 0}]
    max_concurrency: 1
  list: {type: command, component: ./list.yml, inputs: {table: "${{parent.jobs.each.outputs.file}}"}}
"""


def test_the_items_of_a_loop_go_on_where_they_were_after_a_restart(
    client: MLClient, submit: Submit, amlite: LocalAzure
) -> None:
    name = submit(EACH)
    while len(loops := children(client, name)) == 0 or not (found := children(client, loops["each"].name)):
        time.sleep(0.05)
    while history(client, found["each_1"].name).status != "Running":
        time.sleep(0.05)
    ended = history(client, found["each_0"].name).end_time_utc
    amlite.command("stop")
    amlite.command("start")
    each = children(client, completed(client, name)["each"].name)
    assert {key: child.status for key, child in each.items()} == {f"each_{n}": "Completed" for n in range(4)}
    assert {key: child.name for key, child in each.items()} == {key: child.name for key, child in found.items()}
    assert history(client, each["each_0"].name).end_time_utc == ended
    times = [history(client, child.name) for _, child in sorted(each.items())]
    assert all(one.end_time_utc <= next_.start_time_utc for one, next_ in itertools.pairwise(times[1:]))


def test_dsl_builds_the_same_control_flow(client: MLClient, folder: Path) -> None:
    from azure.ai.ml import dsl, load_component
    from azure.ai.ml.dsl._condition import condition
    from azure.ai.ml.dsl._do_while import do_while
    from azure.ai.ml.dsl._parallel_for import parallel_for

    count, square, write = (load_component(folder / f"{name}.yml") for name in ("count", "square", "write"))

    @dsl.pipeline(name="flow", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def flow(wanted):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        body = count(most=2)
        do_while(body=body, condition=body.outputs.again, mapping={body.outputs.next: body.inputs.n},
                 max_iteration_count=3)  # fmt: skip
        item = square()
        parallel_for(body=item, items=[{"n": 1}, {"n": 2}])
        no = write(text="n")
        condition(condition=wanted, false_block=no)

    name = client.jobs.create_or_update(flow(wanted=True), skip_validation=True).name
    steps = completed(client, name)
    assert steps.pop("no").status == "Canceled"
    assert {len(children(client, step.name)) for step in steps.values()} == {2}


def test_control_flow_that_cannot_run_is_refused_at_submission(submit: Submit) -> None:
    again = "  again: {type: if_else, condition: true, true_block: '${{parent.jobs.said}}'}\n"
    with pytest.raises(AssertionError, match="Node 'told': 'said' is in a block of 'again' too"):
        submit(LOOP + again)
