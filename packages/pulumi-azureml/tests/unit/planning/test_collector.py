"""The data collector of a deployment: what a preview refuses, and why it is part of the content."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project

DEPLOYMENT = "ml/deploy/blue-deployment.yml"
PLACE = "azureml://datastores/workspaceblobstore/paths/modelDataCollector/flights/blue/model_inputs"


def collecting(project: Project, settings: str) -> None:
    text = (project.root / DEPLOYMENT).read_text("utf-8")
    project.write(DEPLOYMENT, text.split("data_collector:")[0].rstrip() + f"\ndata_collector: {settings}\n")


def test_a_collector_is_planned_and_a_change_of_it_is_another_deployment(project: Project) -> None:
    before = project.load()["online_deployment", "flights/blue"].content_hash
    data = f"data: {{name: flights-inputs, path: '{PLACE}', version: '1'}}"
    collecting(project, f"{{collections: {{model_inputs: {{enabled: 'True', {data}}}}}, sampling_rate: 0.5}}")
    planned = project.load(check_with_azure=True)["online_deployment", "flights/blue"]
    assert planned.content_hash != before
    collecting(project, f"{{collections: {{model_inputs: {{enabled: 'True', {data}}}}}, sampling_rate: 0.4}}")
    assert project.load()["online_deployment", "flights/blue"].content_hash != planned.content_hash


@pytest.mark.parametrize(
    ("settings", "message", "fix"),
    [
        ("{collections: {a: {enabled: 'true'}}, sampling_rat: 0.5}", "unknown key 'sampling_rat'", "sampling_rate"),
        ("{collections: {a: {enabled: 'true', enable: 1}}}", "unknown key 'enable'", "enabled"),
        ("{collections: {a: {}}}", "'data_collector.collections.a' has no 'enabled'", "add `enabled:`"),
        ("{collections: {a: {enabled: yes}}}", "cannot be 'yes'", "'false', 'true'"),
        ("{collections: {a: {enabled: 'maybe'}}}", "cannot be 'maybe'", "'false', 'true'"),
        ("{sampling_rate: 0.5}", "'data_collector' has no collections", "enabled: 'true'"),
        ("{collections: {a: {enabled: 'true'}}, sampling_rate: 1.5}", "sampling_rate is 1.5", "0.0 (nothing)"),
        ("{collections: {a: {enabled: 'true'}}, rolling_rate: Year}", "cannot be 'Year'", "'day', 'hour', 'minute'"),
        ("{collections: {a: {enabled: 'true', data: 'azureml:x:1'}}}", "cannot use 'azureml:x:1'", "data: {name"),
        ("{collections: {a: {enabled: 'true', data: {name: x}}}}", "'data' has no 'path'", "add `path:`"),
        ("{collections: {a: {enabled: 'true', data: {name: x, path: ./x}}}}", "'./x' is not a", "azureml:/"),
        (
            f"{{collections: {{a: {{enabled: 'true', data: {{name: x, path: '{PLACE}', data_id: y}}}}}}}}",
            "azure-ai-ml ignores 'data_id'",
            "remove it",
        ),
        (
            "{collections: {" + ", ".join(f"c{number}: {{enabled: 'true'}}" for number in range(6)) + "}}",
            "6 collections of the scoring script",
            "keep 5",
        ),
        (
            (f"{{collections: {{a: {{enabled: 'true', data: {{name: x, path: '{PLACE}'}}}}, "
            f"b: {{enabled: 'true', data: {{name: x, path: '{PLACE}2'}}}}}}}}"),
            "data asset 'x' also belongs to collection 'a'",
            "its own",
        ),
        (
            "{collections: {a: {enabled: 'true', data: {name: x, path: 'azureml://datastores/none/paths/x'}}}}",
            "unknown datastore 'none'",
            "",
        ),
    ],
)  # fmt: skip
def test_settings_that_would_fail_or_have_no_effect_are_refused(
    project: Project, settings: str, message: str, fix: str
) -> None:
    collecting(project, settings)
    problem = project.problem(datastores=frozenset())
    assert message in problem.message
    assert fix in problem.fix
    assert problem.file == DEPLOYMENT
