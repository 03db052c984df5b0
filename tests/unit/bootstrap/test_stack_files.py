"""The stack files of the local Azure, made from tracked ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from amlite import SUBSCRIPTION_ID, TENANT_ID
from bootstrap import stack_files
from bootstrap.errors import SetupError
from bootstrap.stack_files import Project

REPOSITORY = Path(__file__).resolve().parents[3]
ENVIRONMENTS = ("dev", "staging", "prod")
PLACEHOLDER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with nothing but the files of Pulumi."""
    for path in REPOSITORY.glob("Pulumi*.yaml"):
        if path.name != "Pulumi.local.yaml":
            shutil.copy(path, tmp_path / path.name)
    return tmp_path


def write(stack: str, repository: Path) -> tuple[Path, list[str]]:
    project = Project.of(stack, repository, {})
    told = stack_files.write(stack, project)
    return project.file(stack), told


def configuration(path: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(path.read_text("utf-8"))["config"]
    return found


@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_only_the_ids_and_the_sign_in_differ_from_the_tracked_file(stack: str, repository: Path) -> None:
    path, _ = write(stack, repository)
    made, tracked = configuration(path), configuration(repository / path.name)
    assert made.pop("azureml-platform:signIn")
    assert made["azure-native:tenantId"] == TENANT_ID
    assert made["azure-native:subscriptionId"] == SUBSCRIPTION_ID
    differing = {key for key in tracked if made[key] != tracked[key]}
    assert made.keys() == tracked.keys()
    assert differing == {"azure-native:tenantId", "azure-native:subscriptionId", "azureml-platform:access"}
    assert PLACEHOLDER not in path.read_text("utf-8")


def test_real_ids_are_replaced_too(repository: Path) -> None:
    tracked = repository / "Pulumi.dev.yaml"
    real = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    tracked.write_text(
        tracked.read_text("utf-8").replace(f"Id: {PLACEHOLDER}", f"Id: {real}") + "encryptionsalt: v1:a\n"
    )
    path, _ = write("dev", repository)
    made = configuration(path)
    assert (made["azure-native:tenantId"], made["azure-native:subscriptionId"]) == (TENANT_ID, SUBSCRIPTION_ID)
    assert "encryptionsalt: v1:a\n" not in path.read_text("utf-8")


def test_the_project_runs_the_repositorys_program(repository: Path) -> None:
    path, _ = write("prod", repository)
    assert path == repository / ".amlite" / "environments" / "Pulumi.prod.yaml"
    project = yaml.safe_load((path.parent / "Pulumi.yaml").read_text("utf-8"))
    assert project["main"] == str(repository)
    assert project["runtime"]["options"]["virtualenv"] == str(repository / ".venv")
    assert project["name"] == yaml.safe_load((repository / "Pulumi.yaml").read_text("utf-8"))["name"]


def test_an_example_has_a_project_folder_and_its_own_program(repository: Path) -> None:
    folder = repository / "examples" / "small"
    folder.mkdir(parents=True)
    shutil.copy(repository / "Pulumi.dev.yaml", folder)
    (folder / "Pulumi.yaml").write_text("name: small\nruntime:\n  options:\n    virtualenv: ../../.venv\n")
    project = Project.of("dev", repository, {}, "small")
    stack_files.write("dev", project)
    assert project.file("dev") == repository / ".amlite" / "examples" / "small" / "Pulumi.dev.yaml"
    assert configuration(project.file("dev"))["azure-native:tenantId"] == TENANT_ID
    made = yaml.safe_load((project.folder / "Pulumi.yaml").read_text("utf-8"))
    assert (made["main"], made["runtime"]["options"]["virtualenv"]) == (str(folder), str(repository / ".venv"))
    with pytest.raises(SetupError, match="there is no example 'large'"):
        Project.of("dev", repository, {}, "large")


def test_local_choices_stay_and_changes_of_the_tracked_file_arrive(repository: Path) -> None:
    path, _ = write("dev", repository)
    own = path.read_text("utf-8").replace("maxNodes: 4", "maxNodes: 1").replace("logDays: 30", "logDays: 31")
    path.write_text(own + "# mine\n")
    assert write("dev", repository)[1] == []
    tracked = repository / path.name
    tracked.write_text(
        tracked.read_text("utf-8").replace("sku: Basic", "sku: Standard").replace("Days: 30", "Days: 45")
    )
    _, (line,) = write("dev", repository)
    assert line.startswith("Merged the changes of ")
    assert path.read_text("utf-8") == own.replace("sku: Basic", "sku: Standard") + "# mine\n"
    assert write("dev", repository)[1] == []


def test_the_file_of_the_stack_local_is_made_from_its_template(repository: Path) -> None:
    path, told = write("local", repository)
    assert (path, told) == (repository / "Pulumi.local.yaml", [])
    assert path.read_text("utf-8") == stack_files.TEMPLATE.read_text("utf-8")


def test_an_unknown_stack_is_refused_with_those_there_are(repository: Path) -> None:
    with pytest.raises(SetupError, match=r"stack 'test' has no file Pulumi\.test\.yaml\n.*dev, prod, staging"):
        write("test", repository)
