"""Curated environments, and public base images that are out of reach. Facts: Azure/azureml-assets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.environments import UnusableEnvironment, base_images, curated, interpreters, preparation
from amlite.services.environments.errors import UnreachableImage
from amlite.services.environments.packages import OWN_PYTHON, Packages
from amlite.services.environments.processes import VirtualEnvironment
from amlite.services.machinelearning import curated as registry
from amlite.services.machinelearning import references
from amlite.services.machinelearning.references import WORKSPACE_TYPE

WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/{WORKSPACE_TYPE}/w"
SKLEARN = "azureml://registries/azureml/environments/sklearn-1.5"


@pytest.fixture
async def provided(platform: Platform) -> Platform:
    """Return a platform with the system registry."""
    await registry.provide(platform)
    await registry.provide(platform)
    return platform


@pytest.mark.parametrize(
    "reference",
    [
        f"{SKLEARN}/labels/latest",
        f"azureml:{SKLEARN}/versions/7",
        "azureml:AzureML-sklearn-1.5@latest",
        "AzureML-sklearn-1.5:3",
        f"{WORKSPACE}/environments/azureml-sklearn-1.5/versions/3",
    ],
)
async def test_a_curated_environment_is_found_by_every_reference(provided: Platform, reference: str) -> None:
    found = references.asset(provided, WORKSPACE, reference, "environments")
    assert found.id.startswith(f"{SKLEARN}/versions/")
    assert curated.name_of(found.body["properties"]) == "sklearn-1.5"
    assert found.body["properties"]["environmentType"] == "Curated"
    newest = references.asset(provided, WORKSPACE, f"{SKLEARN}/labels/latest", "environments")
    assert newest.body["name"] == str(registry.VERSIONS["sklearn-1.5"])


@pytest.mark.parametrize(
    ("reference", "advice"),
    [
        ("AzureML-nothing:1", "was not found in workspace 'w'."),
        ("AzureML-sklearn-1.5:zero", "Its versions are numbers. The newest one that amlite knows is 18."),
        (f"{SKLEARN}/versions/0", "Its versions are numbers. The newest one that amlite knows is 18."),
        (
            f"{SKLEARN.replace('1.5', '1.4')}/versions/1",
            "Registry 'azureml' has sklearn-1.0, sklearn-1.1, sklearn-1.5.",
        ),
        ("AzureML-sklearn-1.4@latest", "Registry 'azureml' has sklearn-1.0, sklearn-1.1, sklearn-1.5."),
        (f"{SKLEARN}/labels/prod", "Azure ML has 'latest'."),
    ],
)
async def test_what_the_system_registry_does_not_have_is_not_found(
    provided: Platform, reference: str, advice: str
) -> None:
    with pytest.raises(AzureError, match="was not found") as found:
        references.asset(provided, WORKSPACE, reference, "environments")
    assert found.value.message.endswith(advice)


def test_a_workspace_has_the_names_of_curated_environments() -> None:
    assert registry.in_registry("AzureML-sklearn-1.5") == "sklearn-1.5"
    assert registry.in_registry("sklearn-1.5") is None


@pytest.mark.parametrize(
    "name", ["sklearn-1.0", "sklearn-1.5", "lightgbm-3.3", "acpt-pytorch-2.8-cuda12.6", "tensorflow-2.16-cuda12",
             "ai-ml-automl", "responsibleai-tabular", "minimal-py311-inference", "mlflow-py312-inference"]
)  # fmt: skip
def test_environments_that_people_use_have_pinned_packages(name: str) -> None:
    assert name in registry.ENVIRONMENTS
    assert all(re.match(r"[\w.\[\]-]+==\S+", line) for line in curated.packages(name).requirements)


def test_azureml_core_is_one_that_can_be_imported() -> None:
    """azureml-defaults needs FUSE, which has no wheel. Its only version without it takes an azureml-core of 2019."""
    found = {
        name: line
        for name in registry.ENVIRONMENTS
        if name in curated._SETS
        for line in curated.packages(name).requirements
        if line.startswith("azureml-core==") and not line.startswith("azureml-core==1.6")
    }
    assert found == {}


def test_a_model_can_be_logged_from_every_environment_with_the_tracking_of_azure() -> None:
    """MLflow 3 asks for logged-models, which Azure's tracking does not have: Azure/azure-sdk-for-python#44896."""
    found = {
        name: line
        for name in curated._SETS
        if any(line.startswith("azureml-mlflow==") for line in curated.packages(name).requirements)
        for line in curated.packages(name).requirements
        if re.match(r"mlflow(-skinny)?==(?!2\.)", line)
    }
    assert found == {}


async def test_the_log_of_a_job_says_which_mlflow_a_curated_environment_has(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def install(_: Platform, packages: Packages, __: object) -> VirtualEnvironment:
        return VirtualEnvironment(Path("/venv"), packages.source)

    monkeypatch.setattr(preparation, "installed", install)
    said: dict[str, str] = {}
    for name in ("sklearn-1.5", "minimal-py311-inference"):
        id = f"{WORKSPACE}/environments/{name}/versions/1"
        image = {"image": f"mcr.microsoft.com/azureml/curated/{name}:1"}
        platform.store.put(id, f"{WORKSPACE_TYPE}/environments/versions", {"properties": image})
        lines: list[str] = []
        await preparation.prepare(platform, id, lines.append)
        (said[name],) = lines
    assert "It has MLflow 2.22.5. The image on Azure can have MLflow 3" in said["sklearn-1.5"]
    assert "MLflow" not in said["minimal-py311-inference"]


def test_others_say_that_they_have_no_packages_here() -> None:
    assert "designer" in registry.ENVIRONMENTS
    with pytest.raises(UnusableEnvironment, match="no packages for the curated environment 'designer', only for"):
        curated.packages("designer")


def test_an_image_with_a_conda_file_is_not_curated() -> None:
    image = {"image": "mcr.microsoft.com/azureml/curated/sklearn-1.5:25"}
    assert curated.name_of(image) == "sklearn-1.5"
    assert curated.name_of({**image, "condaFile": "dependencies: []"}) is None
    assert curated.name_of({"image": "mcr.microsoft.com/azureml/curated/own:1"}) is None


@pytest.mark.parametrize(
    ("image", "python"),
    [
        ("python:3.9-slim", "3.9"),
        ("docker.io/library/python:3.12.1", "3.12.1"),
        ("python", OWN_PYTHON),
        ("python:3-slim", OWN_PYTHON),
        # None of them can be had, and the job says so. Another Python would run other code.
        ("python:2.7-slim", "2.7"),
        ("python:2", "2"),
        ("mcr.microsoft.com/mirror/docker/library/python:3.9", "3.9"),
        ("mcr.microsoft.com/mirror/docker/library/ubuntu:22.04", OWN_PYTHON),
        ("ubuntu:22.04", OWN_PYTHON),
        ("mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest", OWN_PYTHON),
        ("mcr.microsoft.com/azureml/minimal-ubuntu22.04-py311-cpu-inference", OWN_PYTHON),
        ("mcr.microsoft.com/azureml/minimal-ubuntu22.04-py310-cpu-inference:latest", "3.10"),
        ("mcr.microsoft.com/azureml/minimal-ubuntu20.04-py38-cuda11.6.2-gpu-inference@sha256:0a", "3.8"),
        ("mcr.microsoft.com/azureml/curated/sklearn-1.5:1", None),
        ("rocker/tidyverse:4.0.0-ubuntu18.04", None),
        ("own.azurecr.io/python:3.9", None),
    ],
)
def test_a_public_base_image_has_a_local_base_of_the_same_kind(image: str, python: str | None) -> None:
    found = base_images.packages(image)
    assert (found.python if found else None) == python


async def test_a_base_image_out_of_reach_is_replaced_and_the_log_says_so(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object) -> None:
        raise UnreachableImage("the image 'python:3.11' cannot be pulled: no such host")

    async def install(_: Platform, packages: Packages, __: object) -> VirtualEnvironment:
        return VirtualEnvironment(Path("/venv"), packages.source)

    monkeypatch.setattr(preparation.containers, "prepare", unreachable)
    monkeypatch.setattr(preparation, "installed", install)
    id = f"{WORKSPACE}/environments/e/versions/1"
    platform.store.put(id, f"{WORKSPACE_TYPE}/environments/versions", {"properties": {"image": "python:3.11"}})
    lines: list[str] = []
    prepared = await preparation.prepare(platform, id, lines.append, substitute=True)
    assert prepared.label == "the local base in place of python:3.11"
    (line,) = lines
    assert line.startswith("the image 'python:3.11' cannot be pulled: no such host\n")
    assert line.endswith("runs in a virtual environment of Python 3.11 on this machine instead.")
    with pytest.raises(UnusableEnvironment, match="no such host"):
        await preparation.prepare(platform, id, lines.append)


def test_a_python_that_is_not_to_be_had_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    (tmp_path / "versions/3.9.18/bin").mkdir(parents=True)
    (tmp_path / "versions/3.9.18/bin/python").touch()
    said = interpreters.missing("3.4", "the conda file")
    assert said is not None
    assert said.startswith("Python 3.4, which the conda file asks for, is not on this machine")
    assert said.endswith("Versions on this machine: 3.9.18.")
    assert interpreters.missing(">=3.10", "the conda file") is None


async def test_an_interpreter_of_pyenv_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    for version in ("3.4.9", "3.4.10"):
        (tmp_path / f"versions/{version}/bin").mkdir(parents=True)
        (tmp_path / f"versions/{version}/bin/python").touch()
    assert await interpreters.find("false", "3.4") == str(tmp_path / "versions/3.4.10/bin/python")
    assert await interpreters.find("false", "3.4.9") == str(tmp_path / "versions/3.4.9/bin/python")
    assert await interpreters.find("false", "3.5") == "3.5"
    assert await interpreters.find("true", "3.4") == "3.4"
