"""Client assertions: a process signs in as a user-assigned identity with an external issuer's token.

Entra ID compares issuer, subject and audience of the assertion with the identity's federated credentials. Sources:
"Workload identity federation" and "Considerations and restrictions for federated identity credentials" (Entra docs).
The error messages are those in users' reports, for example in Azure/login#180, #482 and #515.

Entra ID reads an issuer's keys from the issuer. In amlite, all external issuers have the same key, which `sign` uses.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.entra.tokens import entra_error, unknown_application

IDENTITY_TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
CREDENTIAL_TYPE = f"{IDENTITY_TYPE}/federatedIdentityCredentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AUDIENCE = "api://AzureADTokenExchange"
_KEY = "entra/issuers-key"
_FEDERATION = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
_CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    f"{_FEDERATION}"
)


def sign(platform: Platform, issuer: str, subject: str, audience: str, seconds: int) -> str:
    """Return an assertion of an external issuer, valid for `seconds` by amlite's clock."""
    now = int(platform.clock.timestamp())
    claims = {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
    }
    return jwt.encode(claims, _key(platform), algorithm="RS256")


def keys(platform: Platform) -> Json:
    """Return the public key of all external issuers as a JSON Web Key Set."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_key(platform).public_key()))
    return {"keys": [{**key, "use": "sig", "alg": "RS256"}]}


def private_key(platform: Platform) -> bytes:
    """Return the key of all external issuers in PEM, for an issuer that is a program of its own."""
    return _key(platform).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def principal_of_assertion(platform: Platform, client_id: str, assertion: str) -> Principal:
    """Return the identity that an assertion signs in. Raises Entra's AzureError 401 for an untrusted assertion."""
    identity = _identity(platform, client_id)
    try:
        claims: Json = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise entra_error(
            "invalid_request",
            "AADSTS50027: JWT token is invalid or malformed.",
            400,
        ) from error
    _match(platform, identity["id"], claims)
    try:
        jwt.decode(
            assertion,
            _key(platform).public_key(),
            algorithms=["RS256"],
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as error:
        raise entra_error(
            "invalid_client", "AADSTS700027: Client assertion failed signature validation.", 401
        ) from error
    _check_time(platform, claims)
    properties = identity["properties"]
    return Principal(properties["principalId"], properties["clientId"])


def _identity(platform: Platform, client_id: str) -> Json:
    for document in platform.store.of_type(IDENTITY_TYPE):
        if document.body["properties"]["clientId"].lower() == client_id.lower():
            return document.body
    raise unknown_application(client_id)


def _match(platform: Platform, identity: str, claims: Json) -> None:
    """Raise Entra's 401 unless a federated credential has the assertion's issuer, subject and audience."""
    credentials = [document.body["properties"] for document in platform.store.below(identity, CREDENTIAL_TYPE)]
    issuer, subject = str(claims.get("iss")), str(claims.get("sub"))
    audiences = _list(claims.get("aud"))
    if not credentials:
        raise _refused(
            f"AADSTS70021: No matching federated identity record found for presented assertion. Assertion Issuer: "
            f"'{issuer}'. Assertion Subject: '{subject}'. Assertion Audience: '{audiences[0]}'. {_FEDERATION}"
        )
    of_issuer = [each for each in credentials if each["issuer"] == issuer]
    if not of_issuer:
        raise _refused(_no_match(700211, "issuer", issuer))
    of_subject = [each for each in of_issuer if each["subject"] == subject]
    if not of_subject:
        if any(each["subject"].lower() == subject.lower() for each in of_issuer):
            raise _refused(
                "AADSTS7002138: No matching federated identity record found for presented assertion subject "
                f"'{subject}'. The subject matches with case-insensitive comparison, but not with case-sensitive "
                f"comparison. {_CHECK}"
            )
        raise _refused(_no_match(700213, "subject", subject))
    if not any(audience in each["audiences"] for each in of_subject for audience in audiences):
        raise _refused(_no_match(700212, "audience", audiences[0]))


def _no_match(code: int, what: str, value: str) -> str:
    return (
        f"AADSTS{code}: No matching federated identity record found for presented assertion {what} '{value}'. {_CHECK}"
    )


def _refused(message: str) -> Exception:
    return entra_error("invalid_client", message, 401)


def _check_time(platform: Platform, claims: Json) -> None:
    now = platform.clock.timestamp()
    begins, ends = float(claims.get("nbf", 0)), float(claims.get("exp", 0))
    if not begins <= now < ends:
        raise entra_error(
            "invalid_client",
            f"AADSTS700024: Client assertion is not within its valid time range. Current time: {_stamp(now)}, "
            f"assertion valid from {_stamp(begins)}, expiry time of assertion {_stamp(ends)}. Review the documentation "
            "at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            401,
        )


def _stamp(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] or [""] if isinstance(value, list) else [str(value)]


def _key(platform: Platform) -> rsa.RSAPrivateKey:
    return platform.part(_IssuersKey, lambda: _IssuersKey(platform)).key


class _IssuersKey:
    """The key of all external issuers, which is created on first use."""

    def __init__(self, platform: Platform) -> None:
        saved = platform.store.get(_KEY)
        if saved is None:
            pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            saved = platform.store.put(_KEY, "entra", {"pem": pem.decode()})
        key = serialization.load_pem_private_key(saved.body["pem"].encode(), None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the stored key of the issuers is not an RSA key")
        self.key = key
