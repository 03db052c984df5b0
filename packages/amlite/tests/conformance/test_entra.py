"""Sign-in by the unmodified azure-identity, and what happens with tokens that are not good."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, EnvironmentCredential

from amlite import TENANT_ID
from amlite.core import runtime
from amlite.testing import LocalAzure
from amlite_fixtures.azure import ARM, SUBSCRIPTION

GROUPS = f"{ARM}{SUBSCRIPTION}/resourceGroups?api-version=2021-04-01"


def _get(amlite: LocalAzure, authorization: str | None) -> requests.Response:
    return amlite.session.get(GROUPS, headers={"Authorization": authorization} if authorization else {})


@pytest.mark.parametrize("kind", [DefaultAzureCredential, EnvironmentCredential])
def test_credentials_of_the_environment_work_unmodified(amlite: LocalAzure, kind: Callable[[], object]) -> None:
    with kind() as credential:  # type: ignore[attr-defined]
        token = credential.get_token(f"{ARM}/.default")
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert (claims["aud"], claims["tid"]) == (ARM, TENANT_ID)
    assert _get(amlite, f"Bearer {token.token}").status_code == 200


def test_published_keys_verify_the_token(amlite: LocalAzure) -> None:
    login = f"https://login.microsoftonline.com/{TENANT_ID}"
    configuration = amlite.session.get(f"{login}/v2.0/.well-known/openid-configuration").json()
    keys = amlite.session.get(configuration["jwks_uri"]).json()["keys"]
    token = amlite.credential.get_token("https://storage.azure.com/.default").token
    key = jwt.PyJWK(keys[0], algorithm="RS256")
    jwt.decode(token, key, algorithms=["RS256"], audience="https://storage.azure.com", issuer=configuration["issuer"])


def test_unknown_tenant_is_refused(amlite: LocalAzure) -> None:
    running = runtime.read(amlite.state)
    assert running is not None
    client, secret = (running.environment[name] for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"))
    with (
        ClientSecretCredential(str(uuid.uuid4()), client, secret) as credential,
        pytest.raises((ClientAuthenticationError, ValueError), match=r"AADSTS90002|tenant"),
    ):
        credential.get_token(f"{ARM}/.default")


def test_wrong_secret_is_refused(amlite: LocalAzure) -> None:
    running = runtime.read(amlite.state)
    assert running is not None
    with (
        ClientSecretCredential(TENANT_ID, running.environment["AZURE_CLIENT_ID"], "wrong") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token(f"{ARM}/.default")


def test_unknown_application_is_refused(amlite: LocalAzure) -> None:
    with (
        ClientSecretCredential(TENANT_ID, str(uuid.uuid4()), "x") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700016"),
    ):
        credential.get_token(f"{ARM}/.default")


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"grant_type": "device_code"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "x", "scope": f"{ARM}/.default"}, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "x", "scope": ARM}, "invalid_scope"),
        ({}, "unsupported_grant_type"),
    ],
)
def test_other_grants_are_refused(amlite: LocalAzure, form: dict[str, str], code: str) -> None:
    url = f"https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token"
    answer = amlite.session.post(url, data=form)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == code
    assert answer.json()["error_codes"][0] > 0


def test_no_token_and_wrong_tokens_are_refused(amlite: LocalAzure) -> None:
    good = amlite.credential.get_token(f"{ARM}/.default").token
    head, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps(claims | {"oid": "x"}).encode()).rstrip(b"=").decode()
    refusals = {
        "nothing": (None, "AuthenticationFailed"),
        "another scheme": (f"Basic {good}", "AuthenticationFailed"),
        "garbage": ("Bearer x", "InvalidAuthenticationToken"),
        "forged": (f"Bearer {head}.{forged}.{signature}", "InvalidAuthenticationToken"),
        "unsigned": (f"Bearer {jwt.encode(claims, None, algorithm='none')}", "InvalidAuthenticationToken"),
        "for another": (
            f"Bearer {amlite.credential.get_token('https://storage.azure.com/.default').token}",
            "InvalidAuthenticationTokenAudience",
        ),
    }
    for case, (authorization, code) in refusals.items():
        answer = _get(amlite, authorization)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, code), case
        assert "Bearer" in answer.headers["WWW-Authenticate"], case
