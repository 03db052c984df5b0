"""Configuration keys of a program's options, so that messages can tell users how to set them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class ConfigKeys:
    """The keys of a stack's configuration from which a program takes its options, such as `my-project:azureml.adopt`.

    If an option has a key, messages show the command that sets it; if not, they name the argument. The provider reads
    `operation_minutes` itself.

    Attributes:
        adopt: the key for `adopt` in `WorkspaceArgs`.
        deployer: the key that gives the identity which runs `pulumi up` its roles on storage.
        operation_minutes: the key for the time to wait for an Azure operation.
        timeout_minutes: the key for the time to wait for a pipeline job.
        registry: the key for `registry` in `CatalogueSettings`.
        datastores: the key for `datastores` in `CatalogueSettings`.
        files: the key for `files` in the `Folders` of `CatalogueSettings`.
        endpoint_names: the key for names of endpoints in Azure, by their names in the YAML.
        overrides: the key for `overrides` in `CatalogueSettings`. The keys below it are in camelCase.
    """

    adopt: str = ""
    deployer: str = ""
    operation_minutes: str = "azureml:operationMinutes"
    timeout_minutes: str = ""
    registry: str = ""
    datastores: str = ""
    files: str = ""
    endpoint_names: str = ""
    overrides: str = ""

    def name(self, option: str, argument: str) -> str:
        """Return an option's key, or the name of its argument if it has no key."""
        key: str = getattr(self, option)
        return f"`{key}`" if key else argument

    def how(self, option: str, value: str, argument: str, entry: str = "") -> str:
        """Return instructions to set an option.

        Args:
            option: the name of one of the keys.
            value: its value in the configuration.
            argument: the program's argument, used if the option has no key.
            entry: the entry of an option that is a map.
        """
        key: str = getattr(self, option)
        if not key:
            return argument
        if entry:
            key += f".{entry}" if _PLAIN_NAME.fullmatch(entry) else f'["{entry}"]'
        return f"pulumi config set --path '{key}' {value}"

    def path(self, option: str, parts: Sequence[str]) -> str:
        """Return the place of a value below an option: its configuration key, or the argument if it has no key.

        Args:
            option: the name of one of the keys.
            parts: alternately an attribute and the name of an asset or a variable.
        """
        key: str = getattr(self, option)
        text = key or option
        for index, part in enumerate(parts):
            is_name = index % 2 == 1
            if is_name and not (key and _PLAIN_NAME.fullmatch(part)):
                text += f'["{part}"]'
            elif is_name or not key:
                text += f".{part}"
            else:
                text += "." + re.sub("_([a-z])", lambda letter: letter[1].upper(), part)
        return text if key else f"{text} in CatalogueSettings"
