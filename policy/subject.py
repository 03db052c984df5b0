"""What a rule sees: a resource by its type, name and inputs, and where it is deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's placeholder for a value that is known after the update only."""

SECRET = "[secret]"  # noqa: S105 - a placeholder
"""The engine's text in its events for a Pulumi secret, whatever its value is."""

CONFIGURATION = "pulumi:configuration"
"""The type of the resource that stands for a stack file. Its inputs are the values that are not encrypted."""

_ASSET = "pulumi-python:dynamic/azureml:"
_VERSION = re.compile(r"/v\d{8}\w*(?=:)")
# The package that `pulumi package add azure-native <module> <version>` makes: azure-native_storage_v20240101.
_OWN_PACKAGE = re.compile(r"^azure-native_\w+?_v\d{8}\w*(?=:)")


class HiddenError(Exception):
    """A rule needs an input that is a Pulumi secret."""

    def __init__(self, path: str) -> None:
        """Take the path of the input."""
        super().__init__(f"{path} is a Pulumi secret, so the rule cannot read it")


@dataclass(frozen=True)
class Resource:
    """A resource or an asset.

    Attributes:
        type: The type without a version, such as `azure-native:storage:StorageAccount` or `azureml:OnlineEndpoint`.
        name: The name in the program, such as `storage`.
        inputs: The inputs. A value that is known after the update only is `UNKNOWN`.
        protected: Whether Pulumi protects the resource from deletion.
    """

    type: str
    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    protected: bool = False

    def get(self, path: str) -> Any:
        """Return the input at a path such as `sku.name`. Return None if it is not set, or not known yet.

        Raises:
            HiddenError: It is a Pulumi secret, or a list with one.
        """
        value: Any = self.inputs
        for key in path.split("."):
            readable(value, path)
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value == UNKNOWN else readable(value, path)

    def flag(self, path: str) -> bool | None:
        """Return the input at a path that is true or false. Azure takes it as text and as a number, too."""
        value = self.get(path)
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.strip().lower())
        return bool(value) if isinstance(value, bool | int | float) else None

    def number(self, path: str) -> float | None:
        """Return the input at a path that is a number. Azure takes it as text, too."""
        return as_number(self.get(path))

    def word(self, path: str) -> str | None:
        """Return the input at a path that is one of a few words, as Azure compares it: without case and underscores."""
        value = self.get(path)
        return None if value is None else str(value).strip().replace("_", "").lower()

    def is_unknown(self, path: str) -> bool:
        """Whether the input at a path, or a part of the path, is known after the update only."""
        value: Any = self.inputs
        for key in path.split("."):
            if value == UNKNOWN:
                return True
            value = value.get(key) if isinstance(value, Mapping) else None
        return bool(value == UNKNOWN)


def readable(value: Any, path: str) -> Any:
    """Return a value, unless it is a Pulumi secret or a list with one, which raises HiddenError with the path."""
    if value == SECRET or (isinstance(value, list) and any(each == SECRET for _, each in texts(value))):
        raise HiddenError(path)
    return value


def as_number(value: Any) -> float | None:
    """Return a value that is a number, or the text of one. Return None for another value."""
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def short_type(token: str) -> str:
    """Return a type token without the version, and with `azureml:` for the assets of pulumi-azureml."""
    if token.startswith(_ASSET):
        return f"azureml:{token.removeprefix(_ASSET)}"
    return _VERSION.sub("", _OWN_PACKAGE.sub("azure-native", token))


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in a value, with its path."""
    if isinstance(value, str):
        if value != UNKNOWN:
            yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from texts(each, f"{path}[{index}]")


@dataclass(frozen=True)
class Place:
    """Where the resources are deployed.

    Attributes:
        stack: The name of the stack.
        folder: The project's folder, with Pulumi.yaml and the stack files.
    """

    stack: str
    folder: Path

    @cached_property
    def program(self) -> Path:
        """The folder with the program: `main` in Pulumi.yaml. Paths in the inputs of assets are relative to it."""
        file = self.folder / "Pulumi.yaml"
        described = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else None
        return Path(self.folder, str((described or {}).get("main") or ".")).resolve()
