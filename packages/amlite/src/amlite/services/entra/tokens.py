"""Sign and check the tokens of all services."""

from __future__ import annotations

import base64
import functools
import secrets
import time
import uuid
from typing import cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from amlite import ENTRA_GROUP_ID, SUBSCRIPTION_ID, TENANT_ID
from amlite.core import directory
from amlite.core.access import Principal, grant, role_id
from amlite.core.directory import PrincipalKind
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Store
from amlite.core.wire import Json

ISSUER = f"https://sts.windows.net/{TENANT_ID}/"
LIFETIME_SECONDS = 3600
TOO_OLD = "ExpiredAuthenticationToken"
_REMEMBERED = 256
_KEY = "entra/signing-key"
_APPLICATIONS = "entra/applications"
_USERS = "entra/users"
# The application that `az login` uses for users in every tenant.
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


class Tokens:
    """The tenant's signing key and applications, which are in the store."""

    def __init__(self, store: Store) -> None:
        """Load the signing key and the deploying application, or create both."""
        self._store = store
        self.told_seconds = LIFETIME_SECONDS
        """The lifetime that clients see. With 0, they request another token before each request."""
        saved = store.get(_KEY)
        if saved is None:
            pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            saved = store.put(_KEY, "entra", {"pem": pem.decode(), "kid": uuid.uuid4().hex})
        # The key is amlite's own, so skip its validation, which takes a tenth of a second.
        key = serialization.load_pem_private_key(saved.body["pem"].encode(), None, unsafe_skip_rsa_key_validation=True)
        self._key = cast("rsa.RSAPrivateKey", key)
        self._public = self._key.public_key()
        self._kid = saved.body["kid"]
        # Clients send a token many times. Its signature takes a third of the time of a request.
        self._signed = functools.lru_cache(_REMEMBERED)(self._claims)

    def deployer(self) -> tuple[str, str]:
        """Return (client id, client secret) of the application that owns the subscription, created on first use."""
        for document in self._store.of_type(_APPLICATIONS):
            # Applications of earlier versions are not in the directory yet.
            directory.register(self._store, document.body["objectId"], PrincipalKind.SERVICE_PRINCIPAL)
            directory.register_group(self._store, ENTRA_GROUP_ID, [document.body["objectId"]])
            return document.body["clientId"], document.body["secret"]
        principal, secret = self.register()
        directory.register_group(self._store, ENTRA_GROUP_ID, [principal.object_id])
        grant(self._store, principal, f"/subscriptions/{SUBSCRIPTION_ID}", role_id("Owner"))
        return principal.client_id, secret

    def register(self) -> tuple[Principal, str]:
        """Create an application without roles. Return its principal and its client secret."""
        principal, secret = Principal(str(uuid.uuid4()), str(uuid.uuid4())), secrets.token_urlsafe(32)
        body = {"clientId": principal.client_id, "objectId": principal.object_id, "secret": secret}
        self._store.put(f"{_APPLICATIONS}/{principal.client_id}", _APPLICATIONS, body)
        directory.register(self._store, principal.object_id, PrincipalKind.SERVICE_PRINCIPAL)
        return principal, secret

    def register_user(self) -> tuple[Principal, str]:
        """Create a user without roles. Return its principal, with the user name, and its password."""
        name = f"user-{uuid.uuid4().hex[:8]}@local.onmicrosoft.com"
        principal, password = Principal(str(uuid.uuid4()), name), secrets.token_urlsafe(32)
        self._store.put(f"{_USERS}/{name}", _USERS, {"objectId": principal.object_id, "password": password})
        directory.register(self._store, principal.object_id, PrincipalKind.USER)
        return principal, password

    def principal_with_password(self, name: str, password: str) -> Principal:
        """Return the user's principal. Raises Entra's AzureError 400 for a wrong name or password."""
        document = self._store.get(f"{_USERS}/{name}")
        if document is None or not secrets.compare_digest(document.body["password"].encode(), password.encode()):
            raise entra_error(
                "invalid_grant", "AADSTS50126: Error validating credentials due to invalid username or password.", 400
            )
        return Principal(document.body["objectId"], name)

    def principal_with_secret(self, client_id: str, secret: str) -> Principal:
        """Return the application's principal. Raises Entra's AzureError 401 for a wrong id or secret."""
        document = self._store.get(f"{_APPLICATIONS}/{client_id}")
        if document is None:
            raise unknown_application(client_id)
        if not secrets.compare_digest(document.body["secret"].encode(), secret.encode()):
            raise entra_error("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        return Principal(document.body["objectId"], document.body["clientId"])

    def issue(self, principal: Principal, audience: str, lifetime: int = LIFETIME_SECONDS) -> str:
        """Return a signed token for `audience` (a resource's URI), valid for `lifetime` seconds of real time."""
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": ISSUER,
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + lifetime,
            "oid": principal.object_id,
            "tid": TENANT_ID,
            "ver": "1.0",
            **({"scope": principal.scope, "root": principal.root} if principal.scope else {}),
            **self._subject(principal),
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._kid, "x5t": self._kid})

    def _subject(self, principal: Principal) -> Json:
        """Return the claims that distinguish a user's token from an application's.

        Source: "Access token claims reference". The subject of a user differs from one application to the next.
        """
        if directory.kind_of(self._store, principal.object_id) is PrincipalKind.USER:
            subject = base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_URL, principal.object_id).bytes).rstrip(b"=")
            name = principal.client_id
            return {
                "appid": AZURE_CLI,
                "idtyp": "user",
                "scp": "user_impersonation",
                "sub": subject.decode(),
                "upn": name,
                "unique_name": name,
            }
        return {"appid": principal.client_id, "idtyp": "app", "sub": principal.object_id}

    def check(self, token: str, audiences: frozenset[str]) -> Json:
        """Return a token's claims.

        Raises AzureError 401 unless amlite signed the token and it is valid for one of `audiences`.
        """
        try:
            claims = dict(self._signed(token))
            if claims["exp"] <= time.time():
                raise jwt.ExpiredSignatureError
        except jwt.ExpiredSignatureError as error:
            raise AzureError(
                401,
                TOO_OLD,
                "The access token expiry is in the past. Get a new token.",
                headers=_CHALLENGE,
            ) from error
        except jwt.InvalidTokenError as error:
            raise AzureError(
                401, "InvalidAuthenticationToken", f"The access token is invalid: {error}.", headers=_CHALLENGE
            ) from error
        if claims["aud"].rstrip("/") not in audiences:
            raise AzureError(
                401,
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{claims['aud']}'. It should "
                f"exactly match with one of the allowed audiences '{', '.join(sorted(audiences))}'.",
                headers=_CHALLENGE,
            )
        return claims

    def _claims(self, token: str) -> Json:
        """Return the claims of a token that amlite signed. Raises jwt.InvalidTokenError."""
        claims: Json = jwt.decode(
            token, self._public, algorithms=["RS256"], issuer=ISSUER, options={"verify_aud": False}
        )
        return claims

    def principal_of(self, token: str, audiences: frozenset[str]) -> Principal:
        """Return the principal of a token. Raises the AzureError 401 of `check`."""
        claims = self.check(token, audiences)
        name = claims.get("upn") or claims["appid"]
        return Principal(claims["oid"], name, claims.get("scope", ""), claims.get("root", ""))

    def keys(self) -> Json:
        """Return the public key as a JSON Web Key Set."""
        numbers = self._public.public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "kid": self._kid,
                    "x5t": self._kid,
                    "n": _number(numbers.n),
                    "e": _number(numbers.e),
                    "issuer": ISSUER,
                }
            ]
        }


def tokens(platform: Platform) -> Tokens:
    """Return the platform's signer."""
    return platform.part(Tokens, lambda: Tokens(platform.store))


_CHALLENGE = {
    "WWW-Authenticate": f'Bearer authorization_uri="https://login.microsoftonline.com/{TENANT_ID}", '
    'error="invalid_token"'
}


class EntraError(AzureError):
    """An error in the token endpoint's format (RFC 6749)."""

    def body(self) -> Json:
        """Return the token endpoint's error body."""
        number = self.message.partition(":")[0].removeprefix("AADSTS")
        return {
            "error": self.code,
            "error_description": self.message,
            "error_codes": [int(number)] if number.isdigit() else [],
            "trace_id": str(uuid.uuid4()),
            "correlation_id": str(uuid.uuid4()),
        }


def entra_error(code: str, message: str, status: int) -> EntraError:
    """Build an error of the token endpoint. `message` starts with Entra's `AADSTS…` number."""
    return EntraError(status, code, message)


def unknown_application(client_id: str) -> EntraError:
    """Return the error for a client id that does not belong to an application or identity."""
    return entra_error(
        "unauthorized_client",
        f"AADSTS700016: Application with identifier '{client_id}' was not found in the directory 'local'.",
        400,
    )


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
