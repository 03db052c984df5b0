"""The check of a stack's names: what is asked, when, and what is said. Azure's answers are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest
from azure.core.exceptions import HttpResponseError
from pulumi_azure_native.keyvault import CreateMode

from infra import availability, azure_names, naming
from infra.availability import Answers, NameCheck, WantedNames
from infra.azure_names import DeletedVault, DeletedWorkspace
from infra.settings import configuration
from tests.unit.infra.deployed import deploy
from tests.unit.infra.stack_files import filled_in

CONFIG = configuration.parse(filled_in("dev"), "dev")
NAMES = naming.names(CONFIG.settings.naming, "dev")
TAGS = naming.tags(CONFIG.settings.naming, "dev", {})
SUBSCRIPTION = CONFIG.cloud.subscription_id
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-mlops-flights-dev-001"
VAULT_ID = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kvmlopsflightsdev001"
WORKSPACE_ID = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw-mlops-flights-dev-001"
POSTFIX = "pulumi config set --path azureml-platform:naming.postfix NEW -s dev"
UNIQUE = {
    "resources:ResourceGroup", "storage:StorageAccount", "keyvault:Vault", "containerregistry:Registry",
    "machinelearningservices:Workspace",
}  # fmt: skip


def wanted(registry: str | None = None) -> WantedNames:
    return WantedNames(
        stack="dev", subscription_id=SUBSCRIPTION, location="westeurope", names=NAMES, tags=TAGS, registry=registry
    )


def vault(**changes: Any) -> DeletedVault:
    values: dict[str, Any] = {
        "id": VAULT_ID, "location": "westeurope", "purge_date": "2026-12-05", "purge_protection": False, "tags": TAGS
    }  # fmt: skip
    return DeletedVault(**{**values, **changes})


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what Azure answers, for a test to change; at first nothing is taken."""
    answers: dict[str, Any] = {"unavailable": {}, "vaults": [], "workspaces": [], "registry": None}
    monkeypatch.setattr(azure_names, "unavailable", lambda id: answers["unavailable"].get(id.rpartition("/")[2]))
    monkeypatch.setattr(azure_names, "deleted_vaults", lambda _subscription: answers["vaults"])
    monkeypatch.setattr(azure_names, "deleted_workspaces", lambda _subscription: answers["workspaces"])
    monkeypatch.setattr(azure_names, "registry_id", lambda _name, _location: answers["registry"])
    return answers


def test_free_names_are_no_problem(azure: dict[str, Any]) -> None:
    assert availability.ask(wanted("models")) == Answers()


def test_all_taken_names_are_reported_at_once_each_with_its_fix(azure: dict[str, Any]) -> None:
    azure["unavailable"] = {
        "stmlopsflightsdev001": "The storage account is already taken.",
        "crmlopsflightsdev001": "The registry is already in use.",
        "kvmlopsflightsdev001": "The vault name is already in use.",
    }
    azure["workspaces"] = [DeletedWorkspace(id=WORKSPACE_ID.upper(), location="westeurope")]
    azure["registry"] = "/subscriptions/s/resourceGroups/g/providers/m/registries/models"
    text = "\n".join(availability.ask(wanted("models")).problems)
    assert f"storage account stmlopsflightsdev001: The storage account is already taken.\n      fix: {POSTFIX}" in text
    assert f"container registry crmlopsflightsdev001: The registry is already in use.\n      fix: {POSTFIX}" in text
    assert f"key vault kvmlopsflightsdev001: The vault name is already in use.\n      fix: {POSTFIX}" in text
    assert "workspace mlw-mlops-flights-dev-001 is soft-deleted" in text
    assert f"fix: release down --purge -s dev, or {POSTFIX}" in text
    assert "registry models exists in this tenant: /subscriptions/s/" in text
    assert "pulumi config set --path azureml-platform:sharing.registry NEW -s dev" in text


def test_the_stack_s_own_soft_deleted_vault_can_be_recovered(azure: dict[str, Any]) -> None:
    azure["vaults"] = [vault(id=VAULT_ID.replace("dev001", "other"), tags={}), vault(id=VAULT_ID.replace("rg-", "RG-"))]
    assert availability.ask(wanted()) == Answers(recoverable=azure["vaults"][1])


@pytest.mark.parametrize(
    "changes",
    [{"tags": {**TAGS, "stack": "prod"}}, {"id": VAULT_ID.replace("/rg-", "/other-")}, {"location": "eastus"}],
)
def test_a_soft_deleted_vault_of_others_is_purged_by_hand_or_avoided(
    azure: dict[str, Any], changes: dict[str, Any]
) -> None:
    azure["vaults"] = [vault(**changes)]
    (problem,) = availability.ask(wanted()).problems
    location = changes.get("location", "westeurope")
    assert f"fix: az keyvault purge --name kvmlopsflightsdev001 --location {location}, or {POSTFIX}" in problem
    azure["vaults"] = [vault(**changes, purge_protection=True)]
    (problem,) = availability.ask(wanted()).problems
    assert f"Purge protection holds the name until 2026-12-05\n      fix: {POSTFIX}" in problem


def test_the_stack_s_own_registry_is_no_problem(azure: dict[str, Any]) -> None:
    azure["registry"] = f"{GROUP}/providers/Microsoft.MachineLearningServices/registries/models"
    assert availability.ask(wanted("models")) == Answers()


def test_what_cannot_be_looked_up_is_no_problem(azure: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_subscription: str) -> list[DeletedVault]:
        raise HttpResponseError("403 Forbidden: AuthorizationFailed\nmore")

    monkeypatch.setattr(azure_names, "deleted_vaults", refused)
    azure["unavailable"] = {"stmlopsflightsdev001": "taken"}
    answers = availability.ask(wanted())
    assert len(answers.problems) == 1
    assert answers.unchecked == [
        "Cannot check with Azure whether the name of the key vault is free: 403 Forbidden: AuthorizationFailed"
    ]


def test_every_resource_with_a_name_that_may_be_taken_is_checked_before_it_is_created() -> None:
    deployment = deploy("dev")
    hooked = {each.type.removeprefix("azure-native:") for each in deployment.resources if each.before_create}
    assert hooked == UNIQUE
    sharing = {"azureml-platform:sharing": '{"registry": "models", "create": true}'}
    registry = deploy("dev", sharing).one("machinelearningservices:Registry")
    assert registry.before_create == ("names",)
    assert "createMode" not in deployment.one("keyvault:Vault").inputs["properties"]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answers], NameCheck]]:
    """Return a function that makes a check whose look-up has the given answers."""
    made: list[Callable[..., Any]] = []

    def make(answers: Answers) -> NameCheck:
        monkeypatch.setattr(availability, "ask", lambda _wanted: made.append(ask) or answers)
        monkeypatch.setattr(pulumi, "ResourceHook", lambda _name, func, _options: func)
        return NameCheck(CONFIG, NAMES, TAGS)

    def ask() -> None: ...

    yield make
    assert len(made) <= 1, "Azure is asked once in a run"


def before(kind: str) -> pulumi.ResourceHookArgs:
    urn = f"urn:pulumi:dev::azureml-platform::azureml-platform:infra:KeyVault$azure-native:{kind}::vault"
    return pulumi.ResourceHookArgs(urn, "", "vault", f"azure-native:{kind}")


def test_the_first_resource_that_is_created_reports_all_problems(hook: Callable[[Answers], NameCheck]) -> None:
    async def run() -> None:
        check: Any = hook(Answers(["  first", "  second"]))
        with pytest.raises(RuntimeError, match=r"(?s)names of its new resources.*\n  first\n  second$"):
            await check.hook(before("storage:StorageAccount"))
        with pytest.raises(RuntimeError, match="see the other error"):
            await check.hook(before("containerregistry:Registry"))

    asyncio.run(run())


def test_what_cannot_be_looked_up_is_a_warning(
    hook: Callable[[Answers], NameCheck], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi, "warn", warnings.append)

    async def run() -> None:
        check: Any = hook(Answers(unchecked=["cannot check"]))
        await check.hook(before("storage:StorageAccount"))
        await check.hook(before("keyvault:Vault"))

    asyncio.run(run())
    assert warnings == ["cannot check"]


def test_a_run_that_creates_the_group_recovers_the_vault(
    hook: Callable[[Answers], NameCheck], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "info", said.append)

    async def run() -> None:
        check: Any = hook(Answers(recoverable=vault()))
        await check.hook(before("resources:ResourceGroup"))
        assert await check.vault_create_mode(pulumi.Output.from_input("rg")).future() is CreateMode.RECOVER
        await check.hook(before("keyvault:Vault"))

    asyncio.run(run())
    assert "The key vault kvmlopsflightsdev001 is soft-deleted. The update recovers it" in said[0]


def test_a_vault_that_was_deleted_alone_is_refused_with_the_way_back(hook: Callable[[Answers], NameCheck]) -> None:
    async def run() -> None:
        check: Any = hook(Answers(recoverable=vault()))
        assert await check.vault_create_mode(pulumi.Output.from_input("rg")).future() is None
        with pytest.raises(RuntimeError, match="az keyvault recover --name kvmlopsflightsdev001") as refused:
            await check.hook(before("keyvault:Vault"))
        assert f"pulumi import azure-native:keyvault:Vault vault {VAULT_ID}" in str(refused.value)
        parent = "vault=urn:pulumi:dev::azureml-platform::azureml-platform:infra:KeyVault::vault"
        assert f"--parent {parent}" in str(refused.value)

    asyncio.run(run())
