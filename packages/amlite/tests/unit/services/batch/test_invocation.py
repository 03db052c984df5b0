from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.services.batch import invocation, settings

Json = dict[str, Any]
DEPLOYMENT = settings.completed({"resources": {"instanceCount": 2}})


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("UriFolder", "uri_folder"),
        ("UriFile", "uri_file"),
        ("uri_file", "uri_file"),
        ("MLTable", "mltable"),
        ("MLFlowModel", "mlflow_model"),
        ("CustomModel", "custom_model"),
        ("Literal", "literal"),
        (None, ""),
    ],
)
def test_types_are_spelt_as_jobs_spell_them(written: str | None, kind: str) -> None:
    assert settings.kind(written) == kind


def test_a_deployment_has_the_defaults_of_the_service() -> None:
    assert settings.completed({}) == {
        **settings.DEFAULTS,
        "retrySettings": {"maxRetries": 3, "timeout": "PT30S"},
        "resources": {"instanceCount": 1},
    }


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"errorThreshold": -2}, "errorThreshold"),
        ({"maxConcurrencyPerInstance": 0}, "maxConcurrencyPerInstance"),
        ({"resources": {"instanceCount": 0}}, "instanceCount"),
        ({"retrySettings": {"maxRetries": -1}}, "maxRetries"),
        ({"retrySettings": {"timeout": "PT0S"}}, "timeout"),
        ({"outputFileName": "../up.csv"}, "outputFileName"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(properties: Json, name: str) -> None:
    with pytest.raises(AzureError, match=name):
        settings.completed(properties)


def test_an_invocation_changes_settings_for_its_own_job() -> None:
    found = settings.overridden(
        DEPLOYMENT,
        {"miniBatchSize": 3, "retrySettings": {"maxRetries": 0}, "compute": {"instanceCount": 1}, "name": "n"},
    )
    assert (found["miniBatchSize"], found["resources"]) == (3, {"instanceCount": 1})
    assert found["retrySettings"] == {"maxRetries": 0, "timeout": "PT30S"}
    assert DEPLOYMENT["miniBatchSize"] == 10
    with pytest.raises(AzureError, match="malformed"):
        settings.overridden(DEPLOYMENT, {"miniBatchSize": "many"})


def test_a_file_as_output_gives_folder_and_name() -> None:
    uri = "azureml://datastores/s/paths/out/mine.csv"
    output, name = invocation._score({"score": {"jobOutputType": "uri_file", "uri": uri}}, "predictions.csv")
    assert (output, name) == ({"jobOutputType": "uri_folder", "uri": "azureml://datastores/s/paths/out"}, "mine.csv")
    assert invocation._score({}, "predictions.csv") == ({"jobOutputType": "uri_folder"}, "predictions.csv")
    with pytest.raises(AzureError, match="writes 'score', not 'other'"):
        invocation._score({"other": {}}, "predictions.csv")


def test_inputs_are_held_against_the_component() -> None:
    declared = {
        "data": {"type": "uri_folder"},
        "k": {"type": "integer", "default": 3},
        "note": {"type": "string", "optional": True},
    }
    data = {"jobInputType": "uri_folder", "uri": "u"}
    given, missing = invocation._given({"data": data}, declared)
    assert given == {"data": data, "k": {"jobInputType": "literal", "value": "3"}}
    assert missing == {"note"}
    for inputs, reason in (
        ({}, "the required input 'data'"),
        ({"data": data, "other": data}, "no input 'other', only: data, k, note"),
        ({"data": {"jobInputType": "literal", "value": "1"}}, "is a uri_folder, not a literal"),
        ({"data": data, "k": data}, "is a integer, not a uri_folder"),
    ):
        with pytest.raises(AzureError, match=reason):
            invocation._given(inputs, declared)


def test_a_node_loses_inputs_that_have_no_value() -> None:
    node = {"inputs": {"a": {"value": "${{parent.inputs.note}}"}, "b": "${{parent.inputs.k}}"}, "type": "command"}
    assert invocation._without(node, {"note"}) == {"inputs": {"b": "${{parent.inputs.k}}"}, "type": "command"}


def test_settings_of_a_pipeline_lose_their_prefix_and_become_booleans() -> None:
    given = {"ComponentDeployment.Settings.continue_on_step_failure": "False", "default_compute": "cpu"}
    assert invocation._settings(given) == {"continue_on_step_failure": False, "default_compute": "cpu"}
