"""Errors between the plan and Azure, with messages that state the fix."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_azureml.planning.config_keys import ConfigKeys


@dataclass(frozen=True)
class Remedy:
    """An option of the program that would let an operation succeed.

    Attributes:
        purpose: the effect of setting it, such as `Take it over`.
        option: its name in `ConfigKeys`.
        value: its value in the configuration.
        argument: the program's argument, used if the option has no key.
        entry: the entry below the option that gets the value, if the option is a map.
    """

    purpose: str
    option: str
    value: str
    argument: str
    entry: str = ""

    def text(self, keys: ConfigKeys) -> str:
        """Return the remedy as a sentence."""
        return f"{self.purpose}: {keys.how(self.option, self.value, self.argument, self.entry)}"


ADOPT = Remedy("To take it over", "adopt", "true", "`adopt=True` in WorkspaceArgs")
GRANT = Remedy(
    "To assign it to the identity that runs `pulumi up`", "deployer", "true", "a role assignment on the storage account"
)
WAIT_LONGER = Remedy("Longer limit", "operation_minutes", "N", "")
AWAIT_LONGER = Remedy("Longer limit", "timeout_minutes", "N", "`timeout_minutes` of the pipeline job")


AGAIN = "(another attempt can succeed)"
"""The end of the message of every error of the provider that can pass by itself. Programs may look for it."""


class AssetError(Exception):
    """An asset cannot reach the wanted state. The message names the asset, the reason and the fix."""

    def __init__(self, message: str, remedy: Remedy | None = None) -> None:
        super().__init__(f"{message}. {remedy.text(ConfigKeys())}" if remedy else message)
        self._message, self._remedy = message, remedy

    def name_option(self, keys: ConfigKeys) -> None:
        """Name the remedy's option by its configuration key, as the program's user knows it."""
        if self._remedy is not None:
            self.args = (f"{self._message}. {self._remedy.text(keys)}",)


class OwnershipError(AssetError):
    """An asset of that name exists and belongs to another owner."""


class RolloutError(AssetError):
    """A rollout failed. The previous deployment still serves."""


class DeploymentError(RolloutError):
    """The new deployment failed: its start, a test or a check. Another attempt would fail too."""
