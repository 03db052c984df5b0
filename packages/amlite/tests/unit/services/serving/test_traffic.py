from __future__ import annotations

import itertools
from collections import Counter

import pytest

from amlite.core.errors import AzureError
from amlite.services.serving import traffic


@pytest.mark.parametrize("shares", [{"blue": 100}, {"blue": 90, "green": 10}, {"a": 33, "b": 33, "c": 34}])
def test_every_hundred_requests_are_shared_out_exactly(shares: dict[str, int]) -> None:
    credit: dict[str, int] = {}
    for _ in range(3):
        assert Counter(traffic.pick(shares, credit) for _ in range(100)) == shares


def test_a_small_share_is_spread_evenly() -> None:
    credit: dict[str, int] = {}
    order = [traffic.pick({"blue": 90, "green": 10}, credit) for _ in range(100)]
    at = [index for index, name in enumerate(order) if name == "green"]
    assert {later - earlier for earlier, later in itertools.pairwise(at)} == {10}


def test_changed_rules_hold_at_once() -> None:
    credit: dict[str, int] = {}
    for _ in range(7):
        traffic.pick({"blue": 90, "green": 10}, credit)
    assert {traffic.pick({"green": 100}, credit) for _ in range(5)} == {"green"}
    assert traffic.pick({"green": 0}, credit) is None


def test_rules_take_the_deployments_own_spelling() -> None:
    assert traffic.checked({"BLUE": 100}, ["blue"]) == {"blue": 100}
    assert traffic.checked(None, []) == {}
    assert traffic.checked({"blue": 0}, ["blue"]) == {"blue": 0}


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ({"blue": 99}, "sum to 0 or 100, not 99"),
        ({"blue": 150, "green": -50}, "traffic.blue: 150 is not between"),
        ({"red": 100}, "no deployment 'red'; there are: blue, green"),
    ],
)
def test_rules_that_azure_refuses_are_refused(shares: dict[str, int], reason: str) -> None:
    with pytest.raises(AzureError, match=reason) as raised:
        traffic.checked(shares, ["green", "blue"])
    assert raised.value.status == 400


def test_copies_go_to_one_deployment_without_traffic() -> None:
    assert traffic.mirrored({"GREEN": 30}, {"blue": 100}, ["blue", "green"]) == {"green": 30}
    assert traffic.mirrored(None, {}, []) == {}


@pytest.mark.parametrize(
    ("mirror", "reason"),
    [
        ({"green": 51}, "51 is not between 0 and 50"),
        ({"blue": 10}, "live traffic or mirrored traffic, not both"),
        ({"red": 10}, "no deployment 'red'"),
        ({"green": 10, "other": 10}, "one deployment at most"),
    ],
)
def test_copies_that_azure_refuses_are_refused(mirror: dict[str, int], reason: str) -> None:
    with pytest.raises(AzureError, match=reason):
        traffic.mirrored(mirror, {"blue": 100}, ["blue", "green", "other"])
