"""What there is to attack: a resource of each type, the host and the token of each surface, and valid requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import amlite
from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.core.routing import Route
from amlite.service_list import SERVICES
from amlite.testing import LocalAzure, Workspace

Json = dict[str, Any]
# Valid bodies, which the fuzzing changes: by resource type (with names and API version, in the order of creation), by
# path below the workspace, by the end of a route's path, by name of a schedule, and by path in a cluster. `{name}` is
# a name of the world.
_VALID: dict[str, Any] = json.loads(Path(__file__).with_name("bodies.json").read_text("utf-8"))
BODIES: dict[str, tuple[str, str, Json]] = _VALID["resources"]
ASSETS, REQUESTS, KUBERNETES = _VALID["assets"], _VALID["requests"], _VALID["kubernetes"]
SCHEDULES: dict[str, Json] = _VALID["schedules"]
ARM = "management.azure.com"
VERSION = "2024-04-01"
# To create them takes a model that serves, or what they install in a cluster.
_NOT_MADE = ("Microsoft.Insights/autoscaleSettings", "Microsoft.KubernetesConfiguration/")
_METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")
_QUERY = re.compile(r"""\bquery(?:\.get\(|\[)"([^"]+)"|"([^"]+)" in (?:call\.)?query\b|\bnumber\("([^"]+)\"""")
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


@dataclass(frozen=True)
class Target:
    """A route or a resource type: the surface for the table, methods, host, path with parameters, token, and a body."""

    surface: str
    methods: tuple[str, ...]
    host: str
    path: str
    token: str
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class World:
    """The targets, and the values that make a path name what exists."""

    targets: tuple[Target, ...]
    names: Mapping[str, str]
    parameters: tuple[str, ...]


def create(azure: LocalAzure) -> World:
    """Create a resource of each type, and return what there is to attack."""
    workspace = Workspace.create(azure, "mlw-fuzz", resource_group="rg-fuzz")
    group = workspace.layout.group_id
    made = dict(_names(workspace))
    refused = []
    for kind, (name, version, body) in BODIES.items():
        if kind.startswith(_NOT_MADE):
            continue
        path = _path(group, kind, name, made)
        answer = azure.arm("PUT", path, _filled(body, made), version)
        if answer.status_code >= 300:
            refused.append(f"{path}: {answer.status_code} {answer.text}")
        else:
            azure.finish(answer)
    for path, body in ASSETS.items():
        answer = azure.arm("PUT", f"{workspace.id}/{path}", _filled(body, made))
        if answer.status_code >= 300:
            refused.append(f"{path}: {answer.status_code} {answer.text}")
    if refused:
        raise AssertionError("\n".join(refused))
    bricks = azure.arm(
        "GET", f"{group}/providers/Microsoft.Databricks/workspaces/dbw-fuzz", version="2024-05-01"
    ).json()
    made["bricks"] = str(bricks["properties"]["workspaceUrl"])
    cluster = azure.arm("GET", f"{group}/providers/Microsoft.ContainerService/managedClusters/aks-fuzz").json()
    made["cluster"] = str(cluster["properties"]["fqdn"])
    targets = [*_types(group, made), *_routes(made), *_others(made)]
    return World(tuple(targets), made, _query_parameters())


def _names(workspace: Workspace) -> Mapping[str, str]:
    layout = workspace.layout
    return {
        "tenant": TENANT_ID,
        "subscription": SUBSCRIPTION_ID,
        "group": layout.resource_group,
        "workspace": layout.name,
        "workspaceId": layout.id,
        "location": layout.location,
        "account": layout.storage_account,
        "vault": layout.key_vault,
        "acr": layout.container_registry,
        "registry": "shared-fuzz",
        "factory": "adf-fuzz",
        "pipeline": "work",
        "trigger": "nightly",
        "workflow": "logic-fuzz",
        "queue": "start",
        "filesystem": "lake",
        "endpoint": "fuzz-online",
        "compute": "cpu",
        "name": "thing",
        "version": "1",
        "api": "2.0",
        "by": "experiments",
        "experiment": "Default",
        "origin": "ExperimentRun",
        "container": "dcid.none",
        "role": "0" * 8 + "-0000-0000-0000-000000000000",
        "secret": "thing",
        "check": "readyz",
    }


def _types(group: str, made: Mapping[str, str]) -> list[Target]:
    found = []
    for kind in SERVICES.types.values():
        name, version, body = BODIES.get(
            kind.name, ("/".join(["thing"] * kind.name.count("/")), VERSION, {"properties": {}})
        )
        path, surface = _path(group, kind.name, name, made), kind.name.partition("/")[0]
        token, query = f"https://{ARM}", {"api-version": version}
        body = _filled(body, made)
        # What exists stays: only a copy is deleted.
        found.append(Target(surface, ("PUT", "PUT", "PATCH", "GET"), ARM, path, token, body, query))
        found.append(Target(surface, ("PUT", "DELETE"), ARM, f"{path}x", token, body, query))
        found.append(Target(surface, ("GET", "POST"), ARM, path.rpartition("/")[0], token, body, query))
        for action in kind.actions or ():
            given = REQUESTS.get(action, {})
            found.append(Target(surface, ("POST",), ARM, f"{path}/{action}", token, given, query))
    return found


def _routes(made: Mapping[str, str]) -> list[Target]:
    entries = [entry.route for place in SERVICES.router._places for entry in place.entries]
    return [target for route in entries if (target := _target(route, made)) is not None]


def _target(route: Route, made: Mapping[str, str]) -> Target | None:
    host = _host(route.table.host, made)
    body = next((given for end, given in REQUESTS.items() if route.path.lower().endswith(end)), {})
    if host is None or (route.path == "/{path:path}" and host != made["bricks"]):
        return None
    if route.method == "DELETE" and route.path.count("{") <= 2:
        return None  # a group or an account with all that is in it
    if host == "control.amlite.internal" and route.path.startswith("/docker"):
        return None  # they start a Docker engine
    audiences = sorted(route.table.audiences or ())
    token = audiences[0] if audiences else _audience(host)
    surface = route.table.host if host != ARM else f"{ARM} {_namespace(route.path)}"
    query = {"api-version": VERSION} if audiences else {}
    methods = _METHODS if route.method == "*" else (route.method,)
    return Target(surface, methods, host, route.path, token, _filled(body, made), query)


def _others(made: Mapping[str, str]) -> list[Target]:
    """Return the paths below the routes that take any path."""
    storage, blob, dfs = (
        "https://storage.azure.com",
        f"{made['account']}.blob.core.windows.net",
        "*.blob.core.windows.net",
    )
    queries: list[Mapping[str, str]] = [
        {}, {"comp": "list"}, {"restype": "container"}, {"comp": "block", "blockid": "QUFB"}, {"comp": "blocklist"},
        {"comp": "batch"}, {"comp": "metadata"}, {"comp": "appendblock"}, {"restype": "container", "comp": "list"},
    ]  # fmt: skip
    found = [
        Target(dfs, _METHODS, blob, f"/{path}", storage, {}, query)
        for path in ("", "lake", "lake/a/b")
        for query in queries
    ]
    acr = f"{made['acr']}.azurecr.io"
    found += [
        Target("*.azurecr.io", _METHODS, acr, path, "acr", {})
        for path in (
            "/v2/",
            "/v2/_catalog",
            "/v2/a/tags/list",
            "/v2/a/manifests/1",
            "/v2/a/blobs/uploads/",
            "/v2/a/blobs/x",
        )
    ]
    found += [
        Target(
            "*.inference.ml.azure.com",
            _METHODS,
            f"fuzz-online.{made['location']}.inference.ml.azure.com",
            path,
            "key",
            {},
        )
        for path in ("/score", "/", "/swagger.json")
    ]
    schedules, query = f"{made['workspaceId']}/schedules", {"api-version": VERSION}
    found += [
        Target("Microsoft.MachineLearningServices", ("PUT",), ARM, f"{schedules}/{name}", f"https://{ARM}", body, query)
        for name, body in SCHEDULES.items()
    ]
    found += [
        Target("*.azmk8s.io", _METHODS, made["cluster"], path, "6dae42f8-4368-4678-94ff-3960e28e3630", body)
        for path, body in KUBERNETES.items()
    ]
    return found


def _host(pattern: str, made: Mapping[str, str]) -> str | None:
    account = made["account"]
    known = {
        "*.blob.core.windows.net": f"{account}.blob.core.windows.net",
        "*.dfs.core.windows.net": f"{account}.dfs.core.windows.net",
        "*.queue.core.windows.net": f"{account}.queue.core.windows.net",
        "*.vault.azure.net": f"{made['vault']}.vault.azure.net",
        "*.azurecr.io": f"{made['acr']}.azurecr.io",
        "*.api.azureml.ms": f"{made['location']}.api.azureml.ms",
        "*.azuredatabricks.net": made["bricks"],
        "*.inference.ml.azure.com": f"fuzz-online.{made['location']}.inference.ml.azure.com",
        "*.azmk8s.io": made["cluster"],
    }
    return known.get(pattern) or (pattern if "*" not in pattern else None)


def _audience(host: str) -> str:
    if "core.windows.net" in host:
        return "https://storage.azure.com"
    if "vault" in host:
        return "https://vault.azure.net"
    return "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d" if "databricks" in host else f"https://{ARM}"


def _namespace(path: str) -> str:
    found = re.search(r"/providers/(Microsoft\.\w+)", path)
    return found[1] if found else "Microsoft.Resources"


def _path(group: str, kind: str, name: str, made: Mapping[str, str]) -> str:
    namespace, *types = kind.split("/")
    if namespace == "Microsoft.KubernetesConfiguration":
        group = f"{group}/providers/Microsoft.ContainerService/managedClusters/aks-fuzz"
    names = name.format(**made).split("/")
    return f"{group}/providers/{namespace}/" + "/".join(f"{a}/{b}" for a, b in zip(types, names, strict=True))


def _filled(body: Any, made: Mapping[str, str]) -> Any:
    if isinstance(body, str):
        return _PARAMETER.sub(lambda match: made.get(match[1], match[0]), body)
    if isinstance(body, list):
        return [_filled(item, made) for item in body]
    return {_filled(key, made): _filled(item, made) for key, item in body.items()} if isinstance(body, dict) else body


def _query_parameters() -> tuple[str, ...]:
    """Return the query parameters that amlite's source reads."""
    files = Path(amlite.__file__).parent.rglob("*.py")
    found = {name for file in files for pair in _QUERY.findall(file.read_text("utf-8")) for name in pair if name}
    return tuple(sorted(found | {"$skip", "$top", "$skipToken", "limit", "page_token", "offset"}))
