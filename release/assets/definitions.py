"""A workspace's assets as CLI v2 YAML that follows this project's conventions: one function for each kind."""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from pulumi_azureml.operations import Workspace, send, user_tags
from pulumi_azureml.planning import DEFAULT_DATASTORES, typed
from release.assets.contents import control_flow

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_API_VERSION = "2024-10-01"
SCHEMAS = "https://azuremlschemas.azureedge.net/latest"
# Properties that the service sets. They do not belong in YAML.
_SERVICE_KEYS = frozenset(
    (
        "auto_increment_version",
        "base_path",
        "creation_context",
        "id",
        "latest_version",
        "mirror_traffic",
        "openapi_uri",
        "provisioning_state",
        "scoring_uri",
        "services",
        "status",
        "traffic",
    )
)
_OF_WORKSPACE = r"(?:azureml:)?/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/[^/]+/workspaces/{}"
_VERSION = "/(?:components|environments|models|data)/([^/]+)/versions/([^/]+)"
_LONG_PATH = re.compile(
    r"azureml://subscriptions/[^/]+/resource[gG]roups/[^/]+/(?:providers/[^/]+/)?workspaces/([^/]+)/"
)
_SECRET_NAME = re.compile(
    r"secret|passw|token|api_?key|account_?key|access_?key|connection_?string|credential", re.IGNORECASE
)
_SECRET_TEXT = re.compile(r"[?&]sig=|AccountKey=|SharedAccess(?:Key|Signature)=", re.IGNORECASE)
# Top-level keys of a batch deployment's entity that belong under `settings:` in YAML.
_BATCH_SETTINGS = (
    "mini_batch_size", "max_concurrency_per_instance", "output_action", "output_file_name", "retry_settings",
    "logging_level", "error_threshold", "environment_variables",
)  # fmt: skip


class CannotBeWrittenError(Exception):
    """An asset cannot be written as YAML of this project. The message is the reason."""


@dataclass
class Found:
    """An asset that a workspace has and the project does not define.

    Attributes:
        kind: Kind of the asset, such as `component`.
        name: Name in Azure.
        version: Latest version. Empty if the kind has no versions.
        files: Files to write: text by path.
        folders: Folders to download: address of the blobs by path.
        reason: Reason that the asset is not written. Empty if it can be written.
        note: Advice for the user.
    """

    kind: str
    name: str
    version: str = ""
    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    note: str = ""


def environment(ml: MLClient, name: str) -> Found:
    """Describe an environment's latest version. Its conda file and build context become separate files."""
    entity = ml.environments.get(name, label="latest")
    data, folder = _read(ml, entity), f"ml/environments/{name}"
    found = Found("environment", name, str(entity.version))
    if "conda_file" in data:
        found.files[f"{folder}/conda.yml"] = _text(data["conda_file"])
        data["conda_file"] = "./conda.yml"
    if "build" in data:
        address = str(data["build"]["path"]).rstrip("/")
        data["build"] = {**data["build"], "path": f"./{posixpath.basename(address)}"}
        found.folders[f"{folder}/{posixpath.basename(address)}"] = address
        found.note = (
            "if image.build is true, the stack builds the image: remove `version:`, or set image.build to false"
        )
    return _whole(found, f"{folder}/environment.yml", "environment", data)


def component(ml: MLClient, name: str) -> Found:
    """Describe a component's latest version, with its code."""
    entity = ml.components.get(name, label="latest")
    data = _read(ml, entity)
    found = Found("component", name, str(entity.version))
    kind = str(data.get("type", "command"))
    if kind == "pipeline":
        return _whole(found, f"pipelines/{name}.yml", "pipelineComponent", data)
    for holder in (data, data.get("task")):
        if isinstance(holder, dict) and "code" in holder:
            found.folders[f"ml/{name}/src"] = _code_address(ml, holder["code"])
            holder["code"] = "./src"
    return _whole(found, f"ml/{name}/component.yml", f"{kind}Component", data)


def data(ml: MLClient, name: str) -> Found:
    """Describe a data asset's latest version. The data stays where it is."""
    entity = ml.data.get(name, label="latest")
    return _whole(Found("data", name, str(entity.version)), f"ml/data/{name}/data.yml", "data", _read(ml, entity))


def model(ml: MLClient, name: str) -> Found:
    """Describe a model's latest version. Its files stay where they are."""
    entity = ml.models.get(name, label="latest")
    described = _read(ml, entity)
    for key in ("stage", "job_name"):  # the model registry sets these
        described.pop(key, None)
    found = Found("model", name, str(entity.version))
    return _whole(found, f"ml/models/{name}/model.yml", "model", described)


def datastore(ml: MLClient, name: str) -> Found:
    """Describe a datastore that uses identity-based access."""
    from azure.ai.ml.entities import NoneCredentialConfiguration

    entity = ml.datastores.get(name)
    if not isinstance(entity.credentials, NoneCredentialConfiguration):
        raise CannotBeWrittenError("it uses a key, token or secret, and secrets are not written to files")
    described = _read(ml, entity)
    described.pop("credentials", None)
    schema = {"azure_blob": "azureBlob", "azure_data_lake_gen2": "azureDataLakeGen2", "azure_file": "azureFile"}
    if described.get("type") not in schema:
        raise CannotBeWrittenError(f"datastores of type {described.get('type')} are not supported")
    path = f"ml/datastores/{name}/datastore.yml"
    return _whole(Found("datastore", name), path, schema[described["type"]], described)


def schedule(ml: MLClient, name: str) -> Found:
    """Describe a schedule. The pipeline that it runs becomes a separate file."""
    entity = ml.schedules.get(name)
    described = _read(ml, entity)
    job = described.pop("create_job", None)
    if not isinstance(job, dict) or job.get("type") != "pipeline":
        raise CannotBeWrittenError("it does not run a pipeline job")
    for key in ("name", "trigger"):
        job.pop(key, None)
    _with_types(ml, job)
    found = Found("schedule", name)
    _whole(found, f"pipelines/{name}.yml", "pipelineJob", job)
    described["create_job"] = f"../{name}.yml"
    return _whole(found, f"pipelines/schedules/{name}.yml", "schedule", described)


def endpoint(ml: MLClient, name: str) -> Found:
    """Describe an online endpoint and the deployment that has the traffic."""
    entity = ml.online_endpoints.get(name)
    described = _endpoint(entity)
    if getattr(entity, "public_network_access", None):
        described["public_network_access"] = _enum_text(entity.public_network_access).lower()
    if getattr(entity, "compute", None):
        described["compute"] = _short(ml, str(entity.compute))
    identity = getattr(entity, "identity", None)
    if identity is not None and str(identity.type).lower().replace("_", "") == "userassigned":
        ids = [{"resource_id": each.resource_id} for each in identity.user_assigned_identities or []]
        described["identity"] = {"type": "user_assigned", "user_assigned_identities": ids}
    found, folder = Found("online_endpoint", name), f"ml/deploy/{name}"
    _whole(found, f"{folder}/endpoint.yml", "managedOnlineEndpoint", described)
    deployments = sorted(
        ml.online_deployments.list(name), key=lambda each: -int((entity.traffic or {}).get(each.name, 0))
    )
    if len(deployments) > 1:
        others = ", ".join(each.name for each in deployments[1:])
        raise CannotBeWrittenError(
            f"it has several deployments; move all traffic to {deployments[0].name} and delete {others}"
        )
    for each in deployments:
        deployment = _read(ml, each)
        _with_code(ml, found, deployment, folder)
        _whole(found, f"{folder}/{each.name}-deployment.yml", "managedOnlineDeployment", deployment)
        found.note = "the update rolls out a new deployment beside the existing one, and then deletes the existing one"
    return found


def batch_endpoint(ml: MLClient, name: str) -> Found:
    """Describe a batch endpoint and its deployments."""
    entity = ml.batch_endpoints.get(name)
    described, folder = _endpoint(entity), f"ml/batch/{name}"
    found = Found("batch_endpoint", name)
    deployments = list(ml.batch_deployments.list(name))
    default = _default(entity)
    if len(deployments) > 1 and default:
        described["defaults"] = {"deployment_name": default}
    _whole(found, f"{folder}/endpoint.yml", "batchEndpoint", described)
    for each in deployments:
        deployment = _read(ml, each)
        is_model = str(deployment.get("type", "model")) != "pipeline"
        if is_model:
            settings = {key: deployment.pop(key) for key in _BATCH_SETTINGS if key in deployment}
            if "logging_level" in settings:
                settings["logging_level"] = str(settings["logging_level"]).rpartition(".")[2].lower()
            deployment = {**deployment, "type": "model", "settings": {**deployment.get("settings", {}), **settings}}
            _with_code(ml, found, deployment, folder, each.name)
        schema = "modelBatchDeployment" if is_model else "pipelineComponentBatchDeployment"
        _whole(found, f"{folder}/{each.name}-deployment.yml", schema, deployment)
        found.note = "the update creates new deployments beside the existing ones, and then deletes the existing ones"
    return found


@dataclass(frozen=True)
class Described:
    """The client's attribute that lists a kind, and the function that describes an asset of the kind."""

    operations: str
    describe: Callable[[MLClient, str], Found]


# In the order of their dependencies.
KINDS = {
    "datastore": Described("datastores", datastore),
    "environment": Described("environments", environment),
    "data": Described("data", data),
    "model": Described("models", model),
    "component": Described("components", component),
    "schedule": Described("schedules", schedule),
    "online_endpoint": Described("online_endpoints", endpoint),
    "batch_endpoint": Described("batch_endpoints", batch_endpoint),
}


def not_a_definition(kind: str, name: str) -> str:
    """Return the reason that nobody defined an asset. Empty if somebody may have defined it."""
    if kind == "datastore" and name.lower() in DEFAULT_DATASTORES:
        return "it is a default datastore, which every workspace has"
    if name.startswith(("CliV2Anonymous", "azureml_anonymous")):
        return "it is an anonymous asset, which a job created"
    if kind == "environment" and name.lower().startswith("azureml-"):
        return "Azure Machine Learning provides it"
    if kind == "data" and re.match(r"azureml_.+_output_", name):
        return "it is the output of a job"
    return ""


def secret_in(value: Any, key: str = "", *, named: bool = False) -> str:
    """Return the key of a value that looks like a secret by its form or its variable's name, or "" if there is none."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            inside = named or name == "environment_variables"
            where = f"{key}.{name}" if key else str(name)
            if named and isinstance(item, str) and item and _SECRET_NAME.search(str(name)):
                return where
            if secret := secret_in(item, where, named=inside):
                return secret
    elif isinstance(value, list):
        return next((secret for item in value if (secret := secret_in(item, key, named=named))), "")
    return key if isinstance(value, str) and _SECRET_TEXT.search(value) else ""


def _read(ml: MLClient, entity: Any) -> dict[str, Any]:
    """Return an entity's keys as `az ml` writes them in YAML, without the keys that the service sets."""
    if type_ := control_flow(entity):
        raise CannotBeWrittenError(f"it has a step of type {type_}, which azure-ai-ml does not write back")
    buffer = io.StringIO()
    entity.dump(buffer)
    dumped = yaml.safe_load(buffer.getvalue()) or {}
    described: dict[str, Any] = _plain(ml, {key: value for key, value in dumped.items() if key not in _SERVICE_KEYS})
    described["tags"] = user_tags(described.get("tags"))
    return {key: value for key, value in described.items() if value not in (None, {}, [])}


def _endpoint(entity: Any) -> dict[str, Any]:
    """Return the keys that online and batch endpoints have in common. The client cannot dump an endpoint."""
    mode = _enum_text(entity.auth_mode).lower()
    described = {
        "name": entity.name,
        "description": entity.description,
        "tags": user_tags(entity.tags),
        "auth_mode": {"aadtoken": "aad_token", "amltoken": "aml_token"}.get(mode, mode),
    }
    return {key: value for key, value in described.items() if value}


def _enum_text(value: Any) -> str:
    """Return the text of a value that the client gives as text or as a member of an enumeration."""
    return str(getattr(value, "value", value))


def _with_types(ml: MLClient, job: dict[str, Any]) -> None:
    """Restore the types of a pipeline job's inputs. Azure stores all values as text."""
    outer = job.get("inputs") or {}
    for step in (job.get("jobs") or {}).values():
        named = re.fullmatch(r"azureml:([^:/]+):([^:/]+)", str(step.get("component")))
        wanted = ml.components.get(named[1], named[2]).inputs if named else {}
        given = {name: _binding(value) for name, value in (step.get("inputs") or {}).items()}
        if given:
            step["inputs"] = given
        for name, value in given.items():
            if name not in wanted or str(wanted[name].type).lower() not in {"number", "integer", "boolean"}:
                continue
            bound = re.fullmatch(r"\$\{\{parent\.inputs\.([^.}]+)\}\}", str(value))
            holder, key = (outer, bound[1]) if bound else (given, name)
            if isinstance(holder.get(key), str) and "${{" not in holder[key]:
                holder[key] = _typed(str(wanted[name].type).lower(), holder[key])


def _typed(type_: str, text: str) -> Any:
    """Return a value as its type, if it is the same text again. Otherwise return the text, which Azure accepts too."""
    try:
        value = typed(type_, text)
    except ValueError:
        return text
    return value if str(value) == text else text


def _binding(value: Any) -> Any:
    """Return a step's input as people write it. The client wraps a binding in a path."""
    is_wrapped = isinstance(value, dict) and set(value) == {"path"} and str(value["path"]).startswith("${{")
    return value["path"] if is_wrapped else value


def _default(entity: Any) -> str:
    defaults = entity.defaults or {}
    name = (
        defaults.get("deployment_name") if isinstance(defaults, Mapping) else getattr(defaults, "deployment_name", "")
    )
    return str(name or "")


def _with_code(ml: MLClient, found: Found, deployment: dict[str, Any], folder: str, name: str = "src") -> None:
    code = deployment.get("code_configuration")
    if isinstance(code, dict) and code.get("code"):
        found.folders[f"{folder}/{name}"] = _code_address(ml, code["code"])
        deployment["code_configuration"] = {**code, "code": f"./{name}"}


def _code_address(ml: MLClient, reference: str) -> str:
    """Return the address of a code version's files."""
    matched = re.search(r"/codes/([^/]+)/versions/([^/]+)$", reference) or re.fullmatch(
        r"azureml:([^:/]+):([^:/]+)", reference
    )
    if matched is None:
        raise CannotBeWrittenError(f"its code is at {reference}, which is not in the workspace")
    workspace = Workspace(ml.subscription_id, ml.resource_group_name, str(ml.workspace_name))
    code = send("GET", f"{workspace.id}/codes/{matched[1]}/versions/{matched[2]}", _API_VERSION)
    return str(code["properties"]["codeUri"]).rstrip("/")


def _plain(ml: MLClient, value: Any) -> Any:
    if isinstance(value, dict):
        plain = {str(key): _plain(ml, item) for key, item in value.items() if key != "creation_context"}
        return {key: item for key, item in plain.items() if item is not None}
    if isinstance(value, list):
        return [_plain(ml, item) for item in value]
    return _short(ml, value) if isinstance(value, str) else value


def _short(ml: MLClient, text: str) -> str:
    """Return a reference or path inside the workspace without the workspace's id."""
    workspace = _OF_WORKSPACE.format(re.escape(str(ml.workspace_name)))
    if found := re.fullmatch(workspace + _VERSION, text):
        return f"azureml:{found[1]}:{found[2]}"
    if found := re.fullmatch(workspace + "/computes/([^/]+)", text):
        return f"azureml:{found[1]}"
    long = _LONG_PATH.match(text)
    return f"azureml://{text[long.end() :]}" if long and long[1] == ml.workspace_name else text


def _whole(found: Found, path: str, schema: str, described: dict[str, Any]) -> Found:
    """Add a YAML file.

    Raises:
        CannotBeWrittenError: The file would contain a secret.
    """
    if where := secret_in(described):
        raise CannotBeWrittenError(f"'{where}' looks like a secret, and secrets are not written to files")
    found.files[path] = _text({"$schema": f"{SCHEMAS}/{schema}.schema.json", **_ordered(described)})
    return found


def _ordered(described: dict[str, Any]) -> dict[str, Any]:
    first = [key for key in ("type", "name", "version", "display_name", "description", "tags") if key in described]
    return {**{key: described[key] for key in first}, **described}


def _text(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
