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
import os
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
_URL, _INTERNAL = "pluginDownloadURL", "__internal"
# What the state has of a provider that decides which program the engine starts, and with which variables.
_DECIDING = (_URL, "name", "parameterization", "envVarMappings")
_Plugin = Mapping[str, Any]
# Settings of plugins that say who gets their tokens, or what they run. A stack file may set them, and a variable.
_SETTINGS = {
    "azure-native": ("metadataHost", "msiEndpoint", "oidcRequestUrl", "oidcTokenFilePath"),
    "azuredevops": ("orgServiceUrl", "oidcRequestUrl", "oidcTokenFilePath"),
    "docker": ("host", "sshOpts"),
    "github": ("baseUrl",),
}
_VARIABLES = {"orgServiceUrl": "AZDO_ORG_SERVICE_URL", "baseUrl": "GITHUB_BASE_URL"}
# The hosts themselves.
_HOSTED = ("https://api.github.com/", "https://dev.azure.com/")
# The file with the clusters of the machine's user.
_OWN_KUBECONFIG = "~/.kube/config"
# What users of a kubeconfig can have: credentials that are in it or never leave this machine, or a program.
_USER = {"token", "username", "password", "exec"} | {
    f"client-{part}{form}" for part in ("certificate", "key") for form in ("", "-data")
}
# The program that a kubeconfig of Azure runs to sign in, and its options: none names another authority or a file.
_SIGNS_IN = "kubelogin"
_SIGN_IN_OPTIONS = {"--environment", "-e", "--login", "-l", "--tenant-id", "-t", "--client-id", "--server-id"}
# The audience of the program's tokens, and the hosts that get them: managed clusters of Azure.
_AUDIENCE = "6dae42f8-4368-4678-94ff-3960e28e3630"
_HOSTS = (".azmk8s.io", ".cx.aks.containerservice.azure.us", ".cx.prod.service.azk8s.cn")
_CLUSTER = {"server", "certificate-authority-data"}
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
        urn = str(each.get("urn"))
        # The engine loads the plugin of the type in the URN, and checks the other one.
        types = {str(each.get("type")), _type_in(urn)}
        if any(kind.startswith(_PLUGIN) for kind in types) and not (
            len(types) == 1 and _is_installed(each, plugins, configuration)
        ):
            found.append(urn)
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


def _type_in(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2] if urn.count("::") > 2 else ""


def _plugins() -> dict[str, _Plugin]:
    """Return the plugins of the installed SDKs by their packages, which are their names or those of parameters."""
    found: dict[str, _Plugin] = {}
    for file in Path(pulumi.__file__).parents[1].glob("*/pulumi-plugin.json"):
        described = json.loads(file.read_text("utf-8"))
        program = {_URL: described.get("server"), "name": described.get("name")}
        parameter = described.get("parameterization") or {}
        if described.get("name"):
            found[str(described["name"])] = program
        if parameter.get("name"):
            found[str(parameter["name"])] = {**program, "parameterization": parameter.get("value")}
    return found


def _is_installed(
    resource: Mapping[str, Any], plugins: Mapping[str, _Plugin], configuration: Mapping[str, Any]
) -> bool:
    package = str(resource["type"]).removeprefix(_PLUGIN)
    if package not in _BUILT_IN and package not in plugins:
        return False
    plugin = plugins.get(package, {"name": package})
    given = [resource.get(part) or {} for part in ("inputs", "outputs")]
    return all(_is_program(part, plugin) and _is_harmless(part, package, configuration) for part in given)


def _is_program(inputs: Mapping[str, Any], plugin: _Plugin) -> bool:
    """Whether the program that the engine would start for a provider is a plugin, in the environment that it has.

    The engine reads what decides about it from `__internal`, and without that from the settings beside it.
    """
    internal = inputs.get(_INTERNAL) or {}
    if not isinstance(internal, Mapping):
        return False
    decided = [{key: part[key] for key in _DECIDING if part.get(key)} for part in (inputs, internal)]
    return all(each[key] == plugin.get(key) for each in decided for key in each)


def _is_harmless(inputs: Mapping[str, Any], package: str, configuration: Mapping[str, Any]) -> bool:
    for key in _SETTINGS.get(package, ()):
        known = (configuration.get(f"{package}:{key}"), os.environ.get(_VARIABLES.get(key, "")))
        value = inputs.get(key)
        if value is not None and value not in known and not str(value).startswith(_HOSTED):
            return False
    kubeconfig = inputs.get("kubeconfig")
    own = (_OWN_KUBECONFIG, configuration.get("kubernetes:kubeconfig"))
    return not kubeconfig or kubeconfig in own or _keeps_credentials(kubeconfig)


def _keeps_credentials(kubeconfig: Any) -> bool:
    """Whether a kubeconfig gives only what is in it, and tokens of Azure to Azure's clusters only."""
    try:
        content = yaml.safe_load(_text(kubeconfig))
        users = [each["user"] or {} for each in content.get("users") or ()]
        clusters = [each["cluster"] or {} for each in content.get("clusters") or ()]
        if not all(user.keys() <= _USER for user in users):
            return False
        programs = [user["exec"] for user in users if user.get("exec")]
        return all(map(_signs_in, programs)) and (not programs or all(map(_is_of_azure, clusters)))
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        return False


def _signs_in(program: Mapping[str, Any]) -> bool:
    subcommand, *options = program.get("args") or ["get-token"]
    return (
        (program["command"], subcommand) == (_SIGNS_IN, "get-token")
        and not program.get("env")
        and all(each.partition("=")[0] in _SIGN_IN_OPTIONS for each in options if each.startswith("-"))
        and _audiences(options) <= {_AUDIENCE}
    )


def _audiences(options: Sequence[str]) -> set[str]:
    """Return the audiences that the options of the program name."""
    option = "--server-id"
    apart = {after for before, after in pairwise(options) if before == option}
    return apart | {each.removeprefix(f"{option}=") for each in options if each.startswith(f"{option}=")}


def _is_of_azure(cluster: Mapping[str, Any]) -> bool:
    address = urlsplit(cluster["server"])
    return cluster.keys() <= _CLUSTER and address.scheme == "https" and (address.hostname or "").endswith(_HOSTS)


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
