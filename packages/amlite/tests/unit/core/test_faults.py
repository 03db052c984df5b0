from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.faults import Faults

ENDPOINT = "management.azure.com/subscriptions/s/resourceGroups/g/providers/M/workspaces/w/onlineEndpoints/e"


@pytest.mark.parametrize(
    ("match", "method", "address", "expected"),
    [
        ("PUT */onlineEndpoints/*", "PUT", ENDPOINT, True),
        ("put */ONLINEENDPOINTS/*", "PUT", ENDPOINT, True),
        ("PUT */onlineEndpoints/*", "GET", ENDPOINT, False),
        ("* management.azure.com/*", "GET", ENDPOINT, True),
        ("P* */batchEndpoints/*", "PUT", ENDPOINT, False),
    ],
)
def test_requests_are_matched_by_method_and_address(match: str, method: str, address: str, expected: bool) -> None:
    assert Faults().add({"match": match, "kind": "error"}).concerns(method, address) is expected


def test_a_read_fault_leaves_writes_alone() -> None:
    rule = Faults().add({"match": "* *", "kind": "eventual"})
    assert [rule.concerns(method, ENDPOINT) for method in ("GET", "HEAD", "PUT")] == [True, True, False]


def test_only_a_token_of_entra_id_expires() -> None:
    rule = Faults().add({"match": "* *", "kind": "expired"})
    assert [rule.concerns("PUT", ENDPOINT, expires=expires) for expires in (True, False)] == [True, False]


def test_once_is_the_default_and_a_rate_has_no_end() -> None:
    faults = Faults()
    assert faults.add({"match": "* *", "kind": "error"}).times == 1
    assert faults.add({"match": "* *", "kind": "error", "rate": 0.5}).times is None
    assert [rule["id"] for rule in faults.list()] == [1, 2]
    assert faults.clear() == 2
    assert faults.list() == []


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"kind": "error"}, "match"),
        ({"match": "PUT", "kind": "error"}, "match"),
        ({"match": "PUT *", "kind": "explode"}, "kind"),
        ({"match": "PUT *"}, "kind"),
        ({"match": "PUT *", "kind": "error", "times": 0}, "times"),
        ({"match": "PUT *", "kind": "error", "times": "two"}, "times"),
        ({"match": "PUT *", "kind": "error", "rate": 1.5}, "rate"),
        ({"match": "PUT *", "kind": "slow", "seconds": -1}, "seconds"),
        ({"match": "PUT *", "kind": "error", "after": -1}, "after"),
        ({"match": "PUT *", "kind": "error", "status": 418}, "status"),
        ({"match": "PUT *", "kind": "throttle", "status": 503}, "status"),
        ({"match": "PUT *", "kind": "error", "seed": "one"}, "seed"),
    ],
)
def test_bad_rules_are_refused_by_name(wanted: dict[str, Any], named: str) -> None:
    with pytest.raises(AzureError, match=f"'{named}' must be"):
        Faults().add(wanted)
