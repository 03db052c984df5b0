"""How the user of a program sets its options, for messages that say so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConfigKeys:
    """The keys of a stack's configuration from which a program takes its options, such as `my-project:azureml.adopt`.

    With a key, a message tells the command that sets it; without one, it names the argument. The provider itself reads
    `operation_minutes`.

    Attributes:
        adopt: of `adopt` in `WorkspaceArgs`.
        operation_minutes: of how long to wait for an operation of Azure.
        timeout_minutes: of how long to wait for a pipeline job.
        registry: of `registry` in `CatalogueSettings`.
        datastores: of `datastores` in `CatalogueSettings`.
    """

    adopt: str = ""
    operation_minutes: str = "azureml:operationMinutes"
    timeout_minutes: str = ""
    registry: str = ""
    datastores: str = ""

    def name(self, option: str, argument: str) -> str:
        """Return what an option is called: its key, or the argument in a program where it has none."""
        key: str = getattr(self, option)
        return f"`{key}`" if key else argument

    def how(self, option: str, value: str, argument: str) -> str:
        """Return how to set an option.

        Args:
            option: the name of one of the keys.
            value: what to set it to, in the configuration.
            argument: the argument in a program, where it has no key.
        """
        key: str = getattr(self, option)
        return f"pulumi config set --path '{key}' {value}" if key else argument
