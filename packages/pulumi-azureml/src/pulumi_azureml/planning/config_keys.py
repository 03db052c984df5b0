"""Configuration keys of a program's options, so that messages can tell users how to set them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConfigKeys:
    """The keys of a stack's configuration from which a program takes its options, such as `my-project:azureml.adopt`.

    If an option has a key, messages show the command that sets it; if not, they name the argument. The provider reads
    `operation_minutes` itself.

    Attributes:
        adopt: the key for `adopt` in `WorkspaceArgs`.
        operation_minutes: the key for the time to wait for an Azure operation.
        timeout_minutes: the key for the time to wait for a pipeline job.
        registry: the key for `registry` in `CatalogueSettings`.
        datastores: the key for `datastores` in `CatalogueSettings`.
        endpoint_names: the key for names of endpoints in Azure, by their names in the YAML.
    """

    adopt: str = ""
    operation_minutes: str = "azureml:operationMinutes"
    timeout_minutes: str = ""
    registry: str = ""
    datastores: str = ""
    endpoint_names: str = ""

    def name(self, option: str, argument: str) -> str:
        """Return an option's key, or the name of its argument if it has no key."""
        key: str = getattr(self, option)
        return f"`{key}`" if key else argument

    def how(self, option: str, value: str, argument: str) -> str:
        """Return instructions to set an option.

        Args:
            option: the name of one of the keys.
            value: its value in the configuration.
            argument: the program's argument, used if the option has no key.
        """
        key: str = getattr(self, option)
        return f"pulumi config set --path '{key}' {value}" if key else argument
