"""The API server of each cluster, at the host name in its kubeconfig."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from aiohttp import web

from amlite.core import bodies
from amlite.core.routing import Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.containerservice import clusters
from amlite.services.containerservice.clusters import User
from amlite.services.kubernetes import objects as operations
from amlite.services.kubernetes import real, workloads
from amlite.services.kubernetes.errors import KubernetesError, invalid, refusal
from amlite.services.kubernetes.kinds import KINDS, SERVICE_ACCOUNT, Kind
from amlite.services.kubernetes.objects import Request
from amlite.services.kubernetes.storage import Key, Objects

routes = Routes(f"*{clusters.API_SUFFIX}", audiences=None, error=refusal)
real_routes = Routes(f"*{clusters.API_SUFFIX}", audiences=None, error=refusal, only=real.serves)
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[a-z0-9.]+))/v1(?:/namespaces/(?P<namespace>[^/]+)(?=/[a-z]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+)(?:/(?P<sub>[a-z]+))?)?"
)
_APPLY = "application/apply-patch+yaml"
_VERBS = ["create", "delete", "get", "list", "patch"]


@dataclass(frozen=True)
class _Target:
    """What a path names: a kind, its namespace, an object and a subresource of it."""

    kind: Kind
    namespace: str | None
    name: str | None
    sub: str | None

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name or "", self.namespace)


@real_routes.route("*", "/{path:path}")
async def forward(call: Call) -> web.StreamResponse:
    """Relay a request to a real API server."""
    document = clusters.of_host(call.platform, call.host)
    if document is None:
        raise KubernetesError(404, "NotFound", f"There is no cluster at {call.host}.")
    return await real.forward(call.platform, call.request, document.id)


@routes.get("/version")
async def version(call: Call) -> web.Response:
    """Return the version of Kubernetes."""
    found = _objects(call).version
    major, minor, _ = found.split(".")
    return reply({"major": major, "minor": minor, "gitVersion": f"v{found}", "platform": "linux/amd64"})


@routes.get("/{check}")
async def check(call: Call) -> web.StreamResponse:
    """Answer the health checks."""
    if call.parameters["check"] in ("healthz", "livez", "readyz"):
        _objects(call)
        return web.Response(text="ok")
    return await answer(call)


@routes.get("/api")
async def core_versions(call: Call) -> web.Response:
    """List the versions of the core group."""
    _objects(call)
    return reply({"kind": "APIVersions", "versions": ["v1"]})


@routes.get("/apis")
async def groups(call: Call) -> web.Response:
    """List the other groups."""
    _objects(call)
    names = sorted({kind.group for kind in KINDS if kind.group})
    found = [{"groupVersion": f"{name}/v1", "version": "v1"} for name in names]
    listed = [
        {"name": name, "versions": [each], "preferredVersion": each} for name, each in zip(names, found, strict=True)
    ]
    return reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})


@routes.get("/api/v1")
async def core_resources(call: Call) -> web.Response:
    """List the resources of the core group."""
    return _resources(call, "")


@routes.get("/apis/{group}/v1")
async def group_resources(call: Call) -> web.Response:
    """List the resources of another group."""
    return _resources(call, call.parameters["group"])


@routes.route("*", "/{path:path}")
async def answer(call: Call) -> web.Response:
    """Serve objects of all kinds."""
    objects = _objects(call)
    target = _target(call.path)
    if target.sub is not None:
        return await _subresource(call, objects, target)
    if target.name is None:
        return await _collection(call, objects, target)
    request = _request(call)
    match call.method:
        case "GET":
            return reply(operations.found(objects, target.key))
        case "PATCH" if target.kind.writable:
            return await _patch(call, objects, target, request)
        case "DELETE" if target.kind.writable:
            return reply(operations.delete(objects, target.key, request))
    raise _not_allowed()


async def _collection(call: Call, objects: Objects, target: _Target) -> web.Response:
    if call.method == "GET":
        if (
            call.query.get("watch") in ("1", "true")
            or call.query.get("labelSelector")
            or call.query.get("fieldSelector")
        ):
            raise KubernetesError(400, "BadRequest", "amlite's API server has no watches and no selectors")
        items = objects.list(target.kind, target.namespace)
        kind = f"{target.kind.name}List"
        return reply({"kind": kind, "apiVersion": target.kind.api_version, "metadata": {}, "items": items})
    if call.method == "POST" and target.kind.writable:
        wanted = await _body(call)
        metadata = wanted.get("metadata") or {}
        if not (metadata.get("name") or metadata.get("generateName")):
            told = "metadata.name: Required value: name or generateName is required"
            raise invalid(target.kind.name, "", told)
        name = metadata.get("name") or f"{metadata.get('generateName', '')}{secrets.token_hex(3)[:5]}"
        namespace = (target.namespace or metadata.get("namespace")) if target.kind.namespaced else None
        key = Key(target.kind, str(name), namespace)
        return reply(operations.create(objects, key, wanted, _request(call)), 201)
    raise _not_allowed()


async def _patch(call: Call, objects: Objects, target: _Target, request: Request) -> web.Response:
    if call.request.content_type != _APPLY:
        raise KubernetesError(
            415,
            "UnsupportedMediaType",
            f"the body of the request was in an unknown format - accepted media types include: {_APPLY}",
        )
    if "fieldManager" not in call.query:
        raise KubernetesError(
            422,
            "Invalid",
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        )
    there = objects.get(target.key) is not None
    return reply(operations.applied(objects, target.key, await _body(call), request), 200 if there else 201)


async def _subresource(call: Call, objects: Objects, target: _Target) -> web.Response:
    if (call.method, target.kind, target.sub) == ("POST", SERVICE_ACCOUNT, "token"):
        body = await _body(call)
        made = workloads.token(call.platform, objects.cluster, target.namespace or "", target.name or "", body)
        return reply(made, 201)
    raise _no_resource()


def _objects(call: Call) -> Objects:
    document = clusters.of_host(call.platform, call.host)
    if document is None:
        raise KubernetesError(404, "NotFound", f"There is no cluster at {call.host}.")
    _check(call, document.id)
    return Objects(call.platform, document.id)


def _check(call: Call, cluster: str) -> None:
    """Raise the API server's 401 unless the request has a token of the cluster's credentials."""
    shown = (call.bearer or "").encode()
    if not any(secrets.compare_digest(shown, clusters.token(call.platform, cluster, user).encode()) for user in User):
        raise KubernetesError(401, "Unauthorized", "Unauthorized")


def _target(path: str) -> _Target:
    found = _PATH.fullmatch(path)
    if found is None:
        raise _no_resource()
    namespace, plural, name = found["namespace"], found["plural"], found["name"]
    kind = next((each for each in KINDS if (each.group, each.plural) == (found["group"] or "", plural)), None)
    # A list of a kind with namespaces may be of all of them. Everything else is in one, or in none.
    fits = kind is not None and (kind.namespaced if namespace else not (kind.namespaced and name))
    if kind is None or not fits:
        raise _no_resource()
    return _Target(kind, namespace, name, found["sub"])


def _request(call: Call) -> Request:
    agent = call.request.headers.get("User-Agent", "").partition("/")[0]
    return Request(
        manager=call.query.get("fieldManager") or agent or "unknown",
        dry=call.query.get("dryRun") == "All",
        force=call.query.get("force") == "true",
        strict=call.query.get("fieldValidation", "Strict") == "Strict",
    )


async def _body(call: Call) -> Json:
    raw = await call.read()
    try:
        return bodies.parse_yaml_object(raw) if call.request.content_type == _APPLY else bodies.parse_object(raw)
    except ValueError as error:
        raise KubernetesError(400, "BadRequest", f"the body cannot be read: {error}") from error


def _resources(call: Call, group: str) -> web.Response:
    _objects(call)
    kinds = [kind for kind in KINDS if kind.group == group]
    if not kinds:
        raise _no_resource()
    listed = [
        {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": _VERBS if kind.writable else ["get", "list"],
        }
        for kind in kinds
    ]
    version = kinds[0].api_version
    return reply({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed})


def _no_resource() -> KubernetesError:
    return KubernetesError(404, "NotFound", "the server could not find the requested resource")


def _not_allowed() -> KubernetesError:
    return KubernetesError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
