"""The end of `release up`: what a project has, and the commands that it can use next."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.outputs import EndpointOutput, StackOutputs
from release.project import CWD_VARIABLE
from release.terminal.console import new_console
from release.updating import summary


def shown(project: Path, monkeypatch: pytest.MonkeyPatch, **outputs: object) -> str:
    monkeypatch.setenv(CWD_VARIABLE, str(project))
    values = {
        "resource_group": "rg", "workspace": "mlw", "login_server": "cr.azurecr.io", "registry": None,
        "environment_image": None, "compute": ["cpu"], "assets": {}, "schedules": {}, "endpoints": {}, "models": {},
    }  # fmt: skip
    console = new_console()
    with console.capture() as printed:
        summary.show(console, "dev", StackOutputs.model_construct(**{**values, **outputs}), [], {}, [])
    return printed.get()


def pipeline(project: Path, outputs: str) -> None:
    file = project / "pipelines" / "training.yml"
    file.parent.mkdir(parents=True)
    file.write_text(f"type: pipeline\noutputs: {outputs}\n", "utf-8")


def test_a_project_without_the_training_environment_hears_nothing_of_its_image_and_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(tmp_path, "{scores: {type: uri_folder}}")
    text = shown(tmp_path, monkeypatch, assets={"environment": {"automl": "1"}})
    assert "training image" not in text
    assert "release train" not in text
    assert "release preview --stack dev" in text


def test_a_project_with_the_training_environment_is_told_who_builds_its_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(tmp_path, "{decision: {type: uri_folder}, registration: {type: uri_folder}}")
    assets = {"environment": {"training": "1"}}
    text = shown(tmp_path, monkeypatch, assets=assets)
    assert "built by Azure Machine Learning" in text
    assert "release train --stack dev" in text
    assert "cr/training@sha256:1" in shown(
        tmp_path, monkeypatch, assets=assets, environment_image="cr/training@sha256:1"
    )


def endpoint(kind: str, deployment: str | None, serves: str | None) -> EndpointOutput:
    return EndpointOutput.model_construct(
        name="flights-dev", kind=kind, auth_mode="key", scoring_uri="https://x", deployment=deployment, serves=serves
    )


@pytest.mark.parametrize(
    ("given", "model", "deployment"),
    [
        (endpoint("online", None, "delays"), "none promoted yet", "none yet"),
        (endpoint("online", "blue-1", None), "the one in the file of its deployment", "blue-1"),
        (endpoint("batch", None, None), "the one in the file of its deployment", "none by default: each call"),
    ],
)
def test_an_endpoint_says_what_it_serves(
    given: EndpointOutput, model: str, deployment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(tmp_path, monkeypatch, endpoints={"flights": given})
    assert [line.split(maxsplit=1)[1].strip() for line in text.splitlines() if line.startswith("model")] == [model]
    assert deployment in next(line for line in text.splitlines() if line.startswith("deployment"))
