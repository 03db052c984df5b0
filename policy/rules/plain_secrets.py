"""Secrets in plain text: in the stack file, in environment variables and in the definitions of assets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import CONFIGURATION, Resource, texts

# A key whose whole last word says that its value is a secret. `secretName` and `tokenUrl` are not.
KEYS = re.compile(
    r"(^|[.:_-]|(?<=[a-z0-9]))(password|passwd|pwd|secret|token|api_?-?key|account_?-?key|access_?-?key|shared_?-?key"
    r"|private_?-?key|connection_?-?string|sas|credential)$",
    re.IGNORECASE,
)
"""Names of keys that have secrets as values."""

PATTERNS = {
    "a key of a storage account": re.compile(r"(?:AccountKey=|^)[A-Za-z0-9+/]{86}==(?:;|$)"),
    "a shared access signature": re.compile(r"[?&]?\bsig=[A-Za-z0-9%+/]{20,}"),
    "a connection string with a key": re.compile(
        r"(?:SharedAccessKey|AccountKey|Password|Pwd)=[^;\s$]{8,}", re.IGNORECASE
    ),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a client secret of Entra ID": re.compile(r"(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{31,34}(?![\w~.-])"),
    "a personal access token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})"),
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
}
"""Values that are secrets whatever their key is."""

# The engine's text for a Pulumi secret, a reference to a key vault, an expression, and the values of switches.
_HARMLESS = re.compile(
    r"\[secret\]|https://[\w-]+\.vault\.azure\.net/\S*|@Microsoft\.KeyVault\(.*\)|\$\{\{.*\}\}|azureml:.*|true|false|\d{0,6}",
    re.IGNORECASE,
)


@rule(
    "plain-secret", "mandatory",
    CONFIGURATION,
    *(
        f"azureml:{each}"
        for each in (
            "Environment", "Component", "DataAsset", "Datastore", "Model", "OnlineEndpoint", "BatchEndpoint",
            "BatchDeployment", "PipelineJob", "Schedule",
        )
    ),
    reason="All readers of the repository, the state or the asset can read the secret.",
    fix="store it in the key vault and read it with an identity, or set it with `pulumi config set --secret`. Then "
    "replace the secret, because it is exposed",
)  # fmt: skip
def plain_secret(resource: Resource, scene: Scene) -> Iterator[str]:
    """The stack file, environment variables and definitions contain no plain-text secret."""
    del scene
    of_asset = ("definition", "metadata", "deployment.definition")
    parts = [resource.inputs] if resource.type == CONFIGURATION else [resource.get(each) or {} for each in of_asset]
    for part in parts:
        for path, text in texts(part):
            what = _secret(path, text, named=resource.type == CONFIGURATION or "environment_variables" in path)
            if what:
                yield f"{path} is {what}"


def _secret(path: str, text: str, *, named: bool) -> str | None:
    """Return what kind of secret a text is, or None. `named` says that the name of the key counts too."""
    if _HARMLESS.fullmatch(text):
        return None
    for what, pattern in PATTERNS.items():
        if pattern.search(text):
            return what
    key = re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]
    return "a secret in plain text, by its name" if named and KEYS.search(key) else None
