"""Secrets in plain text: in the stack file, in environment variables, in the definitions of assets and their files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.rule import Scene, rule
from policy.rules.environment_files import environment_files
from policy.subject import CONFIGURATION, UNKNOWN, Resource

# A key whose whole last word says that its value is a secret. `secretName`, `tokenUrl` and `maxTokens` are not.
KEYS = re.compile(
    r"(^|[.:_-]|(?<=[a-z0-9]))(passwords?|passwd|passphrase|pass|pwd|secrets?|token|pat|api[._-]?keys?"
    r"|(?:account|access|shared|private|client)[._-]?keys?|connection[._-]?strings?|sas|credentials?)[._-]?\d*_?$",
    re.IGNORECASE,
)
"""Names of keys that have secrets as values."""

PATTERNS = {
    "a key of a storage account": re.compile(r"(?<![A-Za-z0-9+/-])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])"),
    "a shared access signature": re.compile(r"[?&]?\bsig=[A-Za-z0-9%+/]{20,}", re.IGNORECASE),
    "a connection string with a key": re.compile(
        r"(?:SharedAccessKey|AccountKey|Password|Pwd)=[^;\s$]{8,}", re.IGNORECASE
    ),
    "a URL with a password": re.compile(
        r"\b[a-z][a-z0-9+.-]*://(?:[^\s/:@${}]*:[^\s/@${}]{3,}|[\w-]{20,})@", re.IGNORECASE
    ),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a client secret of Entra ID": re.compile(r"(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{31,34}(?![\w~.-])"),
    # The marks of Microsoft's keys: Azure OpenAI, Search, Container Registry, Functions, API Management, Azure DevOps.
    "a key of an Azure service": re.compile(
        r"\b[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}\b|\b[A-Za-z0-9]{42}AzSe[A-Za-z0-9]{6}\b|\b[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9]{6}\b"
        r"|\b[\w/+-]{44}AzFu[\w/+-]{5}[AQgw]==|\b[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b"
    ),
    "a personal access token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})"),
    "an access token": re.compile(
        r"\b(?:glpat-[\w-]{20,}|dapi[0-9a-f]{32}|pypi-AgE[\w-]{40,}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,}"
        r"|sk-[A-Za-z0-9_-]{32,}|xox[abeprs]-[\w-]{20,})"
    ),
    "a webhook with a key": re.compile(
        r"https://(?:hooks\.slack\.com/(?:services|workflows|triggers)/\w+/\w+/\w+"
        r"|[\w.-]+\.webhook\.office\.com/webhookb2/\S{40,}|discord(?:app)?\.com/api/webhooks/\d+/[\w-]{40,})"
    ),
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
}
"""Values that are secrets whatever their key is."""

# The engine's text for a Pulumi secret, a reference to a key vault or an asset, an expression, and values of switches.
_HARMLESS = re.compile(
    r"\[secret\]|https://[\w-]+\.vault\.(?:azure\.net|azure\.cn|usgovcloudapi\.net)(?:/(?:secrets|keys|certificates)/[\w/-]+)?/?"
    r"|@Microsoft\.KeyVault\([^()]*\)|\$\{\{[^{}]*\}\}|azureml:(?://\S*|[\w.-]+[:@][\w.-]+)|true|false|\d{0,6}",
    re.IGNORECASE,
)
# The program's class, as Pulumi keeps it, and hashes.
_NO_TEXT = ("__provider", "__defaults", "files", "trees", "content_hash")


@rule(
    "plain-secret", "mandatory", CONFIGURATION, "azureml:*",
    reason="All readers of the repository, the state or the asset can read the secret.",
    fix="store it in the key vault and read it with an identity. A setting of your own program can be encrypted with "
    "`pulumi config set --secret`. Then replace the secret, because it is exposed",
)  # fmt: skip
def plain_secret(resource: Resource, scene: Scene) -> Iterator[str]:
    """The stack file, environment variables, definitions and the files of environments contain no plain-text secret."""
    is_configuration = resource.type == CONFIGURATION
    inputs = {key: each for key, each in resource.inputs.items() if key not in _NO_TEXT}
    for path, text in _texts(inputs, ""):
        what = _secret(path, text, named=is_configuration or "environment_variables" in path)
        if what:
            # A deployment has its inputs within those of its endpoint.
            yield f"{path.removeprefix('deployment.').removeprefix('definition.').removeprefix('metadata.')} is {what}"
    for name, text in environment_files(resource, scene):
        what = _known(text)
        if what:
            yield f"{name} has {what}"


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text and number in a value with its path, and every key as a text."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            here = f"{path}.{key}".lstrip(".")
            if _known(str(key)):
                yield f"a key of {path or 'the file'}", str(key)
            yield from _texts(each, here)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _texts(each, f"{path}[{index}]")
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != UNKNOWN:
        yield path, f"{value:.15g}" if isinstance(value, float) else str(value)


def _known(text: str) -> str | None:
    return next((what for what, pattern in PATTERNS.items() if pattern.search(text)), None)


def _secret(path: str, text: str, *, named: bool) -> str | None:
    """Return what kind of secret a text is, or None. `named` says that the name of the key counts too."""
    if what := _known(text):
        return what
    if not named or _HARMLESS.fullmatch(text):
        return None
    key = re.sub(r"(\[\d+\])+$", "", path)
    return "a secret in plain text, by its name" if KEYS.search(key) else None
