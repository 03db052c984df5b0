"""What an update would replace because names have changed is told first, with the settings that keep the names."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from azure.core.exceptions import HttpResponseError

from infra import REFUSE_RENAMES, RENAMES, naming, renaming
from infra.settings.configuration import ConfigurationError
from infra.settings.naming import NamingSettings
from pulumi_azureml import operations
from tests.unit.infra.deployed import deploy

OWN = "organization/azureml-platform/{}"
CALLERS = "callers need its new URI and credentials"
PARTS = {"namespace": "mlops", "workspace": "flights", "postfix": "001"}


@pytest.fixture(autouse=True)
def contents(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let the workspace of before have three models and a job."""
    ml = SimpleNamespace(models=SimpleNamespace(list=lambda: "abc"), jobs=SimpleNamespace(list=lambda: "a"))
    monkeypatch.setattr(operations, "connect", lambda _place: ml)
    return ml


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    return said


def outputs(stack: str, **changed: str) -> dict[str, Any]:
    """Return what the last update of a stack exported, as far as names go."""
    parts = NamingSettings(**PARTS | changed)
    names = naming.names(parts, stack)
    return {
        "subscription_id": "s",
        "resource_group": names.resource_group,
        "workspace": names.workspace,
        "container_registry": names.container_registry,
        "endpoints": {"flight-delay": {"name": naming.endpoint(parts, stack, "flight-delay")}},
    }


def compared(before: dict[str, Any], name: str, **changed: Any) -> renaming.Renaming | None:
    settings = NamingSettings(**PARTS | changed)
    endpoints = {"flight-delay": naming.endpoint(settings, name, "flight-delay")}
    return renaming.compare(before, settings, name, naming.names(settings, name), endpoints)


def test_names_that_stay_are_not_mentioned() -> None:
    assert compared(outputs("dev"), "dev") is None


def test_a_renamed_stack_is_told_what_it_would_lose_and_how_to_keep_it() -> None:
    found = compared(outputs("dev"), "trial")
    assert found is not None
    assert found.lost == (
        "resource group rg-mlops-flights-dev-001 → rg-mlops-flights-trial-001",
        "workspace mlw-mlops-flights-dev-001 → mlw-mlops-flights-trial-001, with 3 models and 1 job",
        "storage account stmlopsflightsdev001 → stmlopsflightstrial001, with all data, models and logs",
        "key vault kvmlopsflightsdev001 → kvmlopsflightstrial001, with its secrets",
        "container registry crmlopsflightsdev001 → crmlopsflightstrial001, with its images",
        "compute clusters, identities, role assignments and monitoring",
        f"endpoint flight-delay: flight-delay-dev-wr53n → flight-delay-trial-wqfxe; {CALLERS}",
    )
    assert found.keep == ("pulumi config set --path 'azureml-platform:naming.stack' dev -s trial",)
    assert compared(outputs("dev"), "trial", stack="dev") is None


@pytest.mark.parametrize(
    ("part", "value"), [("namespace", "science"), ("workspace", "trains"), ("postfix", "002"), ("stack", "other")]
)
def test_each_part_of_the_names_is_named_by_its_setting(part: str, value: str) -> None:
    found = compared(outputs("dev"), "dev", **{part: value})
    assert found is not None
    old = {**PARTS, "stack": "dev"}[part]
    assert found.keep == (f"pulumi config set --path 'azureml-platform:naming.{part}' {old} -s dev",)


def test_an_endpoint_of_an_earlier_version_can_keep_its_name() -> None:
    """Such versions exported no name: the endpoint had that of the YAML."""
    before = outputs("dev") | {"endpoints": {"flight-delay": {"kind": "online"}, "removed": {"kind": "online"}}}
    found = compared(before, "dev")
    assert found is not None
    assert found.lost == (f"endpoint flight-delay: flight-delay → flight-delay-dev-wr53n; {CALLERS}",)
    assert found.keep == (
        "pulumi config set --path 'azureml-platform:naming.endpoints.flight-delay' flight-delay -s dev",
    )
    assert compared(before, "dev", endpoints={"flight-delay": "flight-delay"}) is None


def test_a_workspace_that_cannot_be_read_is_told_without_numbers(contents: SimpleNamespace) -> None:
    def refuse() -> Any:
        raise HttpResponseError("403 Forbidden")

    contents.jobs.list = refuse
    found = compared(outputs("dev"), "trial")
    assert found is not None
    assert found.lost[1].endswith(", with its models and jobs")


def test_an_update_of_a_renamed_stack_warns_before_everything_else(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"azureml-platform:models": json.dumps({"flight-delay": {"name": "flight-delay", "version": "1"}})}
    deploy("dev", models, preview=True, before={OWN.format("dev"): outputs("trial")})
    (warning,) = warnings
    lines = warning.splitlines()
    assert lines[:2] == [RENAMES, "  resource group rg-mlops-flights-trial-001 → rg-mlops-flights-dev-001"]
    assert lines[-1] == "  pulumi config rm --path 'azureml-platform:models.flight-delay' -s dev"
    # A program that cannot ask makes an error of it.
    monkeypatch.setenv(REFUSE_RENAMES, "1")
    with pytest.raises(ConfigurationError, match=r"naming\.stack' trial -s dev") as refused:
        deploy("dev", before={OWN.format("dev"): outputs("trial")})
    assert str(refused.value).startswith(RENAMES)


def test_a_protected_stack_is_not_replaced(warnings: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        deploy("prod", preview=True, before={OWN.format("prod"): outputs("prod", postfix="002")})
    lines = str(refused.value).splitlines()
    assert lines[0] == "The stack is protected (azureml-platform:protect). Nothing was changed."
    assert lines[-2] == "  pulumi config set --path 'azureml-platform:naming.postfix' 002 -s prod"
    assert "set azureml-platform:protect to false" in lines[-1]
    assert warnings == []


def test_an_endpoint_of_a_protected_stack_gets_another_name_only_if_that_is_written_down(warnings: list[str]) -> None:
    before = {OWN.format("prod"): outputs("prod") | {"endpoints": {"flight-delay": {}}}}
    with pytest.raises(ConfigurationError) as refused:
        deploy("prod", preview=True, before=before)
    name = str(refused.value).splitlines()[-1].removesuffix(" -s prod").rpartition(" ")[2]
    assert name == "flight-delay-prod-6zeal"
    settings = json.dumps(PARTS | {"endpoints": {"flight-delay": name}})
    deploy("prod", {"azureml-platform:naming": settings}, preview=True, before=before)
    assert len(warnings) == 1


def test_a_renamed_project_is_a_new_stack_and_is_told_how_to_move_the_old_one() -> None:
    """`name:` in Pulumi.yaml: Pulumi knows the stack no more, and would create everything again."""
    with pytest.raises(ConfigurationError) as refused:
        deploy("dev", preview=True, project="flights", before={OWN.format("dev"): outputs("dev")})
    assert "Pulumi.yaml names the project flights, and its stack dev is new and empty" in str(refused.value)
    assert str(refused.value).splitlines()[-2:] == [
        "        pulumi stack rm organization/flights/dev --preserve-config",
        "        pulumi stack rename organization/flights/dev -s organization/azureml-platform/dev",
    ]
    # Moved, it keeps its outputs. And a project of another name may have a platform of its own.
    deploy("dev", preview=True, project="flights", before={"organization/flights/dev": outputs("dev")})
    deploy("dev", preview=True, project="flights", before={OWN.format("dev"): outputs("dev", namespace="other")})
