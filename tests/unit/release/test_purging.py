"""What `release down` says and does about what Azure keeps; the engine and Azure are made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from click.testing import CliRunner

from infra import azure_names
from infra.azure_names import DeletedVault, DeletedWorkspace
from release import cli, stack
from release.destroying import command
from release.destroying.purging import VAULT_TYPE, WORKSPACE_TYPE

GROUP = "/subscriptions/s/resourceGroups/rg"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw-dev"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kvdev"
TAGS = {"project": "azureml-platform", "namespace": "mlops", "workspace": "flights", "stack": "dev"}
RESOURCES: list[dict[str, Any]] = [
    {"urn": "urn::platform", "type": "azure-native:resources:ResourceGroup"},
    {"urn": "urn::vault", "type": VAULT_TYPE, "id": VAULT, "parent": "urn::platform", "inputs": {"properties": {}}},
    {"urn": "urn::workspace", "type": WORKSPACE_TYPE, "id": WORKSPACE, "dependencies": ["urn::vault"]},
    {"urn": "urn::cluster", "type": "compute", "propertyDependencies": {"workspaceName": ["urn::workspace"]}},
    {"urn": "urn::component", "type": "azureml", "dependencies": ["urn::cluster"], "propertyDependencies": {"x": None}},
]  # fmt: skip


class Fakes:
    """A stack's state, what Azure keeps of it, and all that was done, in order."""

    def __init__(self) -> None:
        self.resources = [dict(each) for each in RESOURCES]
        self.vaults: list[DeletedVault] = []
        self.workspaces: list[DeletedWorkspace] = []
        self.done: list[Any] = []

    def destroy(self, urns: list[str] | None) -> None:
        self.done.append(("destroy", urns))
        if urns is None:
            if any(each["type"] == VAULT_TYPE for each in self.resources):
                self.vaults.append(deleted_vault())
            self.resources = []


def deleted_vault(**changes: Any) -> DeletedVault:
    values = {"id": VAULT, "location": "westeurope", "purge_date": "2026-12-05", "purge_protection": False}
    return DeletedVault(**{**values, "tags": TAGS, **changes})


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    made = Fakes()

    class Stack(stack.PulumiStack):
        def __init__(self, name: str) -> None:
            self.name = name

        def state(self) -> dict[str, Any]:
            return {"resources": made.resources}

        def _config(self, key: str) -> str:
            return {
                "azure-native:subscriptionId": "s",
                "azureml-platform:naming": '{"namespace": "mlops", "workspace": "flights", "postfix": "001"}',
            }[key]

        def destroy(self, _on_event: Any, urns: list[str] | None = None) -> Any:
            made.destroy(urns)

        def forget_models(self) -> bool:
            return False

    @contextmanager
    def group(id: str, location: str) -> Iterator[None]:
        made.done.append(("group", id.split("/")[4], location))
        yield

    def purge_workspace(id: str) -> None:
        made.done.append(("purge workspace", id))
        made.workspaces = [each for each in made.workspaces if each.id != id]

    def purge(vault: DeletedVault) -> None:
        made.done.append(("purge vault", vault.name))
        made.vaults.remove(vault)

    monkeypatch.setattr(command, "PulumiStack", Stack)
    monkeypatch.setattr(azure_names, "deleted_vaults", lambda _subscription: list(made.vaults))
    monkeypatch.setattr(azure_names, "deleted_workspaces", lambda _subscription: list(made.workspaces))
    monkeypatch.setattr(azure_names, "purge_workspace", purge_workspace)
    monkeypatch.setattr(azure_names, "resource_group", group)
    monkeypatch.setattr(DeletedVault, "purge", purge)
    return made


def down(*options: str, answer: str = "", code: int = 0) -> str:
    """Run `release down` and return what it prints; `code` is its exit code."""
    done = CliRunner().invoke(cli.main, ["down", "-s", "dev", *options], input=answer)
    assert done.exit_code == code, done.output
    return done.output


def test_down_says_which_names_azure_keeps_and_how_to_free_them(fakes: Fakes) -> None:
    text = down("--yes")
    assert fakes.done == [("destroy", None)]
    assert "key vault kvdev: until 2026-12-05" in text
    assert "release down --purge -s dev" in text


def test_purge_deletes_the_workspace_for_good_after_what_needs_it_and_the_vault_at_the_end(fakes: Fakes) -> None:
    text = down("--purge", "--yes")
    assert fakes.done == [
        ("destroy", ["urn::cluster", "urn::component"]),
        ("purge workspace", WORKSPACE),
        ("destroy", None),
        ("purge vault", "kvdev"),
    ]
    assert "workspace mlw-dev: deleted for good, with its assets, jobs and run history" in text
    assert "key vault kvdev: deleted for good, with its secrets" in text
    assert "Azure keeps" not in text


def test_nothing_is_done_without_a_yes(fakes: Fakes) -> None:
    down("--purge", answer="n\n", code=1)
    assert fakes.done == []


def test_purge_of_a_protected_stack_is_refused_before_anything(fakes: Fakes) -> None:
    fakes.resources[1]["protect"] = True
    text = down("--purge", "--yes", code=1)
    assert "stack 'dev' protects 1 resources (vault). Nothing was deleted" in text
    assert "fix: set azureml-platform:protect to false in Pulumi.dev.yaml" in text
    assert fakes.done == []


def test_purge_keeps_a_vault_with_purge_protection(fakes: Fakes) -> None:
    fakes.resources[1]["inputs"] = {"properties": {"enablePurgeProtection": True}}
    fakes.destroy = lambda urns: fakes.vaults.append(deleted_vault(purge_protection=True)) if urns is None else None  # type: ignore[method-assign]
    text = down("--purge", "--yes")
    assert "key vault kvdev: kept by its purge protection; the next `release up` recovers it" in text
    assert "key vault kvdev: kept by purge protection until 2026-12-05" in text
    assert ("purge vault", "kvdev") not in fakes.done


def test_purge_of_a_destroyed_stack_finds_what_is_left_of_it_by_its_tags(fakes: Fakes) -> None:
    fakes.resources = []
    fakes.vaults = [deleted_vault(), deleted_vault(id=f"{VAULT}x", tags={**TAGS, "stack": "prod"})]
    fakes.workspaces = [
        DeletedWorkspace(id=WORKSPACE, location="westeurope", tags=TAGS),
        DeletedWorkspace(id=f"{WORKSPACE}x", location="westeurope", tags={**TAGS, "workspace": "trains"}),
    ]
    text = down("--purge", "--yes")
    assert fakes.done == [
        ("destroy", None), ("group", "rg", "westeurope"), ("purge workspace", WORKSPACE), ("purge vault", "kvdev")
    ]  # fmt: skip
    assert "workspace mlw-dev: purged" in text
    assert "kvdevx" not in text


def test_down_does_not_fail_where_it_may_not_look_for_what_azure_keeps(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_subscription: str) -> list[DeletedVault]:
        raise HttpResponseError("403 Forbidden")

    monkeypatch.setattr(azure_names, "deleted_vaults", refused)
    down("--yes")
    assert fakes.done == [("destroy", None)]
