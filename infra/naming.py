"""One rule for every name and tag: `<kind>-<namespace>-<workspace>-<stack>-<postfix>`.

Pure functions of the configuration. The kinds are the abbreviations that Microsoft's Cloud Adoption Framework
recommends. Storage accounts, key vaults and container registries drop the hyphens, for their names are short or may
hold none.
"""

import re
from dataclasses import dataclass, fields

from infra import NAMESPACE
from infra.settings.configuration import ConfigurationError
from infra.settings.naming import NamingSettings


@dataclass(frozen=True)
class Names:
    """The physical name of every resource that exists once in a stack."""

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


_HYPHENATED = r"[a-z][a-z0-9-]*[a-z0-9]"
_COMPACT = r"[a-z][a-z0-9]*"
# Azure's bounds: shortest, longest, form.
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
}


def names(naming: NamingSettings, stack: str) -> Names:
    """Name every resource of a stack.

    Raises:
        ConfigurationError: a name breaks Azure's rules; the message names the settings to change.
    """
    parts = (naming.namespace, naming.workspace, stack.lower(), naming.postfix)
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
    )
    wrong = [problem for field in fields(result) if (problem := _broken(field.name, getattr(result, field.name)))]
    if wrong:
        fix = (
            "shorten azureml-platform:naming.namespace, naming.workspace or naming.postfix in "
            f"Pulumi.{stack}.yaml, or give the stack a short name of letters and digits"
        )
        heading = f"Names of stack {stack} break Azure's rules; nothing was changed."
        raise ConfigurationError("\n".join([heading, *wrong, f"      fix: {fix}"]))
    return result


def _broken(kind: str, name: str) -> str | None:
    shortest, longest, form = _RULES[kind]
    label = kind.replace("_", " ")
    if not shortest <= len(name) <= longest:
        return f"  {label} {name} has {len(name)} characters; allowed are {shortest}-{longest}"
    if not re.fullmatch(form, name):
        return f"  {label} {name} may only hold lower-case letters, digits and (where Azure allows them) hyphens"
    return None


def tags(naming: NamingSettings, stack: str, extra: dict[str, str]) -> dict[str, str]:
    """The tags that every resource carries: the project's own, then the configured ones."""
    own = {
        "managed-by": "pulumi",
        "project": NAMESPACE,
        "namespace": naming.namespace,
        "workspace": naming.workspace,
        "stack": stack,
    }
    return own | extra
