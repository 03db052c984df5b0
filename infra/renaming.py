"""The check for changed names: the resources that an update would replace, and the settings that keep their names.

Names consist of settings and the stack's name. If one of them changes, an update creates empty resources and deletes
the previous ones. Pulumi shows this as a long list of replacements, so the program first lists what would be lost.
"""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra import NAMESPACE, REFUSE_RENAMES, RENAMES, naming
from infra.settings.configuration import Configuration, ConfigurationError
from infra.settings.naming import NamingSettings
from pulumi_azureml import Catalogue

_PARTS = ("namespace", "workspace", "stack", "postfix")
_GROUP = re.compile("rg-" + "-".join(f"(?P<{part}>[a-z0-9]+)" for part in _PARTS))
_MANY_JOBS = 1000


@dataclass(frozen=True)
class Renaming:
    """The changed names of a deployed stack.

    Attributes:
        lost: The resources that an update would replace and lose, one line each.
        keep: The commands that set the previous names.
        remove: The commands that remove the settings of promoted models that are in the old workspace.
        accept: The commands that set the new names of endpoints, for a protected stack.
        of_endpoints_only: Whether all other names stay the same.
    """

    lost: tuple[str, ...]
    keep: tuple[str, ...]
    remove: tuple[str, ...]
    accept: tuple[str, ...]
    of_endpoints_only: bool


def check(configuration: Configuration, names: naming.Names, catalogue: Catalogue) -> None:
    """Compare the names with those of the stack's last update, and warn if resources would be replaced.

    Raises:
        ConfigurationError: The stack is protected, or the caller does not accept replacements, or the platform is
            deployed by a stack of the same name in the project `azureml-platform`.
    """
    organization, project = pulumi.get_organization(), pulumi.get_project()
    before = _outputs(f"{organization}/{project}/{configuration.stack}")
    if not before:
        _check_project(organization, project, configuration.stack, names)
        return
    endpoints = {
        asset.name: asset.azure_name for kind in ("online_endpoint", "batch_endpoint") for asset in catalogue.of(kind)
    }
    models = [name for name, model in configuration.settings.models.items() if model.registry is None]
    renaming = compare(before, configuration.settings.naming, configuration.stack, names, endpoints, models)
    if renaming is None:
        return
    is_protected = configuration.settings.protect and bool(not renaming.of_endpoints_only or renaming.accept)
    message = "\n".join([RENAMES, *_words(renaming)])
    if is_protected:
        raise ConfigurationError(_protected(renaming, message))
    if os.environ.get(REFUSE_RENAMES):
        raise ConfigurationError(message)
    pulumi.warn(message)


def compare(
    before: Mapping[str, Any],
    settings: NamingSettings,
    stack: str,
    names: naming.Names,
    endpoints: Mapping[str, str],
    models: Iterable[str] = (),
) -> Renaming | None:
    """Return the changes of names since the last update, or None if there are none.

    Args:
        before: The stack outputs of the last update. Those of earlier versions have no names of endpoints.
        settings: The naming settings.
        stack: The stack's name.
        names: The names that the settings give.
        endpoints: The names in Azure that the settings give endpoints, by their names in the YAML.
        models: The endpoints whose promoted models are in the workspace.
    """
    earlier = _earlier(before, settings)
    lost: list[str] = []
    keep: list[str] = []
    if before.get("resource_group") != names.resource_group:
        lost += _lost(before, naming.names(earlier, stack) if earlier else None, names)
        keep += _parts(earlier, settings, stack) if earlier else []
    is_platform = bool(lost)
    accept: list[str] = []
    for name, each in (before.get("endpoints") or {}).items():
        old, new = each.get("name") or name, endpoints.get(name)
        if new in (None, old):
            continue
        lost.append(f"endpoint {name}: {old} → {new}; callers need its new URI and credentials")
        if earlier is None or naming.endpoint(earlier, stack, name) != old:
            keep.append(_set(f"endpoints.{name}", old, stack))
        if name not in settings.endpoints:
            accept.append(_set(f"endpoints.{name}", str(new), stack))
    if not lost:
        return None
    remove = [f"pulumi config rm --path '{NAMESPACE}:models.{name}' -s {stack}" for name in models if is_platform]
    return Renaming(tuple(lost), tuple(keep), tuple(remove), tuple(accept), not is_platform)


def _earlier(before: Mapping[str, Any], settings: NamingSettings) -> NamingSettings | None:
    """Return settings that give the previous names, or None if those names do not follow the rule."""
    parts = _GROUP.fullmatch(str(before.get("resource_group")))
    return NamingSettings(**parts.groupdict(), endpoints=settings.endpoints) if parts else None


def _parts(earlier: NamingSettings, settings: NamingSettings, stack: str) -> Iterator[str]:
    now = {**settings.model_dump(), "stack": (settings.stack or stack).lower()}
    for part in _PARTS:
        old = getattr(earlier, part)
        if old != now[part]:
            yield _set(part, old, stack)


def _lost(before: Mapping[str, Any], earlier: naming.Names | None, names: naming.Names) -> Iterator[str]:
    yield f"resource group {before.get('resource_group')} → {names.resource_group}"
    yield f"workspace {before.get('workspace')} → {names.workspace}, with {_contents(before)}"
    if earlier:
        yield f"storage account {earlier.storage_account} → {names.storage_account}, with all data, models and logs"
        yield f"key vault {earlier.key_vault} → {names.key_vault}, with its secrets"
    yield f"container registry {before.get('container_registry')} → {names.container_registry}, with its images"
    yield "compute clusters, identities, role assignments and monitoring"


def _contents(before: Mapping[str, Any]) -> str:
    """Return what the workspace contains, with the numbers of models and jobs if they can be read."""
    from pulumi_azureml.operations import Workspace, connect
    from pulumi_azureml.operations.sdk import AzureError

    place = Workspace(*(str(before.get(key)) for key in ("subscription_id", "resource_group", "workspace")))
    try:
        ml = connect(place)
        models = sum(1 for _ in ml.models.list())
        jobs = sum(1 for _ in itertools.islice(ml.jobs.list(), _MANY_JOBS))
    except AzureError:
        return "its models and jobs"
    many = "more than " if jobs == _MANY_JOBS else ""
    return f"{models} {'model' if models == 1 else 'models'} and {many}{jobs} {'job' if jobs == 1 else 'jobs'}"


def _words(renaming: Renaming) -> Iterator[str]:
    yield from (f"  {line}" for line in renaming.lost)
    if renaming.keep:
        yield "To keep the names of before:"
        yield from (f"  {command}" for command in renaming.keep)
    if renaming.remove:
        yield "The new workspace does not have the promoted models. To go on, remove them:"
        yield from (f"  {command}" for command in renaming.remove)


def _protected(renaming: Renaming, message: str) -> str:
    heading = f"The stack is protected ({NAMESPACE}:protect). Nothing was changed."
    advice = "\n  ".join(["To replace the endpoints anyway:", *renaming.accept])
    if not renaming.of_endpoints_only:
        advice = (
            f"To replace the resources anyway, set {NAMESPACE}:protect to false and run `pulumi up` with the names of "
            "before. Then change the names."
        )
    return f"{heading}\n{message}\n{advice}"


def _check_project(organization: str, project: str, stack: str, names: naming.Names) -> None:
    """Refuse to create a platform that a stack of this program's own project already has. Pulumi treats it as new."""
    if project == NAMESPACE:
        return
    other = f"{organization}/{NAMESPACE}/{stack}"
    if _outputs(other).get("resource_group") == names.resource_group:
        raise ConfigurationError(
            f"Pulumi.yaml names the project {project}, and its stack {stack} is new and empty. The stack {other} has "
            f"deployed {names.resource_group}, so this update would create everything again under names that are "
            "taken. Nothing was changed.\n"
            "      fix: move that stack to the project, which keeps all resources:\n"
            f"        pulumi stack rm {organization}/{project}/{stack} --preserve-config\n"
            f"        pulumi stack rename {organization}/{project}/{stack} -s {other}"
        )


def _set(setting: str, value: str, stack: str) -> str:
    return f"pulumi config set --path '{NAMESPACE}:naming.{setting}' {value} -s {stack}"


def _outputs(stack: str) -> Mapping[str, Any]:
    """Return the outputs of a stack's last update. Empty if there is no such stack, or if it was never updated."""
    try:
        # A `StackReference` reads the same, but leaves a resource in the state.
        found = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
    except Exception as error:  # the SDK raises nothing narrower for a failed invoke
        if "unknown stack" in str(error):
            return {}
        raise ConfigurationError(f"Cannot read the outputs of stack {stack}: {error}") from error
    outputs = (found.value or {}).get("outputs")
    return outputs if isinstance(outputs, Mapping) else {}
