from __future__ import annotations

import pytest

from amlite.core.resource_id import ResourceId

S = "/subscriptions/s"
G = f"{S}/resourceGroups/g"
STORAGE = "Microsoft.Storage/storageAccounts"
ST = f"{G}/providers/{STORAGE}/a"
ROLES = "Microsoft.Authorization/roleAssignments"


@pytest.mark.parametrize(
    ("path", "type", "name", "collection"),
    [
        (S, "Microsoft.Resources/subscriptions", "s", False),
        (G, "Microsoft.Resources/subscriptions/resourceGroups", "g", False),
        (ST, "Microsoft.Storage/storageAccounts", "a", False),
        (f"{ST}/blobServices/default/containers/c", f"{STORAGE}/blobServices/containers", "c", False),
        (f"{G}/providers/{STORAGE}", STORAGE, "storageAccounts", True),
        (f"{ST}/listKeys", "Microsoft.Storage/storageAccounts/listKeys", "listKeys", True),
        (f"{S}/providers/{ROLES}/r", ROLES, "r", False),
    ],
)  # fmt: skip
def test_type_name_and_collection(path: str, type: str, name: str, collection: bool) -> None:
    id = ResourceId.of(path)
    assert (id.type, id.name, id.is_collection) == (type, name, collection)
    assert str(id) == path


def test_several_slashes_are_one() -> None:
    """`az resource show --resource-type` writes two between the namespace and the type."""
    assert ResourceId.of(ST.replace("Microsoft.Storage/", "Microsoft.Storage//")) == ResourceId.of(ST)


def test_parents_are_one_level_up() -> None:
    container = ResourceId.of(f"{ST}/blobServices/default/containers/c")
    service = container.parent
    assert service is not None
    assert str(service) == f"{ST}/blobServices/default"
    account = service.parent
    assert account is not None
    assert str(account) == ST
    assert account.parent is None
    collection = ResourceId.of(f"{ST}/blobServices")
    assert str(collection.parent) == ST


def test_extension_keeps_what_it_extends() -> None:
    id = ResourceId.of(f"{ST}/providers/Microsoft.Authorization/roleAssignments/r")
    assert str(id.scope) == ST
    assert (id.group, id.type, id.parent) == ("g", "Microsoft.Authorization/roleAssignments", None)
    assert str(id) == f"{ST}/providers/Microsoft.Authorization/roleAssignments/r"


def test_keywords_match_in_any_case_and_come_back_as_arm_writes_them() -> None:
    id = ResourceId.of("/SUBSCRIPTIONS/s/resourcegroups/g/Providers/Microsoft.Storage/storageAccounts/a/")
    assert str(id) == ST


@pytest.mark.parametrize("path", ["", "/", "/subscriptions", "/providers/x/y/z", "/nothing/of/arm", f"{G}/providers"])
def test_other_paths_are_none(path: str) -> None:
    assert ResourceId.parse(path) is None
    with pytest.raises(ValueError, match="is not an ARM path"):
        ResourceId.of(path)


@pytest.mark.attack
def test_a_path_of_many_scopes_is_no_path() -> None:
    assert ResourceId.of(f"{ST}/providers/{ROLES}/r/providers/{ROLES}/r").type == ROLES
    assert ResourceId.parse(S + "/providers/a/b/c" * 4000) is None
