"""One engine's configuration of the azure-native provider, its credential and its connection to ARM."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

from azure.core.credentials import TokenCredential
from azure.identity import ClientSecretCredential, DefaultAzureCredential

from amlite.arm_client import ArmClient
from amlite.pulumi import plugin
from amlite.pulumi.values import UNKNOWN

_ENVIRONMENT = {
    "clientId": ("ARM_CLIENT_ID", "AZURE_CLIENT_ID"),
    "clientSecret": ("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
    "location": ("ARM_LOCATION", "AZURE_LOCATION"),
    "subscriptionId": ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"),
    "tenantId": ("ARM_TENANT_ID", "AZURE_TENANT_ID"),
}


class ConfigurationError(Exception):
    """A setting that the provider cannot do without is missing; the message names its key."""


class AzureSession(plugin.Session):
    """One engine's configuration, credential and connection to ARM."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[str, str] = {}
        self._lock = threading.Lock()
        self._credential: TokenCredential | None = None
        self._arm: ArmClient | None = None

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the stack's `azure-native:` configuration; omitted values come from the environment."""
        with self._lock:
            self._settings = {key: str(value) for key, value in settings.items() if value is not UNKNOWN}
            self._credential = self._arm = None

    def setting(self, key: str) -> str | None:
        """A setting of the stack, else its environment variable's value."""
        if self._settings.get(key):
            return self._settings[key]
        return next((os.environ[name] for name in _ENVIRONMENT[key] if os.environ.get(name)), None)

    def required(self, key: str) -> str:
        """A setting that must be there; raises `ConfigurationError`."""
        value = self.setting(key)
        if value is None:
            names = " or ".join(_ENVIRONMENT[key])
            raise ConfigurationError(f"azure-native:{key} is not set: put it into the stack's file, or set {names}")
        return value

    @property
    def credential(self) -> TokenCredential:
        """The service principal of the configuration, else the credential that DefaultAzureCredential finds."""
        with self._lock:
            if self._credential is None:
                tenant, client, secret = (self.setting(key) for key in ("tenantId", "clientId", "clientSecret"))
                if tenant and client and secret:
                    self._credential = ClientSecretCredential(tenant, client, secret)
                else:
                    self._credential = DefaultAzureCredential()
            return self._credential

    @property
    def arm(self) -> ArmClient:
        """ARM, as the credential may use it."""
        credential = self.credential
        with self._lock:
            if self._arm is None:
                self._arm = ArmClient(credential, self.cancelled, "pulumi-azure-native")
            return self._arm
