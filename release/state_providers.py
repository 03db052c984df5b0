"""The providers of dynamic resources in a state, which Pulumi runs: they must be those of this checkout.

Pulumi keeps the provider of a dynamic resource in the state, as a pickle. It loads the pickle when it reads or deletes
the resource, and a pickle can run any program. The state also names the plugins of all other resources, and where to
download them. Without these checks, those who may write the state, such as the CI identity, could run a program as the
administrator who updates the stack.
"""

from __future__ import annotations

import ast
import base64
import binascii
import io
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.dynamic.dynamic import PROVIDER_KEY

# Ours, at its place now and before version 0.3.0.
_OURS = frozenset((each, "AzureMLProvider") for each in ("pulumi_azureml.provider", "infra.azureml.provider"))
_MODULE = re.compile(r"\w+(\.\w+)*", re.ASCII)
_BASE, _DYNAMIC = "Provider", "ResourceProvider"
_PLUGIN = "pulumi:providers:"
# The engine has these itself.
_BUILT_IN = frozenset({"pulumi", "pulumi-python"})
_URL = "pluginDownloadURL"
# Settings of plugins that say who gets their tokens, or what they run. A stack file may set them.
_SETTINGS = {
    "azure-native": ("metadataHost", "msiEndpoint", "oidcRequestUrl", "oidcTokenFilePath"),
    "docker": ("host", "sshOpts"),
}
# The program that a kubeconfig of Azure runs to sign in.
_SIGNS_IN = "kubelogin"
# What the state has in place of a secret, with the plain text as JSON.
_PLAIN = "plaintext"


def foreign(state: Mapping[str, Any], program: Path, configuration: Mapping[str, Any]) -> list[str]:
    """Return the URNs of resources in a state that would run what this checkout does not have.

    The provider of a dynamic resource must be pulumi_azureml's, or a class of the program or of an installed package. A
    plugin must be that of an installed SDK, from the same address.

    Args:
        state: The state, as Pulumi exports it with its secrets.
        program: The folder with the program.
        configuration: The stack's configuration in its file, by full key.
    """
    known: dict[str, bool] = {}
    plugins = _plugins()
    found = []
    for each in _resources(state):
        if str(each.get("type")).startswith(_PLUGIN) and not _is_installed(each, plugins, configuration):
            found.append(str(each.get("urn")))
        for part in ("inputs", "outputs"):
            kept = (each.get(part) or {}).get(PROVIDER_KEY)
            if kept is None:
                continue
            text = _text(kept)
            if text not in known:
                known[text] = all(_is_of_program(*place, program) for place in _classes(text))
            if not known[text]:
                found.append(str(each.get("urn")))
    return list(dict.fromkeys(found))


def _resources(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from state.get("resources") or ()
    yield from (each.get("resource") or {} for each in state.get("pending_operations") or ())


def _plugins() -> dict[str, str]:
    """Return the plugins of the installed SDKs, each with the address to download it from, or ""."""
    found: dict[str, str] = {}
    for file in Path(pulumi.__file__).parents[1].glob("*/pulumi-plugin.json"):
        described = json.loads(file.read_text("utf-8"))
        named = (described, described.get("parameterization") or {})
        found |= {str(each["name"]): str(described.get("server") or "") for each in named if each.get("name")}
    return found


def _is_installed(resource: Mapping[str, Any], plugins: Mapping[str, str], configuration: Mapping[str, Any]) -> bool:
    package = str(resource["type"]).removeprefix(_PLUGIN)
    given = [resource.get(part) or {} for part in ("inputs", "outputs")]
    urls = {str(each[_URL]) for part in given for each in (part, part.get("__internal") or {}) if each.get(_URL)}
    if package in _BUILT_IN:
        return not urls
    if package not in plugins or not urls <= {plugins[package]}:
        return False
    return all(_is_harmless(part, package, configuration) for part in given)


def _is_harmless(inputs: Mapping[str, Any], package: str, configuration: Mapping[str, Any]) -> bool:
    settings = _SETTINGS.get(package, ())
    if not all(key not in inputs or inputs[key] == configuration.get(f"{package}:{key}") for key in settings):
        return False
    return not inputs.get("kubeconfig") or _runs_only_sign_in(inputs["kubeconfig"])


def _runs_only_sign_in(kubeconfig: Any) -> bool:
    text = _text(kubeconfig)
    try:
        content = yaml.safe_load(text)
        users = content.get("users") or () if isinstance(content, dict) else ()
        programs = [user["exec"]["command"] for user in (each["user"] for each in users) if user.get("exec")]
        old = [user for user in (each["user"] for each in users) if user.get("auth-provider")]
    except (yaml.YAMLError, LookupError, TypeError, AttributeError):
        return False
    return bool(text) and not old and all(each == _SIGNS_IN for each in programs)


def _text(kept: Any) -> str:
    if isinstance(kept, Mapping):
        try:
            kept = json.loads(kept.get(_PLAIN) or "null")
        except ValueError:
            kept = None
    return kept if isinstance(kept, str) else ""


def _classes(text: str) -> list[tuple[str, str]]:
    """Return the module and the name of everything that a pickle would load. Loads nothing of it."""
    try:
        reader = _Reader(io.BytesIO(base64.b64decode(text, validate=True)))
        reader.load()
    except (pickle.UnpicklingError, binascii.Error, EOFError, LookupError, TypeError, ValueError, AttributeError):
        return [("", "")]
    return reader.found or [("", "")]


class _Nothing:
    """Stands for each class and function of a pickle."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


class _Reader(pickle.Unpickler):
    """Reads a pickle with `_Nothing` in place of everything that it names."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.found: list[tuple[str, str]] = []

    def find_class(self, module: str, name: str) -> type[_Nothing]:
        self.found.append((module, name))
        return _Nothing


def _is_of_program(module: str, name: str, program: Path) -> bool:
    """Whether a name is our provider, or one that a module of the program or an installed package defines."""
    if (module, name) in _OURS:
        return True
    if not _MODULE.fullmatch(module):
        return False
    installed = Path(pulumi.__file__).parents[1]
    return _defines(program, module, name, _BASE) or _defines(installed, module, name, _DYNAMIC)


def _defines(folder: Path, module: str, name: str, base: str) -> bool:
    """Whether a module in a folder defines a class, with a base whose name ends in `base`. Nothing is imported."""
    place = folder.joinpath(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        try:
            tree = ast.parse(file.read_text("utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue
        classes = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name]
        if any(ast.unparse(each).endswith(base) for found in classes for each in found.bases):
            return True
    return False
