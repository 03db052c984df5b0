"""One engine's configuration of the azure-native provider, its credential and its connection to ARM."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
from azure.core.credentials import TokenCredential
from azure.identity import ClientAssertionCredential, ClientSecretCredential, DefaultAzureCredential

from amlite.arm_client import ArmClient
from amlite.pulumi import plugin
from amlite.pulumi.values import UNKNOWN

_ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "clientId": ("ARM_CLIENT_ID", "AZURE_CLIENT_ID"),
    "clientSecret": ("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
    "location": ("ARM_LOCATION", "AZURE_LOCATION"),
    "oidcAudience": ("ARM_OIDC_AUDIENCE",),
    "oidcRequestToken": ("ACTIONS_ID_TOKEN_REQUEST_TOKEN",),
    "oidcRequestUrl": ("ACTIONS_ID_TOKEN_REQUEST_URL",),
    "oidcToken": ("ARM_OIDC_TOKEN",),
    "oidcTokenFilePath": ("ARM_OIDC_TOKEN_FILE_PATH",),
    "subscriptionId": ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"),
    "tenantId": ("ARM_TENANT_ID", "AZURE_TENANT_ID"),
    "useOidc": ("ARM_USE_OIDC",),
}


class ConfigurationError(Exception):
    """A required setting is missing. The message names its key."""


class AzureSession(plugin.Session):
    """One engine's configuration, credential and connection to ARM."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[str, str] = {}
        self._lock = threading.Lock()
        self._credential: TokenCredential | None = None
        self._arm: ArmClient | None = None

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the stack's `azure-native:` configuration. Missing values come from the environment."""
        with self._lock:
            self._settings = {key: str(value) for key, value in settings.items() if value is not UNKNOWN}
            self._credential = self._arm = None

    def setting(self, key: str) -> str | None:
        """Return a setting of the stack, or else the value of its environment variable."""
        if self._settings.get(key):
            return self._settings[key]
        return next((os.environ[name] for name in _ENVIRONMENT[key] if os.environ.get(name)), None)

    def required(self, key: str) -> str:
        """Return a required setting. Raises `ConfigurationError`."""
        value = self.setting(key)
        if value is None:
            names = " or ".join(_ENVIRONMENT[key])
            raise ConfigurationError(f"azure-native:{key} is not set: put it into the stack's file, or set {names}")
        return value

    @property
    def credential(self) -> TokenCredential:
        """As azure-native: the service principal's secret, else ID tokens, else what DefaultAzureCredential finds."""
        with self._lock:
            if self._credential is None:
                tenant, client, secret = (self.setting(key) for key in ("tenantId", "clientId", "clientSecret"))
                if tenant and client and secret:
                    self._credential = ClientSecretCredential(tenant, client, secret)
                elif self.setting("useOidc") == "true":
                    assertion = self._assertion()
                    self._credential = ClientAssertionCredential(
                        self.required("tenantId"), self.required("clientId"), assertion
                    )
                else:
                    self._credential = DefaultAzureCredential()
            return self._credential

    def _assertion(self) -> Callable[[], str]:
        """Return what gives an ID token: a fixed one, a file that is read each time, or GitHub.

        Source: `newOidcCredential` in pulumi-azure-native's `auth_azidentity.go`; the file is read each time since its
        pull request 4526.
        """
        token, path = self.setting("oidcToken"), self.setting("oidcTokenFilePath")
        if token:
            return lambda: token
        if path:
            return lambda: Path(path).read_text("utf-8").strip()
        url, request_token = self.setting("oidcRequestUrl"), self.setting("oidcRequestToken")
        if url and request_token:
            audience = self.setting("oidcAudience") or "api://AzureADTokenExchange"
            return lambda: _ask(url, request_token, audience)
        raise ConfigurationError(
            "A OIDC token or request URL and token must be configured when authenticating with OIDC."
        )

    @property
    def arm(self) -> ArmClient:
        """Return a client of ARM for the credential."""
        credential = self.credential
        with self._lock:
            if self._arm is None:
                self._arm = ArmClient(credential, self.cancelled, "pulumi-azure-native")
            return self._arm


def _ask(url: str, token: str, audience: str) -> str:
    """GET an ID token from GitHub, as azure-native does."""
    headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
    answer = requests.get(url, params={"audience": audience}, headers=headers, timeout=60)
    if not answer.ok:
        raise ConfigurationError(f"GitHub OIDC: {answer.status_code} with response: {answer.text}")
    return str(answer.json()["value"])
