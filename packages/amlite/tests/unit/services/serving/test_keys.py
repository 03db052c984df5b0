from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.serving import keys

ENDPOINT: dict[str, Any] = {"id": "/e/one", "name": "one", "properties": {"authMode": "AMLToken"}}


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
