"""The names and tags of all resources. Names have the form `<kind>-<namespace>-<workspace>-<stack>-<postfix>`.

The kinds are the abbreviations that Microsoft's Cloud Adoption Framework recommends. The names of storage accounts,
key vaults and container registries have no hyphens, because they must be short or may not contain hyphens.

Names of endpoints are unique in an Azure region and have at most 32 characters. They have the form
`<name in the YAML>-<stack>-<hash>`. The hash stands for namespace, workspace, stack and postfix.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, fields

from infra import NAMESPACE
from infra.settings.configuration import ConfigurationError
from infra.settings.naming import NamingSettings


@dataclass(frozen=True)
class Names:
    """The physical names of the resources that a stack has once."""

    resource_group: str
    log_analytics: str
    application_insights: str
    storage_account: str
    key_vault: str
    container_registry: str
    workspace: str
    workspace_identity: str
    cluster_identity: str
    endpoint_identity: str
    ci_identity: str
    action_group: str
    system_topic: str
    retraining_workflow: str


COLLECTED_DATA = "collected-data"
"""The container of the data that endpoints collect."""

COLLECTED_DATASTORE = "collected_data"
"""The datastore of that container."""

# Characters of the hash in an endpoint's name. With five, a name in the YAML may have 18 characters in `staging`.
_HASH = 5
_HYPHENATED = r"[a-z][a-z0-9-]*[a-z0-9]"
_COMPACT = r"[a-z][a-z0-9]*"
# "Resolve errors for reserved resource names": no name of a resource with a host name contains them.
_RESERVED = ("microsoft", "windows")
# Azure's limits: minimum length, maximum length, pattern.
_RULES: dict[str, tuple[int, int, str]] = {
    "resource_group": (1, 90, _HYPHENATED),
    "log_analytics": (4, 63, _HYPHENATED),
    "application_insights": (1, 255, _HYPHENATED),
    "storage_account": (3, 24, _COMPACT),
    "key_vault": (3, 24, _COMPACT),
    "container_registry": (5, 50, _COMPACT),
    "workspace": (3, 33, _HYPHENATED),
    "workspace_identity": (3, 128, _HYPHENATED),
    "cluster_identity": (3, 128, _HYPHENATED),
    "endpoint_identity": (3, 128, _HYPHENATED),
    "ci_identity": (3, 128, _HYPHENATED),
    "action_group": (1, 260, _HYPHENATED),
    "system_topic": (3, 50, _HYPHENATED),
    "retraining_workflow": (1, 43, _HYPHENATED),
}


def names(naming: NamingSettings, stack: str) -> Names:
    """Return the names of a stack's resources.

    Raises:
        ConfigurationError: Azure does not allow a name. The message names the settings to change.
    """
    parts = _parts(naming, stack)
    hyphenated, compact = "-".join(parts), "".join(parts)
    result = Names(
        resource_group=f"rg-{hyphenated}",
        log_analytics=f"log-{hyphenated}",
        application_insights=f"appi-{hyphenated}",
        storage_account=f"st{compact}",
        key_vault=f"kv{compact}",
        container_registry=f"cr{compact}",
        workspace=f"mlw-{hyphenated}",
        workspace_identity=f"id-{hyphenated}-workspace",
        cluster_identity=f"id-{hyphenated}-cluster",
        endpoint_identity=f"id-{hyphenated}-endpoint",
        ci_identity=f"id-{hyphenated}-ci",
        action_group=f"ag-{hyphenated}",
        system_topic=f"egst-{hyphenated}",
        retraining_workflow=f"logic-{hyphenated}",
    )
    wrong = [problem for field in fields(result) if (problem := _broken(field.name, getattr(result, field.name)))]
    if wrong:
        fix = (
            "shorten or change azureml-platform:naming.namespace, naming.workspace or naming.postfix in "
            f"Pulumi.{stack}.yaml, or set naming.stack to a shorter name than that of the stack"
        )
        heading = f"Azure does not allow some resource names of stack {stack}. Nothing was changed."
        raise ConfigurationError("\n".join([heading, *wrong, f"      fix: {fix}"]))
    return result


def endpoint(naming: NamingSettings, stack: str, name: str) -> str:
    """Return the name in Azure of an endpoint, from its name in the YAML. The plan checks that Azure allows it."""
    if name in naming.endpoints:
        return naming.endpoints[name]
    parts = _parts(naming, stack)
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return f"{name}-{parts[2]}-{base64.b32encode(digest).decode().lower()[:_HASH]}"


def _parts(naming: NamingSettings, stack: str) -> tuple[str, str, str, str]:
    return naming.namespace, naming.workspace, (naming.stack or stack).lower(), naming.postfix


def _broken(kind: str, name: str) -> str | None:
    shortest, longest, form = _RULES[kind]
    label = kind.replace("_", " ")
    if not shortest <= len(name) <= longest:
        return f"  {label} {name} has {len(name)} characters; Azure allows {shortest}-{longest}"
    if not re.fullmatch(form, name):
        allowed = "lower-case letters and digits" if form is _COMPACT else "lower-case letters, digits and hyphens"
        return f"  {label} {name} may contain only {allowed}"
    word = next((word for word in _RESERVED if word in name), None)
    return f"  {label} {name} contains {word}, which Azure reserves" if word else None


def tags(naming: NamingSettings, stack: str, extra: dict[str, str]) -> dict[str, str]:
    """Return the tags of every resource: the project's, and the configured ones."""
    own = {
        "managed-by": "pulumi",
        "project": NAMESPACE,
        "namespace": naming.namespace,
        "workspace": naming.workspace,
        "stack": naming.stack or stack,
    }
    return own | extra
