"""What a pipeline's control flow becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.jobs import controls, documents, flow, steps
from amlite.services.jobs.documents import JOB_TYPE
from amlite.services.jobs.graph import GraphError, Literal
from amlite.services.jobs.lifecycle import JobFailure
from amlite.services.machinelearning.references import WORKSPACE_TYPE

Json = dict[str, Any]
WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/{WORKSPACE_TYPE}/w"
COMPONENT = {
    "name": "c",
    "type": "command",
    "command": "true",
    "environment": "azureml:e:1",
    "inputs": {
        "n": {"type": "integer", "default": "1", "max": "9"},
        "file": {"type": "uri_file", "optional": True},
        "must": {"type": "string", "optional": True},
    },
    "outputs": {"go": {"type": "boolean"}, "n": {"type": "integer"}, "file": {"type": "uri_file"}},
}
INNER = {
    "name": "p",
    "type": "pipeline",
    "inputs": {"n": {"type": "integer"}},
    "outputs": {"file": {"type": "uri_file"}},
    "jobs": {
        "in": {
            "type": "command",
            "componentId": "azureml:c:1",
            "inputs": {"n": {"value": "${{parent.inputs.n}}"}},
            "outputs": {"file": {"value": "${{parent.outputs.file}}"}},
        }
    },
}
NODE = {"type": "command", "componentId": "azureml:c:1"}
PIPE = {"type": "pipeline", "componentId": "azureml:p:1"}
WHILE = {"type": "do_while", "body": "${{parent.jobs.a}}", "condition": "go", "mapping": {"n": ["n"]},
         "limits": {"max_iteration_count": 3}}  # fmt: skip
FOR = {"type": "parallel_for", "body": "${{parent.jobs.a}}", "items": '[{"n": 1}, {"n": 2}]'}
IF = {"type": "if_else", "condition": True, "true_block": "${{parent.jobs.a}}"}


@pytest.fixture
def store(platform: Platform) -> Platform:
    """Return a platform with a workspace, an environment and two components."""
    for path, kind, properties in (
        ("", "", {}),
        ("/environments/e/versions/1", "/environments/versions", {}),
        ("/components/c/versions/1", "/components/versions", {"componentSpec": COMPONENT}),
        ("/components/p/versions/1", "/components/versions", {"componentSpec": INNER}),
        ("/datastores/workspaceblobstore", "/datastores", {}),
        ("/datastores/lake", "/datastores", {}),
    ):
        body = {"id": WORKSPACE + path, "name": path.rpartition("/")[2], "properties": properties}
        platform.store.put(WORKSPACE + path, WORKSPACE_TYPE + kind, body)
    return platform


def bound(name: str, output: str) -> Json:
    return {"value": f"${{{{parent.jobs.{name}.outputs.{output}}}}}"}


def pipeline(platform: Platform, jobs: Json, **properties: Any) -> dict[str, steps.Step]:
    return steps.pipeline_job(platform, WORKSPACE, {"jobs": jobs, **properties})


def test_a_do_while_is_the_step_of_its_body(store: Platform) -> None:
    jobs = {"a": NODE, "loop": WHILE, "b": {**NODE, "inputs": {"n": bound("a", "n"), "file": bound("a", "file")}}}
    found = pipeline(store, jobs)
    loop = found["a"].properties
    assert list(found) == ["a", "b"]
    assert (loop["jobType"], loop["most"], loop["condition"]) == ("DoWhile", 3, "go")
    assert loop["mapping"] == {"n": {"jobInputType": "integer", "output": "n"}}
    assert loop["inputs"] == {"n": {"jobInputType": "literal", "value": "1"}}
    assert found["b"].properties["inputs"]["file"]["optional"]


@pytest.mark.parametrize("given", [None, True, "true"])
def test_a_do_while_without_a_condition_runs_to_its_limit(given: object, store: Platform) -> None:
    mapping = {"${{parent.jobs.a.outputs.n}}": ["${{parent.jobs.a.inputs.n}}"]}
    jobs = {"a": NODE, "loop": {**WHILE, "condition": given, "mapping": mapping}}
    loop = pipeline(store, jobs)["a"].properties
    assert loop["condition"] is None
    assert list(loop["mapping"]) == ["n"]


def test_a_parallel_for_has_a_table_for_each_output_that_is_data(store: Platform) -> None:
    inputs = {"n": {"jobInputType": "literal", "value": "4"}}
    jobs = {"a": {**NODE, "inputs": {"must": {"value": "x"}}},
            "each": {**FOR, "items": '{"x": {"n": 1}, "y": {"n": "${{parent.inputs.n}}"}}', "max_concurrency": 1,
                     "outputs": {"file": {"value": "${{parent.outputs.all}}"}}}}  # fmt: skip
    outputs = {"all": {"jobOutputType": "mltable", "uri": "azureml://datastores/lake/paths/all/"}}
    found = pipeline(store, jobs, inputs=inputs, outputs=outputs)["each"].properties
    assert (found["jobType"], found["width"]) == ("ParallelFor", 1)
    assert [item["n"]["value"] for item in found["items"]] == ["1", "4"]
    assert all(item["must"]["value"] == "x" for item in found["items"])
    assert found["outputs"] == {
        "go": {"jobOutputType": "string"}, "n": {"jobOutputType": "string"},
        "file": {"jobOutputType": "mltable", "uri": "azureml://datastores/lake/paths/all/"},
    }  # fmt: skip
    assert "uri" not in found["body"]["outputs"]["file"]


def test_loops_keep_to_the_default_datastore(store: Platform) -> None:
    settings = {"default_datastore": "lake"}
    each = {**FOR, "body": "${{parent.jobs.b}}"}
    found = pipeline(store, {"a": NODE, "loop": WHILE, "b": PIPE, "each": each}, settings=settings)
    assert "/lake/" in found["a"].properties["body"]["outputs"]["file"]["uri"]
    assert "/lake/" in found["each"].properties["outputs"]["file"]["uri"]
    assert found["each"].properties["body"]["settings"]["default_datastore"] == "lake"


def test_items_of_a_run_are_read_when_they_are_there(store: Platform) -> None:
    texts = {**COMPONENT, "name": "t", "outputs": {"items": {"type": "string"}}}
    path = f"{WORKSPACE}/components/t/versions/1"
    body = {"id": path, "name": "1", "properties": {"componentSpec": texts}}
    store.store.put(path, f"{WORKSPACE_TYPE}/components/versions", body)
    jobs = {"t": {**NODE, "componentId": "azureml:t:1"}, "a": PIPE,
            "each": {**FOR, "items": "${{parent.jobs.t.outputs.items}}"}}  # fmt: skip
    found = pipeline(store, jobs)
    assert list(found) == ["t", "each"]
    loop = found["each"].properties
    assert loop["source"] == {"items": {"jobInputType": "string", "step": "t", "output": "items"}}
    loop["source"] = {"items": {"jobInputType": "literal", "value": '[{"n": 3}, {"n": 4}]'}}
    assert [item["n"]["value"] for item in steps.items(store, WORKSPACE, loop)] == ["3", "4"]
    for text, reason in (("x", "neither JSON"), ('[{"n": "z"}]', "must be an integer"), ('[{"m": 1}]', "no input 'm'"),
                         ("[{}]", "required input 'n'"), ("[]", "at least one item")):  # fmt: skip
        loop["source"]["items"]["value"] = text
        with pytest.raises(AzureError, match=reason):
            steps.items(store, WORKSPACE, loop)


REFUSED: list[tuple[Json, str]] = [
    ({"l": {**WHILE, "body": "a"}}, "body is 'a' and must name a node"),
    ({"l": {**WHILE, "body": "${{parent.jobs.z}}"}}, "body names 'z', and the nodes are: a, b"),
    ({"l": WHILE, "m": WHILE}, "'a' is the body of 'l' already"),
    ({"l": FOR, "m": FOR}, "'a', which is the body of another loop"),
    ({"l": FOR, "m": {**WHILE, "body": "${{parent.jobs.l}}"}}, "type parallel_for; put that into a pipeline component"),
    ({"a": {**NODE, "type": "sweep"}, "l": WHILE}, "must be of type command or pipeline"),
    ({"l": {**WHILE, "mapping": None}}, "has no mapping"),
    ({"l": {**WHILE, "mapping": {"go": "n", "n": "n"}}}, "mapping gives input 'n' both 'go' and 'n'"),
    ({"l": {**WHILE, "mapping": {"n": "z"}}}, "the body has no input 'z', only: file, must, n"),
    ({"l": {**WHILE, "mapping": {"z": "n"}}}, "the body has no output 'z'"),
    ({"l": {**WHILE, "mapping": {"file": "n"}}}, "input 'n' is a integer and 'file' a uri_file"),
    ({"l": {**WHILE, "mapping": {"${{parent.jobs.b.outputs.n}}": "n"}}}, "one of the outputs of its body 'a'"),
    ({"l": {**WHILE, "condition": "n"}}, "must be a boolean output of the body, and 'n' is a integer"),
    ({"l": {**WHILE, "limits": {}}}, "max_iteration_count is 'None'"),
    ({"l": {**WHILE, "limits": {"max_iteration_count": 1001}}}, "must be from 1 to 1000"),
    (
        {"l": WHILE, "b": {**NODE, "inputs": {"n": bound("l", "n")}}},
        "'l', which has no outputs; read those of its body",
    ),
    ({"l": {**FOR, "items": "[]"}}, "at least one item"),
    ({"l": {**FOR, "items": "[1]"}}, "the item '1' must be an object"),
    ({"l": {**FOR, "items": '[{"n": 1}, {"must": 1}]'}}, "the same inputs as the first: n"),
    ({"l": {**FOR, "items": '[{"z": 1}]'}}, "has no input 'z'"),
    ({"l": {**FOR, "items": '[{"n": 10}]'}}, "between None and 9"),
    ({"l": {**FOR, "items": "${{parent.jobs.b.outputs.file}}"}}, "a string is wanted"),
    ({"l": {**FOR, "items": "[" * 100_000}}, "neither JSON nor a binding"),
    ({"l": {**FOR, "items": [{"n": 1}] * 1001}}, "at most 1000 items, got 1001"),
    ({"l": {**FOR, "items": '[{"n": 1}, {"n": 10}]'}}, "between None and 9"),
    ({"l": "x"}, "'l' is no node"),
    ({"l": {**WHILE, "limits": "x"}}, "node 'l': limits"),
    ({"l": {**FOR, "outputs": []}}, "node 'l': outputs"),
    ({"l": {**NODE, "inputs": "x"}}, "node 'l': inputs"),
    ({"l": {**NODE, "services": {"s": 1}}}, "node 'l': services"),
    ({"l": {**FOR, "items": "n"}}, "neither JSON nor a binding"),
    ({"l": {**FOR, "max_concurrency": 0}}, "max_concurrency is '0'"),
    ({"l": FOR, "b": {**NODE, "inputs": {"file": bound("a", "file")}}}, r"use \$\{\{parent.jobs.l.outputs.file"),
    ({"l": FOR, "b": {**NODE, "inputs": {"n": bound("l", "n")}}}, "whose form Azure does not document"),
    ({"l": FOR, "a": {**NODE, "outputs": {"file": {"value": "${{parent.outputs.o}}"}}}}, "bind the output of 'l'"),
    ({"i": {**IF, "true_block": None}}, "neither a true_block nor a false_block"),
    ({"i": {**IF, "false_block": ["${{parent.jobs.a}}"]}}, "'a' is in both of its blocks"),
    ({"i": IF, "j": IF}, "'a' is in a block of 'i' too"),
    ({"i": IF, "j": {**IF, "true_block": "${{parent.jobs.i}}"}}, "type if_else; put that into a pipeline component"),
    ({"i": {**IF, "condition": "yes"}}, "the condition is 'yes' and must be true, false, or bound to a boolean"),
    ({"i": {**IF, "condition": None}}, "node 'i' has no condition"),
    ({"i": {**IF, "condition": bound("b", "file")["value"]}}, "a boolean is wanted, and the output 'file'"),
    ({"i": {**IF, "condition": bound("b", "n")["value"]}}, "a boolean is wanted, and the output 'n'"),
    ({"i": {**IF, "condition": bound("z", "n")["value"]}}, "names no node"),
    ({"i": {**IF, "condition": bound("a", "go")["value"]}}, "wait for each other"),
    ({"i": IF, "b": {**NODE, "inputs": {"n": bound("i", "n")}}}, "'i', which has no outputs"),
    (
        {"b": {**NODE, "inputs": {"n": bound("a", "file")}}},
        "a integer is wanted, and the output 'file' of 'a' is a uri",
    ),
]


@pytest.mark.parametrize(("jobs", "reason"), REFUSED)
def test_control_flow_that_cannot_run_is_refused(jobs: Json, reason: str, store: Platform) -> None:
    with pytest.raises(AzureError, match=f"(?i){reason}"):
        pipeline(store, {"a": NODE, "b": NODE, **jobs})


def test_a_condition_may_be_an_input_of_the_pipeline() -> None:
    jobs = {"a": NODE, "i": {**IF, "condition": "${{parent.inputs.go}}"}}
    found = flow.read(jobs, {"go": Literal("True")})
    assert found.conditions["a"].value is True
    with pytest.raises(GraphError, match="must be true, false"):
        flow.read(jobs, {"go": Literal("3")})


def made(platform: Platform, properties: Json) -> documents.Job:
    outputs = {"n": {"jobOutputType": "integer"}, "go": {"jobOutputType": "boolean"}}
    body = {"id": f"{WORKSPACE}/jobs/j", "name": "j", "run": {},
            "properties": {"displayName": "j", "outputs": outputs, "properties": properties}}  # fmt: skip
    platform.store.put(body["id"], JOB_TYPE, body)  # type: ignore[arg-type]
    return documents.get(platform, WORKSPACE, "j")


def test_values_come_from_the_runs_properties_and_else_from_files(store: Platform) -> None:
    early = {"azureml.pipeline.control": '{"n": 3}', "azureml.pipeline.control.go": "True"}
    job = made(store, early)
    folder = job.folder(store) / "outputs/n"
    folder.mkdir(parents=True)
    (folder / "n").write_text("4\n", "utf-8")
    controls.keep(store, job)
    assert controls.value(store, WORKSPACE, "j", "n") == "3"
    assert controls.truth(store, WORKSPACE, "j", "go")
    controls.keep(store, made(store, {}))
    assert controls.value(store, WORKSPACE, "j", "n") == "4"
    given = {"jobInputType": "integer", "step": "j", "output": "n"}
    assert controls.taken(store, WORKSPACE, given) == {"jobInputType": "literal", "value": "4"}
    with pytest.raises(JobFailure, match="set no value of its control output 'go'"):
        controls.value(store, WORKSPACE, "j", "go")
    with pytest.raises(JobFailure, match="'4', not true or false"):
        controls.truth(store, WORKSPACE, "j", "n")
    with pytest.raises(JobFailure, match="must be true or false, got '4'"):
        controls.taken(store, WORKSPACE, {**given, "jobInputType": "boolean"})


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_values_that_are_no_object_are_named(text: str, store: Platform) -> None:
    made(store, {"azureml.pipeline.control": text})
    with pytest.raises(JobFailure, match=r"'azureml\.pipeline\.control' of job j is no JSON"):
        controls.value(store, WORKSPACE, "j", "n")


def test_a_value_is_not_read_through_a_link_and_is_short(store: Platform, tmp_path: Any) -> None:
    job = made(store, {})
    folder = job.folder(store) / "outputs/n"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("1", "utf-8")
    (folder / "n").symlink_to(tmp_path / "secret")
    with pytest.raises(JobFailure, match="control output 'n' cannot be read"):
        controls.keep(store, job)
    (folder / "n").unlink()
    (folder / "n").write_text("1" * 1001, "utf-8")
    with pytest.raises(JobFailure, match="longer than 1000"):
        controls.keep(store, job)
