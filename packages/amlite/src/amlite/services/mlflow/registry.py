"""MLflow's model registry over the workspace's models. MLflow and Azure ML share one set of models.

A registered model is a model container, and a model version is a version of it. The properties of the container and
the version keep MLflow's stages and aliases. The registry answers azureml-mlflow as the service does: it finds every
model, and a model that MLflow registers has the type `mlflow_model` if its folder contains an MLmodel file.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections.abc import Awaitable, Callable
from typing import Any

from amlite.core import bodies
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import assets, datastores, references, versions
from amlite.services.mlflow.artifacts import MODELS
from amlite.services.storage import blobs
from amlite.services.storage.blobs import BlobPath

_RUN = re.compile(r".*/experiments/[^/]+/runs/([^/]+)/artifacts(?:/(.*))?")
_UPLOADED = re.compile(r"azureml://artifacts/([^/]+)/([^/]+)/?(.*)")
_CLAUSE = re.compile(r"\s*([\w.`\"]+)\s*(=|!=|LIKE|ILIKE|IN)\s*('[^']*'|\"[^\"]*\"|\([^)]*\))\s*", re.IGNORECASE)
_STAGES = ("None", "Staging", "Production", "Archived")
_ALIASES = "mlflow.aliases"
# MLflow's own rule for aliases.
_ALIAS = re.compile(r"[\w-]{1,255}")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)
_MOST = 1000
# The products of the characters of the values and of the patterns that they are compared with.
_MOST_COMPARED = 200_000_000


class RegistryError(Exception):
    """An error in MLflow's format: one of MLflow's error codes, and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


async def answer(
    platform: Platform, workspace: Json, method: str, api: str, body: Json, principal: Principal | None
) -> Json:
    """Answer one call of MLflow's registry API. `api` is the path after `/mlflow/`. Raises RegistryError."""
    handler = _HANDLERS.get((method, api))
    if handler is None:
        raise RegistryError(404, "ENDPOINT_NOT_FOUND", f"{method} {api} is not served by this local Azure.")
    try:
        return await handler(_Registry(platform, workspace, principal), body)
    except AzureError as error:
        code = "RESOURCE_DOES_NOT_EXIST" if error.status == 404 else "INVALID_PARAMETER_VALUE"
        raise RegistryError(error.status, code, error.message) from error


class _Registry:
    def __init__(self, platform: Platform, workspace: Json, principal: Principal | None) -> None:
        self.platform = platform
        self.workspace = workspace
        self.principal = principal

    @property
    def base(self) -> str:
        return f"{self.workspace['id']}/models"

    def container(self, name: str) -> Document:
        found = self.platform.store.get(f"{self.base}/{name}")
        if found is None:
            raise RegistryError(404, "RESOURCE_DOES_NOT_EXIST", f"Registered Model with name={name} not found")
        return found

    def version(self, name: str, number: str) -> Document:
        self.container(name)
        found = self.platform.store.get(f"{self.base}/{name}/versions/{number}")
        if found is None:
            raise RegistryError(
                404, "RESOURCE_DOES_NOT_EXIST", f"Model Version (name={name}, version={number}) not found"
            )
        return found

    def versions(self, name: str | None = None) -> list[Document]:
        path = f"{self.base}/{name}" if name else self.base
        found = self.platform.store.below(path, assets.version_type("models"))
        return [document for document in found if not document.body["properties"]["isArchived"]]

    def containers(self) -> list[Document]:
        found = self.platform.store.below(self.base, assets.container_type("models"))
        return [document for document in found if not document.body["properties"].get("isArchived")]

    def change(self, document: Document, **properties: Any) -> Document:
        return versions.change(self.platform, document, self.principal, **properties)

    # MLflow's representation

    def shown_version(self, document: Document) -> Json:
        properties, system = document.body["properties"], document.body["systemData"]
        name = document.id.split("/")[-3]
        shown = {
            "name": name,
            "version": document.body["name"],
            "creation_timestamp": _milliseconds(system["createdAt"]),
            "last_updated_timestamp": _milliseconds(system.get("lastModifiedAt") or system["createdAt"]),
            "user_id": system.get("createdBy", ""),
            "current_stage": properties.get("stage") or "None",
            "description": properties.get("description") or "",
            "source": self.download_uri(document),
            "status": "READY",
            "tags": _tags(properties),
            "aliases": [alias for alias, number in self.aliases(name).items() if number == document.body["name"]],
        }
        if run := properties.get("jobName"):
            shown["run_id"] = run
        return shown

    def shown_model(self, document: Document) -> Json:
        properties, system = document.body["properties"], document.body["systemData"]
        name = document.body["name"]
        latest: dict[str, Document] = {}
        for version in self.versions(name):
            latest[version.body["properties"].get("stage") or "None"] = version
        return {
            "name": name,
            "creation_timestamp": _milliseconds(system["createdAt"]),
            "last_updated_timestamp": _milliseconds(system.get("lastModifiedAt") or system["createdAt"]),
            "description": properties.get("description") or "",
            "tags": _tags(properties),
            "latest_versions": [self.shown_version(version) for version in latest.values()],
            "aliases": [{"alias": alias, "version": number} for alias, number in self.aliases(name).items()],
        }

    def download_uri(self, document: Document) -> str:
        return f"azureml://artifacts/{MODELS}/{document.id.split('/')[-3]}:{document.body['name']}/model"

    def aliases(self, name: str) -> dict[str, str]:
        kept = self.container(name).body["properties"].get("properties") or {}
        pairs = (pair.partition("=") for pair in str(kept.get(_ALIASES, "")).split(",") if pair)
        return {alias: number for alias, _, number in pairs}

    def set_aliases(self, name: str, aliases: Json) -> None:
        container = self.container(name)
        kept = dict(container.body["properties"].get("properties") or {})
        kept[_ALIASES] = ",".join(f"{alias}={number}" for alias, number in aliases.items())
        self.change(container, properties=kept)

    # Sources

    async def model_files(self, source: str) -> tuple[BlobPath, list[str], str | None]:
        """Return the location of a source, the names of its files, and the run that it belongs to."""
        run = None
        if found := _RUN.fullmatch(source):
            run, path = found[1], found[2] or ""
            source = f"azureml://jobs/{run}/outputs/artifacts/paths/{path}"
        elif found := _UPLOADED.fullmatch(source):
            source = f"azureml://datastores/workspaceartifactstore/paths/{found[1]}/{found[2]}/{found[3]}"
        elif source.startswith("models:/"):
            name, _, number = source.removeprefix("models:/").partition("/")
            source = self.version(name, number).body["properties"]["modelUri"]
        place = references.location(self.platform, self.workspace["id"], source.rstrip("/"), "models")
        await datastores.require(self.platform, self.workspace["id"], place, self.principal)
        names = await blobs.names(self.platform, place)
        if not names:
            raise RegistryError(404, "RESOURCE_DOES_NOT_EXIST", f"There is no artifact at {source}.")
        return place, names, run

    def uri(self, place: BlobPath) -> str:
        for document in self.platform.store.below(f"{self.workspace['id']}/datastores", datastores.TYPE):
            properties = document.body["properties"]
            if (properties.get("accountName") or "").lower() == place.account and properties.get(
                "containerName"
            ) == place.container:
                return f"azureml://datastores/{document.body['name']}/paths/{place.path}"
        return place.url


async def _create_model(registry: _Registry, body: Json) -> Json:
    name = _required(body, "name")
    if registry.platform.store.get(f"{registry.base}/{name}"):
        raise RegistryError(400, "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={name}) already exists.")
    given = {"tags": _given_tags(body), "description": body.get("description")}
    properties = assets.prepare_container("models", name, {"properties": given})
    stored = versions.write(
        registry.platform, f"{registry.base}/{name}", assets.container_type("models"), properties, registry.principal
    )
    return {"registered_model": registry.shown_model(stored)}


async def _create_version(registry: _Registry, body: Json) -> Json:
    name = _required(body, "name")
    place, names, run = await registry.model_files(_required(body, "source"))
    registry.container(name)
    flavors = await _flavors(registry.platform, place, names)
    given = {
        "modelUri": registry.uri(place),
        "modelType": "custom_model" if flavors is None else "mlflow_model",
        "flavors": flavors or {},
        "tags": _given_tags(body),
        "description": body.get("description"),
        "jobName": body.get("run_id") or run,
    }
    stored = versions.create(
        registry.platform, registry.workspace["id"], "models", name, given, principal=registry.principal
    )
    return {"model_version": registry.shown_version(stored)}


async def _flavors(platform: Platform, place: BlobPath, names: list[str]) -> Json | None:
    """Return the flavors in an MLmodel file in the service's format, or None if there is no such file."""
    if f"{place.path}/MLmodel" not in names:
        return None
    try:
        described = bodies.read_yaml(await blobs.read(platform, place / "MLmodel"))
    except ValueError as error:
        raise RegistryError(400, "INVALID_PARAMETER_VALUE", f"The file MLmodel cannot be read: {error}.") from error
    flavors = described.get("flavors") if isinstance(described, dict) else None
    known = {str(name): facts for name, facts in flavors.items()} if isinstance(flavors, dict) else {}
    return {
        name: {"data": {str(key): str(value) for key, value in facts.items()} if isinstance(facts, dict) else {}}
        for name, facts in known.items()
    }


async def _get_model(registry: _Registry, body: Json) -> Json:
    return {"registered_model": registry.shown_model(registry.container(_required(body, "name")))}


async def _update_model(registry: _Registry, body: Json) -> Json:
    container = registry.container(_required(body, "name"))
    return {"registered_model": registry.shown_model(registry.change(container, description=body.get("description")))}


async def _delete_model(registry: _Registry, body: Json) -> Json:
    registry.platform.store.delete(registry.container(_required(body, "name")).id)
    return {}


async def _rename_model(registry: _Registry, body: Json) -> Json:
    raise RegistryError(
        400, "INVALID_PARAMETER_VALUE", f"Azure Machine Learning does not rename models ('{body.get('name')}')."
    )


async def _search_models(registry: _Registry, body: Json) -> Json:
    shown = [registry.shown_model(document) for document in registry.containers()]
    found = filtered(shown, str(body.get("filter") or ""))
    return {"registered_models": found[: _most(body)]}


async def _latest_versions(registry: _Registry, body: Json) -> Json:
    model = registry.shown_model(registry.container(_required(body, "name")))
    stages = body.get("stages") or []
    wanted = [stages] if isinstance(stages, str) else stages
    lowered = {str(stage).lower() for stage in wanted}
    versions = [v for v in model["latest_versions"] if not lowered or v["current_stage"].lower() in lowered]
    return {"model_versions": versions}


async def _get_version(registry: _Registry, body: Json) -> Json:
    return {"model_version": registry.shown_version(_version(registry, body))}


async def _update_version(registry: _Registry, body: Json) -> Json:
    changed = registry.change(_version(registry, body), description=body.get("description"))
    return {"model_version": registry.shown_version(changed)}


async def _delete_version(registry: _Registry, body: Json) -> Json:
    registry.platform.store.delete(_version(registry, body).id)
    return {}


async def _transition(registry: _Registry, body: Json) -> Json:
    wanted = str(body.get("stage", ""))
    stage = next((known for known in _STAGES if known.lower() == wanted.lower()), None)
    if stage is None:
        raise RegistryError(
            400,
            "INVALID_PARAMETER_VALUE",
            f"Invalid Model Version stage: {wanted}. It must be one of {', '.join(_STAGES)}.",
        )
    version = _version(registry, body)
    if str(body.get("archive_existing_versions", "")).lower() == "true":
        for other in registry.versions(_required(body, "name")):
            if other.id != version.id and other.body["properties"].get("stage") == stage:
                registry.change(other, stage="Archived")
    return {"model_version": registry.shown_version(registry.change(version, stage=stage))}


async def _search_versions(registry: _Registry, body: Json) -> Json:
    shown = [registry.shown_version(document) for document in registry.versions()]
    shown.sort(key=lambda version: int(version["creation_timestamp"]), reverse=True)
    return {"model_versions": filtered(shown, str(body.get("filter") or ""))[: _most(body)]}


async def _download_uri(registry: _Registry, body: Json) -> Json:
    return {"artifact_uri": registry.download_uri(_version(registry, body))}


async def _tag_model(registry: _Registry, body: Json) -> Json:
    return _set_tag(registry, registry.container(_required(body, "name")), body)


async def _untag_model(registry: _Registry, body: Json) -> Json:
    return _delete_tag(registry, registry.container(_required(body, "name")), body)


async def _tag_version(registry: _Registry, body: Json) -> Json:
    return _set_tag(registry, _version(registry, body), body)


async def _untag_version(registry: _Registry, body: Json) -> Json:
    return _delete_tag(registry, _version(registry, body), body)


async def _set_alias(registry: _Registry, body: Json) -> Json:
    name, version, alias = _required(body, "name"), _version(registry, body), _required(body, "alias")
    if not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise RegistryError(
            400,
            "INVALID_PARAMETER_VALUE",
            f"Invalid alias name: '{alias[:100]}'. It has 1 to 255 letters, digits, underscores and hyphens, and is "
            "neither 'latest' nor a version such as 'v1'.",
        )
    registry.set_aliases(name, {**registry.aliases(name), alias: version.body["name"]})
    return {}


async def _delete_alias(registry: _Registry, body: Json) -> Json:
    name, alias = _required(body, "name"), _required(body, "alias")
    registry.set_aliases(name, {key: value for key, value in registry.aliases(name).items() if key != alias})
    return {}


async def _version_by_alias(registry: _Registry, body: Json) -> Json:
    name, alias = _required(body, "name"), _required(body, "alias")
    number = registry.aliases(name).get(alias)
    if number is None:
        raise RegistryError(404, "RESOURCE_DOES_NOT_EXIST", f"Registered model alias {alias} not found.")
    return {"model_version": registry.shown_version(registry.version(name, number))}


_HANDLERS: dict[tuple[str, str], Callable[[_Registry, Json], Awaitable[Json]]] = {
    ("POST", "registered-models/create"): _create_model,
    ("GET", "registered-models/get"): _get_model,
    ("PATCH", "registered-models/update"): _update_model,
    ("POST", "registered-models/rename"): _rename_model,
    ("DELETE", "registered-models/delete"): _delete_model,
    ("GET", "registered-models/search"): _search_models,
    ("POST", "registered-models/get-latest-versions"): _latest_versions,
    ("GET", "registered-models/get-latest-versions"): _latest_versions,
    ("POST", "registered-models/set-tag"): _tag_model,
    ("DELETE", "registered-models/delete-tag"): _untag_model,
    ("POST", "registered-models/alias"): _set_alias,
    ("DELETE", "registered-models/alias"): _delete_alias,
    ("GET", "registered-models/alias"): _version_by_alias,
    ("POST", "model-versions/create"): _create_version,
    ("GET", "model-versions/get"): _get_version,
    ("PATCH", "model-versions/update"): _update_version,
    ("DELETE", "model-versions/delete"): _delete_version,
    ("POST", "model-versions/transition-stage"): _transition,
    ("GET", "model-versions/search"): _search_versions,
    ("GET", "model-versions/get-download-uri"): _download_uri,
    ("POST", "model-versions/set-tag"): _tag_version,
    ("DELETE", "model-versions/delete-tag"): _untag_version,
}


def _version(registry: _Registry, body: Json) -> Document:
    return registry.version(_required(body, "name"), _required(body, "version"))


def _required(body: Json, name: str) -> str:
    value = body.get(name)
    if value in (None, ""):
        raise RegistryError(400, "INVALID_PARAMETER_VALUE", f"Missing value for required parameter '{name}'.")
    return str(value)


def _set_tag(registry: _Registry, document: Document, body: Json) -> Json:
    tags = {**(document.body["properties"].get("tags") or {}), _required(body, "key"): str(body.get("value", ""))}
    registry.change(document, tags=tags)
    return {}


def _delete_tag(registry: _Registry, document: Document, body: Json) -> Json:
    key = _required(body, "key")
    tags = {name: value for name, value in (document.body["properties"].get("tags") or {}).items() if name != key}
    registry.change(document, tags=tags)
    return {}


def filtered(shown: list[Json], expression: str) -> list[Json]:
    """Apply MLflow's search filter: comparisons of attributes and tags, joined by AND."""
    tests: list[tuple[str, str, str]] = []
    for clause in re.split(r"(?<!\s)\s+AND\s+", expression, flags=re.IGNORECASE) if expression.strip() else []:
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            raise RegistryError(400, "INVALID_PARAMETER_VALUE", f"Invalid clause in filter string: '{clause}'.")
        tests.append((found[1].replace("`", "").replace('"', ""), found[2].upper(), found[3]))
    kept: list[Json] = []
    left = _MOST_COMPARED
    for entry in shown:
        for key, operator, quoted in tests:
            value = _value(entry, key)
            left -= len(quoted) * (len(str(value)) if operator in ("LIKE", "ILIKE") else 1)
            if left < 0:
                raise RegistryError(
                    400, "INVALID_PARAMETER_VALUE", f"The filter with '{key} {operator}' takes too long: shorten it."
                )
            if not _holds(value, operator, quoted):
                break
        else:
            kept.append(entry)
    return kept


def _value(entry: Json, key: str) -> Any:
    if key.startswith(("tags.", "tag.")):
        tag = key.partition(".")[2]
        return next((item["value"] for item in entry["tags"] if item["key"] == tag), None)
    return entry.get(key.removeprefix("attributes."))


def _holds(value: Any, operator: str, quoted: str) -> bool:
    if operator == "IN":
        return value in [item.strip().strip("'\"") for item in quoted.strip("()").split(",")]
    wanted = quoted[1:-1]
    if operator in ("=", "!="):
        return (str(value) == wanted) is (operator == "=") if value is not None else operator == "!="
    if value is None:
        return False
    # fnmatch matches in a time that is their product. Its own signs stand for themselves.
    pattern = re.sub(r"[][*?]", r"[\g<0>]", wanted).replace("%", "*").replace("_", "?")
    flags = re.IGNORECASE if operator == "ILIKE" else re.NOFLAG
    return re.match(fnmatch.translate(pattern), str(value), flags) is not None


def _most(body: Json) -> int:
    return min(int(body.get("max_results") or _MOST), 200_000)


def _tags(properties: Json) -> list[Json]:
    return [{"key": key, "value": value} for key, value in (properties.get("tags") or {}).items()]


def _given_tags(body: Json) -> dict[str, str]:
    return {_required(tag, "key"): str(tag.get("value", "")) for tag in body.get("tags") or []}


def _milliseconds(stamp: str) -> int:
    return int(dt.datetime.fromisoformat(stamp[:26] + "+00:00").timestamp() * 1000)
