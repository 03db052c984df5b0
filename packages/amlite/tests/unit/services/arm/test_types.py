from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.resource_types import ResourceType
from amlite.service_list import SERVICES

ST = "Microsoft.Storage/storageAccounts"
KV = "Microsoft.KeyVault/vaults"


def _type(name: str) -> ResourceType:
    return SERVICES.types[name.lower()]


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        (ST, ["abc", "a1" * 12], ["ab", "a" * 25, "Upper", "with-hyphen", ""]),
        (KV, ["kv-1", "a" * 24, "Abc"], ["kv", "a" * 25, "1abc", "a--b", "ab-", "a_b"]),
        (f"{ST}/blobServices/containers", ["a-b", "abc"], ["ab", "a--b", "Abc", "a" * 64, "-ab"]),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", ["id_1", "a-b"], ["ab", "-abc", "a" * 129]),
        ("Microsoft.Authorization/roleAssignments", ["10ca1000-0000-4000-8000-616d6c697465"], ["x", "10ca1000"]),
        ("Microsoft.OperationalInsights/workspaces", ["log1"], ["log", "-log1", "log1-"]),
    ],
)  # fmt: skip
def test_names(type: str, good: list[str], bad: list[str]) -> None:
    for name in good:
        _type(type).check_name(name)
    for name in bad:
        with pytest.raises(AzureError) as refused:
            _type(type).check_name(name)
        assert (refused.value.status, refused.value.code) == (400, "InvalidResourceName")
        assert f"'{name}'" in refused.value.message


def test_what_is_missing_is_named() -> None:
    with pytest.raises(AzureError, match=r"missing required properties: sku.name, kind"):
        _type(ST).check_body({"location": "westeurope", "sku": {}})


def test_location_is_required_of_tracked_resources_alone() -> None:
    with pytest.raises(AzureError) as refused:
        _type(ST).check_body({"sku": {"name": "x"}, "kind": "y"})
    assert refused.value.code == "LocationRequired"
    _type(f"{ST}/blobServices/containers").check_body({})


@pytest.mark.parametrize("body", [{"properties": []}, {"tags": "x"}, {"location": 1}])
def test_envelope_of_the_wrong_shape_is_refused(body: dict[str, Any]) -> None:
    good = {"location": "westeurope", "kind": "x", "sku": {"name": "y"}, "properties": {}}
    _type(ST).check_body(good)
    with pytest.raises(AzureError, match=f"'{next(iter(body))}' must be"):
        _type(ST).check_body(good | body)
