from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amlite import TENANT_ID
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.entra.tokens import ISSUER, Tokens

ARM = frozenset({"https://management.azure.com"})
WHO = Principal("oid", "app")


@pytest.fixture
def tokens(platform: Platform) -> Tokens:
    return Tokens(platform.store)


def _refusal(tokens: Tokens, token: str) -> str:
    with pytest.raises(AzureError) as refused:
        tokens.check(token, ARM)
    assert refused.value.status == 401
    assert "Bearer" in refused.value.headers["WWW-Authenticate"]
    return refused.value.code


@pytest.mark.parametrize("audience", ["https://management.azure.com", "https://management.azure.com/"])
def test_own_token_is_taken(tokens: Tokens, audience: str) -> None:
    claims = tokens.check(tokens.issue(WHO, audience), ARM)
    assert (claims["oid"], claims["appid"], claims["tid"]) == ("oid", "app", TENANT_ID)


def test_wrong_audience_is_refused(tokens: Tokens) -> None:
    assert _refusal(tokens, tokens.issue(WHO, "https://vault.azure.net")) == "InvalidAuthenticationTokenAudience"


def test_expired_token_is_refused(tokens: Tokens) -> None:
    assert _refusal(tokens, tokens.issue(WHO, "https://management.azure.com", -1)) == "ExpiredAuthenticationToken"


def _claims(tokens: Tokens) -> dict[str, Any]:
    return tokens.check(tokens.issue(WHO, "https://management.azure.com"), ARM)


def test_a_token_that_was_taken_before_expires(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.issue(WHO, "https://management.azure.com", lifetime=60)
    tokens.check(token, ARM)["oid"] = "changed by a caller"
    assert tokens.check(token, ARM)["oid"] == "oid"
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert _refusal(tokens, token) == "ExpiredAuthenticationToken"


def test_signature_of_another_key_is_refused(tokens: Tokens) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(_claims(tokens), key, algorithm="RS256")
    assert _refusal(tokens, forged) == "InvalidAuthenticationToken"


def test_changed_claims_are_refused(tokens: Tokens) -> None:
    head, _, signature = tokens.issue(WHO, "https://management.azure.com").split(".")
    payload = base64.urlsafe_b64encode(json.dumps(_claims(tokens) | {"oid": "owner"}).encode()).rstrip(b"=").decode()
    assert _refusal(tokens, f"{head}.{payload}.{signature}") == "InvalidAuthenticationToken"


def test_unsigned_and_symmetric_tokens_are_refused(tokens: Tokens) -> None:
    claims = _claims(tokens)
    assert _refusal(tokens, jwt.encode(claims, None, algorithm="none")) == "InvalidAuthenticationToken"
    public = tokens.keys()["keys"][0]["n"]
    assert _refusal(tokens, jwt.encode(claims, public, algorithm="HS256")) == "InvalidAuthenticationToken"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "…"])
def test_garbage_is_refused(tokens: Tokens, token: str) -> None:
    assert _refusal(tokens, token) == "InvalidAuthenticationToken"


def test_published_key_verifies_our_tokens(tokens: Tokens) -> None:
    key = jwt.PyJWK(tokens.keys()["keys"][0], algorithm="RS256")
    token = tokens.issue(WHO, "https://management.azure.com")
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    jwt.decode(token, key, algorithms=["RS256"], audience="https://management.azure.com", issuer=ISSUER)


def test_key_and_application_survive_a_restart(platform: Platform, tokens: Tokens) -> None:
    again = Tokens(platform.store)
    assert again.deployer() == tokens.deployer()
    again.check(tokens.issue(WHO, "https://management.azure.com"), ARM)


def test_secret_is_checked(tokens: Tokens) -> None:
    client, secret = tokens.deployer()
    assert tokens.principal_with_secret(client, secret).client_id == client
    with pytest.raises(AzureError, match="AADSTS7000215"):
        tokens.principal_with_secret(client, secret + "x")
    with pytest.raises(AzureError, match="AADSTS700016"):
        tokens.principal_with_secret("nobody", secret)


def test_deployer_owns_the_subscription(platform: Platform, tokens: Tokens) -> None:
    principal = tokens.principal_with_secret(*tokens.deployer())
    platform.access.require(
        principal, "/subscriptions/10ca1000-0000-4000-9000-616d6c697465/resourceGroups/x", "Microsoft.X/y/write"
    )
