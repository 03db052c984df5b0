"""The environment that points a command to a running amlite."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from amlite.core import runtime
from amlite.tools import docker_engine

# Other ways to sign in, which clients would prefer to amlite's or combine with it.
_OTHER_SIGN_INS = frozenset(
    {
        "ARM_ENVIRONMENT", "ARM_METADATA_HOSTNAME", "ARM_MSI_ENDPOINT", "ARM_OIDC_REQUEST_URL",
        "ARM_USE_AKS_WORKLOAD_IDENTITY", "ARM_USE_CLI", "ARM_USE_MSI", "ARM_USE_OIDC", "AZURE_AUTHORITY_HOST",
        "IDENTITY_ENDPOINT", "MSI_ENDPOINT", "PULUMI_CONFIG_PASSPHRASE_FILE", "SYSTEM_OIDCREQUESTURI",
    }
)  # fmt: skip
# A shell, or a job of a CI host, can contain credentials of real clouds. The tokens of code hosts, such as GITHUB_TOKEN
# and SYSTEM_ACCESSTOKEN, are none: `release comment` needs them, and alone they open no cloud.
_CREDENTIAL = re.compile(
    r"(?:ACTIONS_ID|APPLICATIONINSIGHTS|ARM|AWS|AZURE|AZUREML|CLOUDSDK|DATABRICKS|GOOGLE|IDENTITY|MSI|PULUMI)_(?:\w+_)?"
    r"(?:CERTIFICATE|CONNECTION_STRING|CREDENTIALS?|CREDS|HEADER|KEY|PASSWORD|SAS|SECRET|TOKEN|USERNAME)"
    r"(?:_(?:FILE|FULL|ID|OVERRIDE|PATH|RELATIVE|REQUEST|TOKEN|URI|URL))*"
    r"|idToken|servicePrincipalKey"  # of a task AzureCLI@2 with `addSpnToEnvironment`
)


def is_credential(name: str) -> bool:
    """Whether a variable can contain a credential of a real cloud."""
    return _CREDENTIAL.fullmatch(name) is not None


def of_real_clouds(inherited: Mapping[str, str]) -> set[str]:
    """Return the variables that sign in elsewhere than amlite: nothing that runs locally needs or gets them."""
    return {name for name in inherited if name in _OTHER_SIGN_INS or is_credential(name)}


def added(running: runtime.Runtime) -> dict[str, str]:
    """Return the variables that point a command to amlite."""
    state = Path(running.environment[runtime.VARIABLE])
    pulumi_backend = state / "pulumi"
    pulumi_backend.mkdir(exist_ok=True)
    docker_host = docker_engine.host_for_commands(state)
    return {
        **running.environment,
        **({"DOCKER_HOST": docker_host} if docker_host else {}),
        # A private backend, so that no command of `amlite run` can read or change the state of a real stack.
        "PULUMI_BACKEND_URL": pulumi_backend.as_uri(),
        # This protects only local state that can be thrown away.
        "PULUMI_CONFIG_PASSPHRASE": "amlite-local",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The vendors' provider plugins are not used, so the engine does not need to find or download them.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def over(inherited: Mapping[str, str], running: runtime.Runtime) -> dict[str, str]:
    """Return the whole environment of a command: the inherited one, without other ways of signing in."""
    foreign = of_real_clouds(inherited)
    kept = {
        name: value
        for name, value in inherited.items()
        # The Azure SDK is large. A program that cannot store its compiled files starts seconds later each time.
        if name not in foreign and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, **added(running)}


def path(inherited: Mapping[str, str]) -> str:
    """Return the PATH of a command, on which the programs of the project come first.

    They are in the virtual environment that is activated, else in `.venv` of the working folder, else in amlite's own.
    """
    own, project = Path(sys.prefix), Path.cwd() / ".venv"
    active = Path(inherited.get("VIRTUAL_ENV") or project)
    # uvx and pipx install amlite outside the project. An amlite in the project's own environment stays with it.
    first = own if own == project else next((each for each in (active, project) if (each / "bin").is_dir()), own)
    folder, found = str(first / "bin"), inherited.get("PATH", "")
    return found if found.split(os.pathsep)[0] == folder else f"{folder}{os.pathsep}{found}"
