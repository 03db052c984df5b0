"""Planning shared by online and batch deployments: their names, models, scoring code and environments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.drafts import Draft, Drafts, Use, source, use
from pulumi_azureml.planning.problems import Problem, listing, suggestion
from pulumi_azureml.planning.references import join, parse, registry_version
from pulumi_azureml.planning.settings import CatalogueSettings

ENDPOINT_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){1,30}[A-Za-z0-9]")
ENDPOINT_NAME_RULE = "use 3 to 32 letters, digits and single '-', starting with a letter and not ending with '-'"
ENDPOINTS = ("batch_endpoint", "online_endpoint")
# The pattern of the names of sizes. The preview asks Azure which of them a region has.
_SIZE = re.compile(r"Standard_[A-Z]+[0-9]+(-[0-9]+)?[a-z]*(_[A-Za-z0-9]+)*", re.IGNORECASE)
_IDENTITY = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.managedidentity/userassignedidentities/[^/]+",
    re.IGNORECASE,
)
# The request beside an endpoint's file that a rollout sends to a new deployment.
SMOKE_REQUEST = "sample-request.json"
_MAX_NAME = 32
_HASH = 8


def azure_name(name: str, content_hash: str) -> str:
    """Return a deployment's name in Azure: its name in the YAML and the beginning of its content hash.

    The same content has the same name, so an attempt that was cut off is found again and a revert goes back to what is
    still there.
    """
    return f"{name[: _MAX_NAME - _HASH - 1]}-{content_hash[:_HASH]}"


def azure_names(name: str) -> re.Pattern[str]:
    """Return a pattern that matches every name `azure_name` can give to a version of a deployment."""
    return re.compile(re.escape(name[: _MAX_NAME - _HASH - 1]) + rf"-[0-9a-f]{{{_HASH}}}")


def serving(deployments: Iterable[Asset]) -> dict[str, str]:
    """Return the names in Azure of the online deployments that serve after an update, by their endpoint's name.

    A deployment that waits for a model does not serve.
    """
    parts = [(*each.name.partition("/")[::2], each) for each in deployments if each.waiting_for is None]
    return {endpoint: azure_name(name, each.content_hash) for endpoint, name, each in parts}


def check_endpoint_name(draft: Draft) -> None:
    """Report an endpoint name that Azure would reject."""
    if not ENDPOINT_NAME.fullmatch(draft.id.name):
        draft.problem(("name",), f"'{draft.id.name}' is not a valid endpoint name", ENDPOINT_NAME_RULE)


def check_identity(draft: Draft) -> None:
    """Report an endpoint's user-assigned identity without an id, or with one that is none."""
    identity = draft.definition.get("identity")
    if not isinstance(identity, dict) or "user_assigned" not in str(identity.get("type")).lower():
        return
    given = identity.get("user_assigned_identities")
    keys = ("identity", "user_assigned_identities")
    if not given:
        message = "the endpoint has no user-assigned identity"
        draft.problem(keys[:1], message, "add `user_assigned_identities:`, a list with the `resource_id:` of one")
    for index, each in enumerate(given if isinstance(given, list) else ()):
        text = str(each.get("resource_id", "")) if isinstance(each, dict) else ""
        if not _IDENTITY.fullmatch(text):
            fix = "use the id from `az identity show --query id`"
            draft.problem((*keys, index), f"'{text}' is not the resource id of a user-assigned identity", fix)


def check_azure_name(draft: Draft, settings: CatalogueSettings) -> None:
    """Report an endpoint name in Azure that Azure would reject, although the one in the YAML is valid."""
    name, azure = draft.id.name, settings.endpoint_name(draft.id.name)
    if ENDPOINT_NAME.fullmatch(name) and not ENDPOINT_NAME.fullmatch(azure):
        option = settings.config_keys.endpoint_names
        fix = "shorten `name`" + (f", or set `{option}.{name}` to the name in Azure" if option else "")
        message = f"'{name}' is '{azure}' in Azure, which is not a valid endpoint name"
        draft.problem(("name",), message, f"{fix}: {ENDPOINT_NAME_RULE}")


def same_azure_name(draft: Draft, drafts: Drafts, settings: CatalogueSettings) -> Iterator[Problem]:
    """Report an endpoint that has the name of another in Azure. They are host names, so case does not count."""
    mine = settings.endpoint_name(draft.id.name)
    for other in drafts.values():
        if other.id.kind not in ENDPOINTS or other.id <= draft.id:
            continue
        if settings.endpoint_name(other.id.name).lower() == mine.lower():
            message = f"'{mine}' is the {other.id.kind.replace('_', ' ')} of {other.document.path} too"
            yield draft.document.problem(("name",), message, "rename one of the two, because they are host names")


def deployment_azure_name(name: str, settings: CatalogueSettings) -> str:
    """Return a deployment's `<endpoint>/<deployment>` with the endpoint's name in Azure."""
    endpoint, _, deployment = name.partition("/")
    return f"{settings.endpoint_name(endpoint)}/{deployment}"


def deployment_name(document: Document) -> str:
    """Return `<endpoint>/<deployment>`: a deployment's name is unique in its endpoint only."""
    endpoint, name = document.data.get("endpoint_name"), document.data.get("name")
    both = isinstance(endpoint, str) and isinstance(name, str) and endpoint and name
    return f"{endpoint}/{name}" if both else ""


def check_deployment_name(draft: Draft) -> None:
    """Report a deployment name that Azure would reject."""
    name = draft.id.name.partition("/")[2]
    if not ENDPOINT_NAME.fullmatch(name):
        draft.problem(("name",), f"'{name}' is not a valid deployment name", ENDPOINT_NAME_RULE)


def check_size(draft: Draft, keys: KeyPath, size: object) -> None:
    """Report a text that is not the name of a size."""
    if isinstance(size, str) and size and not _SIZE.fullmatch(size):
        fix = "use the name of a virtual machine size, such as `Standard_DS3_v2`"
        draft.problem(keys, f"'{size}' is not an instance type", fix)


def collect_scoring(draft: Draft, settings: CatalogueSettings) -> None:
    """Note a deployment's model, scoring code and environment."""
    data = draft.definition
    use(draft, ("environment",), "environment", data.get("environment"))
    code = data.get("code_configuration")
    if isinstance(code, dict):
        source(draft, ("code_configuration", "code"), code.get("code"), wanted="folder")
        if code.get("code") and not code.get("scoring_script"):
            fix = "add `scoring_script:` with the name of the script in `code`"
            draft.problem(("code_configuration",), "'code_configuration' has no 'scoring_script'", fix)
    _choose_model(draft, settings)


def check_scoring_script(draft: Draft) -> Iterator[Problem]:
    """Report a scoring script that is missing or ignored, according to the resolved tree."""
    code = draft.definition.get("code_configuration")
    tree = draft.trees.get(("code_configuration", "code"))
    if tree is None or not isinstance(code, dict) or not isinstance(code.get("scoring_script"), str):
        return
    script = join("", code["scoring_script"])
    if all(file.path != script for file in tree.files):
        close = suggestion(script, [file.path for file in tree.files], otherwise="create it, or correct the name")
        message = f"the scoring script '{script}' is not in '{tree.path}'"
        yield draft.document.problem(("code_configuration", "scoring_script"), message, close)


def check_endpoint(draft: Draft, drafts: Drafts, kind: str) -> Iterator[Problem]:
    """Report an endpoint of the given kind that does not exist."""
    name = draft.definition.get("endpoint_name")
    endpoints = [each.name for each in drafts if each.kind == kind]
    is_broken = not draft.broken.isdisjoint({AssetId(kind, str(name)), AssetId(kind, "")})
    if isinstance(name, str) and name not in endpoints and not is_broken:
        advice = suggestion(name, endpoints, otherwise=f"add an endpoint.yml; there are: {listing(endpoints)}")
        yield draft.document.problem(("endpoint_name",), f"unknown endpoint '{name}'", advice)


def _choose_model(draft: Draft, settings: CatalogueSettings) -> None:
    data = draft.definition
    endpoint, text = data.get("endpoint_name"), data.get("model")
    if isinstance(text, dict):
        use(draft, ("model",), "model", text)
        return
    written = parse(text, folder=draft.document.folder) if isinstance(text, str) else None
    if written is None or written.is_floating:
        draft.serves = written.name if written is not None else "*"
    choice = settings.models.get(endpoint) if isinstance(endpoint, str) else None
    if choice is not None and (written is None or written.is_floating):
        if written is not None and written.name != choice.name:
            fix = f"promote a version of '{written.name}', or write `model: azureml:{choice.name}@latest`"
            message = (
                f"the configuration promotes model '{choice.name}' to '{endpoint}', but the YAML names '{written.name}'"
            )
            draft.problem(("model",), message, fix)
        data["model"] = choice.reference
    elif isinstance(text, str):
        draft.uses.append(Use(("model",), "model", text, may_wait=True))
    else:
        draft.waiting_for = f"a model for endpoint '{endpoint}'"


def relate_model(draft: Draft, drafts: Drafts) -> None:
    """Order a deployment after the model that the configuration promotes, if a file defines it: both may be new."""
    text = draft.definition.get("model")
    if isinstance(text, str) and _model(text, draft) in drafts:
        draft.needs.append(_model(text, draft))


def finish_model(draft: Draft, resolved: Mapping[AssetId, Asset]) -> Asset | None:
    """Return the asset of the plan that makes the model's version. Note the one that has to exist already."""
    text = draft.definition.get("model")
    if not isinstance(text, str) or draft.waiting_for is not None:
        return None
    written, made = parse(text, folder=draft.document.folder), resolved.get(_model(text, draft))
    is_version = registry_version(text) is not None or (written is not None and bool(written.version))
    if made is not None and made.reference == text:
        return made
    if is_version:
        draft.existing_model = text
    return None


def _model(text: str, draft: Draft) -> AssetId:
    """Return the model that a reference names."""
    shared = registry_version(text)
    written = parse(text, folder=draft.document.folder)
    return AssetId("model", shared.name if shared is not None else written.name if written is not None else "")


def of_endpoint(endpoint: str, drafts: Drafts, kind: str) -> list[Draft]:
    """Return the drafts of an endpoint's deployments of a kind."""
    return [draft for id_, draft in drafts.items() if id_.kind == kind and id_.name.partition("/")[0] == endpoint]
