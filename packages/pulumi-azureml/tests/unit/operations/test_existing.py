"""Assets that new content refers to and no file defines are looked up in the preview, each once."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from azure.ai.ml.exceptions import ErrorTarget, MlException, ValidationErrorType, ValidationException
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ODataV4Format,
    ResourceNotFoundError,
    ServiceRequestError,
)

from pulumi_azureml.operations import existing, retry
from pulumi_azureml.operations.connection import Registry, Workspace
from pulumi_azureml.provider import AzureMLProvider

WORKSPACE = {"subscription_id": "s", "resource_group": "g", "name": "mlw"}
PLACE = Workspace("s", "g", "mlw")


def not_found(code: str) -> ResourceNotFoundError:
    error = ResourceNotFoundError("not found")
    error.error = ODataV4Format({"code": code, "message": "not found"})
    return error


class Azure:
    """Has the versions in `there`, or answers with an error. It counts the questions."""

    def __init__(self) -> None:
        self.there: set[tuple[str, str, str]] = set()
        self.error: Exception | None = None
        self.registries: dict[str, Exception | None] = {"team": None}
        self.asked: list[tuple[str, str, str]] = []

    def connect(self, place: Workspace | Registry) -> Any:
        if isinstance(place, Registry) and (error := self.registries.get(place.name, not_found("RegistryNotFound"))):
            raise error

        def get(kind: str) -> Any:
            def look(name: str, version: str = "", label: str = "") -> Any:
                self.asked.append((kind, name, version or label))
                if self.error is not None:
                    raise self.error
                if (kind, name, version or label) in self.there:
                    return SimpleNamespace(name=name)
                if label:
                    said, kind_of = "does not exist in workspace", ValidationErrorType.RESOURCE_NOT_FOUND
                    raise ValidationException(said, said, error_type=kind_of, target=ErrorTarget.ASSET)
                raise not_found("UserError")

            return SimpleNamespace(get=look)

        kinds = ("components", "data", "environments", "jobs", "models")
        return SimpleNamespace(**{kind: get(kind) for kind in kinds})


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Azure:
    made = Azure()
    monkeypatch.setattr(existing, "connect", made.connect)
    monkeypatch.setattr(existing, "_answers", {})
    monkeypatch.setattr(existing, "_unchecked", set())
    monkeypatch.setattr(retry, "_LOOK_SECONDS", 0)
    return made


def props(*outside: tuple[str, str], content: str = "b", **place: Any) -> dict[str, Any]:
    at = "pipelines/training.yml: `jobs.prep.component`"
    references = [{"kind": kind, "reference": text, "at": at} for kind, text in outside]
    return {"workspace": {**WORKSPACE, **place}, "content_hash": content, "outside": references}


def test_an_asset_of_the_workspace_is_no_problem(azure: Azure) -> None:
    azure.there = {("components", "prep", "3"), ("data", "flights", "latest")}
    assert existing.refusals({}, props(("component", "azureml:prep:3"), ("data", "azureml:flights@latest"))) == {}
    assert len(azure.asked) == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("azureml:prop@latest", "'azureml:prop@latest' refers to component 'prop', which no file defines"),
        ("azureml:prop", "'azureml:prop' refers to component 'prop', which no file defines"),
        ("azureml:prep:9", "'azureml:prep:9' refers to component 'prep' version 9, which no file defines"),
    ],
)
def test_an_asset_that_is_nowhere_is_refused_with_file_and_key(text: str, what: str, azure: Azure) -> None:
    azure.there = {("components", "prep", "3")}
    (reason,) = existing.refusals({}, props(("component", text))).values()
    assert reason == (
        f"pipelines/training.yml: `jobs.prep.component`: {what} and workspace 'mlw' does not have. "
        "Correct the reference, or register the asset there first"
    )


def test_a_label_that_azure_ai_ml_does_not_find_is_refused(azure: Azure) -> None:
    azure.there = {("environments", "team", "latest")}
    assert existing.refusals({}, props(("environment", "azureml:team@Latest"))) == {}
    (reason,) = existing.refusals({}, props(("environment", "azureml:team@prod"))).values()
    assert reason.partition("component`: ")[2] == (
        "'azureml:team@prod' refers to the label 'prod' of environment 'team', and azure-ai-ml finds no label but "
        "`latest` in workspace 'mlw'. Write `@latest` or a version"
    )


def test_a_job_that_a_schedule_repeats_must_have_run(azure: Azure) -> None:
    azure.there = {("jobs", "calm_sun", "")}
    assert existing.refusals({}, props(("pipeline_job", "azureml:calm_sun"))) == {}
    (reason,) = existing.refusals({}, props(("pipeline_job", "azureml:calm_son"))).values()
    assert "refers to job 'calm_son', which workspace 'mlw' does not have. Write the name of a job that ran" in reason


def test_a_curated_environment_must_exist_where_azure_ai_ml_looks_for_it(azure: Azure) -> None:
    azure.there = {("environments", "AzureML-sklearn-1.5", "latest")}
    assert existing.refusals({}, props(("environment", "azureml:AzureML-sklearn-1.5@latest"))) == {}
    assert existing.refusals({}, props(("environment", "azureml:AzureML-sklearn-9@latest")))
    # The service resolves these.
    assert existing.refusals({}, props(("environment", "azureml:AzureML-sklearn-9@stable"))) == {}
    shared = {**props(("environment", "azureml:AzureML-sklearn-9:1")), "registry": "models"}
    assert existing.refusals({}, shared) == {}


SHARED = "azureml://registries/team/{}/x/{}"


@pytest.mark.parametrize("kinds", ["components", "data", "environments", "models"])
def test_an_asset_of_a_registry_is_asked_for_there(kinds: str, azure: Azure) -> None:
    kind = "component" if kinds == "data" else "data"  # that of the place is not decisive
    for which, asked in (("versions/3", "3"), ("labels/latest", "latest"), ("labels/prod", "latest")):
        text, azure.there = SHARED.format(kinds, which), {(kinds, "x", asked)}
        assert existing.refusals({}, props((kind, text), name=None)) == {}
        azure.there = set()
        existing._answers.clear()
        (reason,) = existing.refusals({}, props((kind, text), name=None)).values()
        what = f"{kinds.removesuffix('s')} 'x'{' version 3' if asked == '3' else ''}"
        assert reason == (
            f"pipelines/training.yml: `jobs.prep.component`: '{text}' refers to {what}, "
            "which no file defines and registry 'team' does not have. Correct the reference, or register the asset "
            "there first"
        )
    assert {each[0] for each in azure.asked} == {kinds}


def test_a_registry_that_does_not_exist_is_refused(azure: Azure) -> None:
    text = "azureml://registries/teem/components/x/versions/1"
    (reason,) = existing.refusals({}, props(("component", text))).values()
    assert reason.endswith(f"'{text}' refers to registry 'teem', which does not exist. Correct its name")
    assert azure.asked == []


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (HttpResponseError("(AuthorizationFailed) No role."), logging.WARNING),
        (ServiceRequestError("no network"), logging.WARNING),
        (ClientAuthenticationError("Please run 'az login'"), logging.INFO),
    ],
)
def test_a_registry_that_does_not_answer_is_a_warning_and_no_error(
    error: Exception, level: int, azure: Azure, caplog: pytest.LogCaptureFixture
) -> None:
    azure.registries["team"] = error
    text = SHARED.format("components", "versions/1")
    with caplog.at_level(logging.INFO, "pulumi_azureml"):
        assert existing.refusals({}, props(("component", text))) == {}
    (record,) = caplog.records
    assert record.getMessage().startswith("references to assets of registry 'team' were not checked: ")
    assert record.levelno == level


def test_what_azure_ai_ml_raises_again_as_text_is_a_missing_asset(azure: Azure) -> None:
    """`data.get` with a label does so."""
    said = "Asset rows does not exist in workspace mlw"
    missing = ValidationException(
        said, said, error_type=ValidationErrorType.RESOURCE_NOT_FOUND, target=ErrorTarget.DATA
    )
    azure.error = MlException(said, said)
    azure.error.__context__ = missing
    assert existing.refusals({}, props(("data", "azureml:rows@latest")))


def test_unchanged_content_asks_nothing(azure: Azure) -> None:
    news = props(("component", "azureml:prep:3"))
    assert existing.refusals({"content_hash": "b"}, news) == {}
    endpoint = {**news, "deployment": {"content_hash": "d"}}
    assert existing.refusals({"content_hash": "b", "deployment": {"content_hash": "d"}}, endpoint) == {}
    assert azure.asked == []
    assert existing.refusals({"content_hash": "b", "deployment": {"content_hash": "c"}}, endpoint)


def test_a_run_asks_for_each_asset_once(azure: Azure) -> None:
    azure.there = {("components", "prep", "3")}
    for content in ("b", "c"):
        assert existing.refusals({}, props(*[("component", "azureml:prep:3")] * 2, content=content)) == {}
    assert azure.asked == [("components", "prep", "3")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (not_found("ResourceNotFound"), "it does not exist yet"),
        (not_found("ResourceGroupNotFound"), "it does not exist yet"),
        (ClientAuthenticationError("Please run 'az login'\nmore"), "Please run 'az login'"),
        (HttpResponseError("(Forbidden) No role."), "(Forbidden) No role."),
        (ServiceRequestError("no network"), "no network"),
    ],
)
def test_what_azure_does_not_answer_is_not_checked_and_said_once(
    error: Exception, said: str, azure: Azure, caplog: pytest.LogCaptureFixture
) -> None:
    azure.error = error
    with caplog.at_level(logging.INFO, "pulumi_azureml"):
        assert existing.refusals({}, props(("component", "azureml:a:1"), ("component", "azureml:b:1"))) == {}
    assert caplog.messages == [f"references to assets of workspace 'mlw' were not checked: {said}"]


def test_a_workspace_that_a_preview_does_not_know_yet_is_not_asked(azure: Azure) -> None:
    assert existing.refusals({}, props(("component", "azureml:a:1"), name=None)) == {}
    assert azure.asked == []


def test_the_provider_refuses_in_its_check(azure: Azure) -> None:
    news = {**props(("component", "azureml:prop@latest")), "name": "training", "version": "b", "definition": {}}
    (failure,) = AzureMLProvider("pipeline_job").check({}, news).failures or []
    assert "'azureml:prop@latest' refers to component 'prop'" in failure.reason
