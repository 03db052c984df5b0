"""What a registry takes and refuses, and where it and its references lie, without a listener or a blob."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.services.machinelearning import references
from amlite.services.machinelearning.references import PROVIDER
from amlite.services.registries import access, assets, copying, types
from amlite.services.storage import blobs

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg"
REGISTRY = f"{GROUP}/providers/{PROVIDER}/registries/Shared"
WORKSPACE = f"{GROUP}/providers/{PROVIDER}/workspaces/ws"
WHO = Principal("object", "client")
URI = "azureml://registries/Shared"


def body(*places: str) -> dict[str, Any]:
    return {"location": "westeurope", "properties": {"regionDetails": [{"location": place} for place in places]}}


def prepared(platform: Platform, wanted: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    prepare = types.TYPES[0].prepare
    assert prepare is not None
    return {"name": "Shared", **prepare(platform, ResourceId.of(REGISTRY), wanted, old)}


@pytest.fixture
def registry(platform: Platform) -> Document:
    made = prepared(platform, body("northeurope", "westeurope"))
    return platform.store.put(REGISTRY, references.REGISTRY_TYPE, {"id": REGISTRY, **made})


def put(platform: Platform, registry: Document, version: str, name: str = "env", **given: Any) -> Document:
    properties = {"image": "python:3.11", **given}
    old = platform.store.get(assets.path_of(registry, "environments", name, version))
    checked = asyncio.run(
        assets.prepare_version(
            platform, registry, "environments", name, version, {"properties": properties}, old.body if old else None
        )
    )
    return assets.write(platform, registry, "environments", name, version, checked, WHO)


def finish(platform: Platform, arguments: dict[str, Any]) -> None:
    async def work() -> None:
        await copying.finish(platform, arguments)

    asyncio.run(work())


def test_the_account_of_the_registrys_own_location_comes_first(platform: Platform, registry: Document) -> None:
    first, second = access.accounts(registry)
    details = {detail["location"]: detail for detail in registry.body["properties"]["regionDetails"]}
    home = details["westeurope"]["storageAccountDetails"][0]["systemCreatedStorageAccount"]
    assert home["storageAccountName"] == first
    assert access.owner_of(platform, second) is not None
    assert access.owner_of(platform, "another") is None


def test_an_update_keeps_the_accounts_and_the_managed_group(platform: Platform, registry: Document) -> None:
    again = prepared(platform, body("westeurope", "northeurope", "uksouth"), registry.body)
    kept = [detail for detail in again["properties"]["regionDetails"] if detail["location"] != "uksouth"]
    assert sorted(kept, key=str) == sorted(registry.body["properties"]["regionDetails"], key=str)
    assert again["properties"]["managedResourceGroup"] == registry.body["properties"]["managedResourceGroup"]
    assert again["identity"] == registry.body["identity"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (body(), "must hold the registry's own location"),
        (body("westeurope", "West Europe"), "a location of its own"),
        (body("westeurope", ""), "a location of its own"),
    ],
)
def test_regions_that_contradict_themselves_are_refused(
    platform: Platform, wanted: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AzureError, match=reason):
        prepared(platform, wanted)


@pytest.mark.parametrize("prefix", ["", "azureml:"])
@pytest.mark.parametrize(("ending", "number"), [("versions/1", "1"), ("labels/latest", "2")])
def test_a_reference_names_a_version_of_any_registry(
    platform: Platform, registry: Document, prefix: str, ending: str, number: str
) -> None:
    for version in ("1", "2", "3"):
        put(platform, registry, version)
    put(platform, registry, "3", isArchived=True)
    found = references.asset(
        platform, WORKSPACE, f"{prefix}azureml://registries/shared/environments/env/{ending}", "environments"
    )
    assert found.id == f"{URI}/environments/env/versions/{number}"


@pytest.mark.parametrize(
    ("reference", "status", "reason"),
    [
        (f"{URI}/environments/env", 400, "is not a valid reference to environments"),
        (f"{URI}/models/env/versions/1", 400, "is not a valid reference to environments"),
        (f"{URI}/environments/env/versions/9", 404, "'env:9' was not found in registry 'Shared'"),
        (f"{URI}/environments/none/labels/latest", 404, "'none' was not found in registry 'Shared'"),
        (f"{URI}/environments/env/labels/newest", 404, "Label 'newest'"),
        ("azureml://registries/other/environments/env/versions/1", 404, "The registry 'other' was not found"),
    ],
)
def test_a_reference_to_nothing_is_refused(
    platform: Platform, registry: Document, reference: str, status: int, reason: str
) -> None:
    put(platform, registry, "1")
    with pytest.raises(AzureError, match=reason) as refused:
        references.asset(platform, WORKSPACE, reference, "environments")
    assert refused.value.status == status


def test_a_deleted_version_counts_for_the_next_and_stays_deleted(platform: Platform, registry: Document) -> None:
    for version in ("1", "2"):
        put(platform, registry, version)
    path = assets.path_of(registry, "environments", "env")
    assert assets.bury(platform, f"{path}/versions/2") == 1
    container = platform.store.get(path)
    assert container is not None
    shown = assets.container_body(platform, container)["properties"]
    assert (shown["latestVersion"], shown["nextVersion"]) == ("1", "3")
    assert assets.bury(platform, path) == 2
    for version in ("1", "2"):
        with pytest.raises(AzureError, match="was deleted") as refused:
            put(platform, registry, version)
        assert refused.value.status == 409
    assert put(platform, registry, "3").body["name"] == "3"


@pytest.mark.parametrize("name", ["azureml_anonymous", "CliV2AnonymousEnvironment"])
def test_nothing_anonymous_is_taken(platform: Platform, registry: Document, name: str) -> None:
    """User pain 5: an anonymous environment of a registry silently is another one."""
    with pytest.raises(AzureError, match="does not accept anonymous assets"):
        put(platform, registry, "1", name)
    with pytest.raises(AzureError, match="does not accept anonymous assets"):
        put(platform, registry, "1", isAnonymous=True)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"environment": "azureml:env:1"}, "share the environment first"),
        ({"task": {"environment": f"{WORKSPACE}/environments/env/versions/1"}}, "share the environment first"),
        ({"code": f"azureml:{WORKSPACE}/codes/c/versions/1"}, "create it from its files"),
        ({"jobs": {"a": {"componentId": f"{WORKSPACE}/components/c/versions/1"}}}, "share the component first"),
        ({"jobs": {"a": {"componentId": f"{URI}/components/c/versions/1"}}}, "'c:1' was not found in registry"),
    ],
)
def test_a_component_refers_to_what_is_in_a_registry(
    platform: Platform, registry: Document, part: dict[str, Any], reason: str
) -> None:
    given = {"properties": {"componentSpec": {"type": "command", **part}}}
    with pytest.raises(AzureError, match=reason):
        asyncio.run(assets.prepare_version(platform, registry, "components", "c", "1", given, None))


@pytest.mark.parametrize(
    "source",
    ["azureml:env:1", f"{URI}/environments/env/versions/1", "azureml://locations/x/workspaces/y/codes/c/versions/1"],
)
def test_only_a_workspaces_model_environment_or_data_is_imported(platform: Platform, source: str) -> None:
    with pytest.raises(AzureError, match="not a model, environment or data asset of a workspace"):
        copying.source_of(platform, source)


def test_an_import_that_is_resumed_changes_nothing_that_is_there(platform: Platform, registry: Document) -> None:
    source = f"{WORKSPACE}/environments/env/versions/1"
    properties = {"image": "python:3.11", "tags": {"a": "1"}, "isArchived": True, "isAnonymous": False}
    platform.store.put(source, f"{PROVIDER}/workspaces/environments/versions", {"name": "1", "properties": properties})
    arguments = {
        "registry": REGISTRY, "source": source, "kind": "environments", "name": "env", "version": "1",
        "principal": [WHO.object_id, WHO.client_id],
    }  # fmt: skip
    finish(platform, arguments)
    first = platform.store.get(assets.path_of(registry, "environments", "env", "1"))
    assert first is not None
    assert (first.body["properties"]["tags"], first.body["properties"]["isArchived"]) == ({"a": "1"}, False)
    finish(platform, arguments)
    again = platform.store.get(first.id)
    assert again is not None
    assert again.etag == first.etag


def test_a_workspace_acts_as_its_own_identity_unless_it_names_another(platform: Platform) -> None:
    own = {"identity": {"type": "SystemAssigned", "principalId": "p"}, "properties": {}}
    platform.store.put(WORKSPACE, f"{PROVIDER}/workspaces", own)
    assert access.workspace_identity(platform, WORKSPACE) == Principal("p", "p")


@pytest.mark.attack
def test_a_version_that_another_one_registers_meanwhile_stays(
    platform: Platform, registry: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = access.accounts(registry)[0]
    mine, theirs = (assets.upload_place(platform, registry, "models", "m", "1", holder) for holder in ("a", "b"))

    def prepared_at(place: blobs.BlobPath) -> Any:
        given = {"properties": {"modelUri": place.url, "modelType": "custom_model"}}
        return assets.prepare_version(platform, registry, "models", "m", "1", given, None)

    async def listed(_platform: Platform, place: blobs.BlobPath) -> list[str]:
        if place.container == mine.container:  # a list of many files takes long
            assets.write(platform, registry, "models", "m", "1", await prepared_at(theirs), WHO)
        return ["model.json"]

    monkeypatch.setattr(blobs, "names", listed)
    with pytest.raises(AzureError, match="already exists") as refused:
        asyncio.run(prepared_at(mine))
    assert refused.value.status == 409
    kept = platform.store.get(assets.path_of(registry, "models", "m", "1"))
    assert kept is not None
    assert theirs.container in kept.body["properties"]["modelUri"]
    assert account in kept.body["properties"]["modelUri"]
