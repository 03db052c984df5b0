"""The published types of resources: a value of another type is refused, with the field."""

from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.service_list import SERVICES
from amlite.services.arm.published import generate
from amlite.services.arm.published.validation import MODELS
from amlite.services.arm.resources import checked

ACCOUNT = "Microsoft.Storage/storageAccounts"


def test_committed_models_are_what_the_packages_ship() -> None:
    current = generate.text(generate.published())
    assert generate.TARGET.read_text("utf-8") == current, "run: python -m amlite.services.arm.published.generate"


def test_every_type_outside_of_machine_learning_has_a_model() -> None:
    names = {kind.name for kind in SERVICES.types.values()}
    assert {name for name in names if not name.startswith("Microsoft.MachineLearningServices/")} == set(generate.ROOTS)
    assert all(MODELS.has(name) for name in generate.ROOTS)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", "Standard_LRS"), ("sku", {"name": {}}), ("kind", []), ("identity", "SystemAssigned"),
        ("identity", {"type": 1, "userAssignedIdentities": []}), ("properties", {"allowSharedKeyAccess": "maybe"}),
        ("properties", {"networkAcls": {"ipRules": {"value": "1.1.1.1"}}}), ("tags", {"a": {}}), ("location", {}),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(field: str, value: Any) -> None:
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", field: value}
    with pytest.raises(AzureError, match=field) as raised:
        checked(SERVICES.types[ACCOUNT.lower()], body)
    assert (raised.value.status, raised.value.code) == (400, "InvalidRequestContent")


def test_scalars_get_the_type_of_the_model_and_nulls_are_left_out() -> None:
    given = {"allowSharedKeyAccess": "true", "accessTier": None, "unknown": [None]}
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": given}
    written = checked(SERVICES.types[ACCOUNT.lower()], body)
    assert written["properties"] == {"allowSharedKeyAccess": True, "unknown": [None]}


def test_kinds_are_told_apart_by_their_discriminator() -> None:
    """A subscription's destination has other properties with each `endpointType`."""
    place = {"endpointType": "StorageQueue", "properties": {"queueName": []}}
    kind = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
    with pytest.raises(AzureError, match="queueName"):
        MODELS.writable(kind, {"properties": {"destination": place}})
    MODELS.writable(kind, {"properties": {"destination": {**place, "endpointType": "Other"}}})
