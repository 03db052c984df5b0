"""Which programs come first for a command of `amlite run`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from amlite import environment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder; amlite is installed elsewhere, as uvx does it."""
    for name in ("tool", "active", "project/.venv"):
        (tmp_path / name / "bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tool"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def first(**inherited: str) -> str:
    return environment.path({"PATH": "/usr/bin", **inherited}).partition(":")[0]


def test_the_activated_environment_comes_first(folder: Path) -> None:
    assert first(VIRTUAL_ENV=str(folder / "active")) == str(folder / "active" / "bin")


def test_the_environment_in_the_working_folder_comes_first_where_none_is_activated(folder: Path) -> None:
    assert first() == str(folder / "project" / ".venv" / "bin")
    assert first(VIRTUAL_ENV=str(folder / "deleted")) == str(folder / "project" / ".venv" / "bin")


def test_elsewhere_amlites_own_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert first() == str(folder / "tool" / "bin")


def test_the_projects_amlite_is_used_with_its_own_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(folder / "project" / ".venv"))
    assert first(VIRTUAL_ENV=str(folder / "active")) == str(folder / "project" / ".venv" / "bin")


def test_nothing_is_named_twice(folder: Path) -> None:
    active = str(folder / "active")
    assert environment.path({"PATH": f"{active}/bin:/usr/bin", "VIRTUAL_ENV": active}) == f"{active}/bin:/usr/bin"


@pytest.mark.attack
@pytest.mark.parametrize(
    "name",
    [
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "ARM_ACCESS_KEY", "ARM_CLIENT_CERTIFICATE", "ARM_CLIENT_CERTIFICATE_PASSWORD", "ARM_CLIENT_CERTIFICATE_PATH",
        "ARM_CLIENT_SECRET_FILE_PATH", "ARM_OIDC_REQUEST_TOKEN", "ARM_OIDC_REQUEST_URL", "ARM_OIDC_TOKEN",
        "ARM_OIDC_TOKEN_FILE_PATH", "ARM_SAS_TOKEN", "ARM_USE_AKS_WORKLOAD_IDENTITY", "ARM_USE_CLI", "ARM_USE_MSI",
        "ARM_USE_OIDC", "AWS_ACCESS_KEY_ID", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_CREDENTIALS",
        "AZURE_FEDERATED_TOKEN_FILE", "AZURE_OPENAI_API_KEY", "AZURE_PASSWORD", "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_USERNAME", "CLOUDSDK_AUTH_ACCESS_TOKEN",
        "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "DATABRICKS_CLIENT_SECRET", "DATABRICKS_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH", "IDENTITY_ENDPOINT", "IDENTITY_HEADER",
        "MSI_ENDPOINT", "MSI_SECRET", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE_FILE", "SYSTEM_OIDCREQUESTURI",
        "idToken", "servicePrincipalKey",
    ],
)  # fmt: skip
def test_what_signs_in_to_a_real_cloud_stays_there(name: str) -> None:
    assert environment.of_real_clouds({name: "secret"}) == {name}


def test_what_programs_need_stays() -> None:
    """A code host's token opens no cloud by itself, and `release comment` needs it."""
    kept = (
        "ARM_LOCATION", "AWS_CA_BUNDLE", "AWS_REGION", "AZURE_KEY_VAULT_URL", "AZURE_RESOURCE_GROUP",
        "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_AUTH_MODE", "AZURE_TENANT_ID", "GH_TOKEN", "GITHUB_TOKEN", "HF_TOKEN",
        "PIP_INDEX_URL", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "SYSTEM_ACCESSTOKEN",
    )  # fmt: skip
    assert environment.of_real_clouds(dict.fromkeys(kept, "x")) == set()
