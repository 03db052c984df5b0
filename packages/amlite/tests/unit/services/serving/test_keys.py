from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.entra.tokens import tokens
from amlite.services.serving import keys

ENDPOINT: dict[str, Any] = {
    "id": "/e/one",
    "name": "one",
    "properties": {"authMode": "AMLToken"},
    "systemData": {"createdAt": "2026-11-30T06:00:00.0000000Z"},
}


def test_a_token_opens_its_own_endpoint_until_it_expires(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = keys.token(platform, ENDPOINT)
    assert issued["refreshAfterTimeUtc"] < issued["expiryTimeUtc"]
    keys.check(platform, ENDPOINT, issued["accessToken"])
    with pytest.raises(AzureError) as raised:
        keys.check(platform, {**ENDPOINT, "id": "/e/two"}, issued["accessToken"])
    assert raised.value.status == 401
    monkeypatch.setattr(keys, "_TOKEN_SECONDS", -60)
    expired = keys.token(platform, ENDPOINT)["accessToken"]
    with pytest.raises(AzureError) as raised:
        keys.check(platform, ENDPOINT, expired)
    assert raised.value.status == 401


def test_keys_are_not_listed_where_tokens_open(platform: Platform) -> None:
    with pytest.raises(AzureError, match="has the auth mode AMLToken; this needs Key"):
        keys.list_keys(platform, ENDPOINT)


@pytest.mark.attack
def test_a_token_for_the_endpoints_id_that_it_did_not_issue_opens_nothing(platform: Platform) -> None:
    """Anybody can ask Entra ID for a token with the endpoint's id as its audience."""
    principal, _ = tokens(platform).register()
    with pytest.raises(AzureError, match="not one that this endpoint issued") as raised:
        keys.check(platform, ENDPOINT, tokens(platform).issue(principal, ENDPOINT["id"]))
    assert raised.value.status == 401


@pytest.mark.attack
def test_a_token_of_an_endpoint_that_was_deleted_does_not_open_the_next_one_of_its_name(platform: Platform) -> None:
    issued = keys.token(platform, ENDPOINT)["accessToken"]
    again = {**ENDPOINT, "systemData": {"createdAt": "2026-11-30T07:00:00.0000000Z"}}
    with pytest.raises(AzureError, match="not one that this endpoint issued"):
        keys.check(platform, again, issued)


@pytest.mark.attack
@pytest.mark.parametrize("value", [{}, ["a"], {"a": 1}])
def test_a_key_that_is_no_text_is_refused_and_the_old_one_still_opens(platform: Platform, value: object) -> None:
    endpoint = {**ENDPOINT, "properties": {"authMode": "Key"}}
    keys.create(platform, endpoint["id"], None)
    held = keys.list_keys(platform, endpoint)
    with pytest.raises(AzureError, match="keyValue"):
        keys.regenerate(platform, endpoint, {"keyType": "Primary", "keyValue": value})
    keys.regenerate(platform, endpoint, {"keyType": "Secondary", "keyValue": 12345})
    assert keys.list_keys(platform, endpoint) == {**held, "secondaryKey": "12345"}
    keys.check(platform, endpoint, held["primaryKey"])
    keys.check(platform, endpoint, "12345")
