"""Microsoft's lists of operations, read from the clients that Microsoft generates.

A generated client has a class for each group of operations, and a function for each request. Its source is parsed, not
imported: importing every package costs seconds.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amlite import SUBSCRIPTION_ID
from amlite.core.resource_id import ResourceId
from amlite.core.routing import ARM_HOST

MACHINE_LEARNING = "Microsoft.MachineLearningServices"
# The newest API version of the service: more operations than the package on the index, PUBLISHED, has.
_GENERATED = "azure.ai.ml/_restclient/arm_ml_service"
# Deployment templates and other generic assets are in the data plane only, and their client names paths below its own.
_GENERIC_ASSETS = "azure.ai.ml/_restclient/azure_ai_assets_v2024_04_01/azureaiassetsv20240401"
_GENERIC = (
    "/genericasset/v2.0/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/" + MACHINE_LEARNING
)
PUBLISHED = "azure.mgmt.machinelearningservices"
# Provider → the clients that list its operations: a package, and the folder of the client inside it.
OTHERS = {
    "Microsoft.Authorization": ("azure.mgmt.authorization/v2022_04_01",),
    "Microsoft.ContainerRegistry": ("azure.mgmt.containerregistry",),
    "Microsoft.ContainerService": ("azure.mgmt.containerservice",),
    "Microsoft.DataFactory": ("azure.mgmt.datafactory",),
    "Microsoft.Databricks": ("azure.mgmt.databricks",),
    "Microsoft.EventGrid": ("azure.mgmt.eventgrid",),
    "Microsoft.Insights": ("azure.mgmt.applicationinsights/v2020_02_02", "azure.mgmt.monitor"),
    "Microsoft.KeyVault": ("azure.mgmt.keyvault",),
    "Microsoft.KubernetesConfiguration": (
        "azure.mgmt.kubernetesconfiguration/extensions",
        "azure.mgmt.kubernetesconfiguration/fluxconfigurations",
    ),
    "Microsoft.Logic": ("azure.mgmt.logic",),
    "Microsoft.ManagedIdentity": ("azure.mgmt.msi/v2024_11_30",),
    "Microsoft.OperationalInsights": ("azure.mgmt.loganalytics",),
    "Microsoft.Resources": ("azure.mgmt.resource/resources",),
    "Microsoft.Storage": ("azure.mgmt.storage",),
}
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-preview)?")
_BUILDER = re.compile(r"build_\w+_request")
_RESULT = re.compile(r"_models\.(\w+)")
_BODY = re.compile(r"_models\.(\w+).*\bIO\b")
_PARAMETER = re.compile(r"(\{\w+\})")
# Parameters that stand for a whole path.
_SCOPES = ("{scope}", "{resourceUri}", "{resourceId}")
_METHODS = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")


@dataclass(frozen=True, order=True)
class Operation:
    """One operation of one API version, such as `Jobs.cancel`."""

    provider: str
    group: str
    name: str
    method: str
    path: str  # with {parameters}
    version: str
    query: tuple[str, ...]  # the parameters beside the API version
    body: str  # the model of the request's body
    result: str  # the model of the answer, or of each part of a list
    statuses: tuple[int, ...]  # of success

    @property
    def id(self) -> str:
        """What the operation is called among all providers'."""
        return f"{self.provider}/{self.group}.{self.name}"

    @property
    def request(self) -> tuple[str, str]:
        """The method and the path, however its parameters are named."""
        return self.method, _PARAMETER.sub("{}", self.path).lower()

    @property
    def sample(self) -> str:
        """The path with a value for each parameter."""
        path = self.path.replace("{subscriptionId}", SUBSCRIPTION_ID)
        for scope in _SCOPES:
            path = path.replace(f"/{scope}/", f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/sample/")
        return _PARAMETER.sub("sample", path)

    @property
    def host(self) -> str:
        """A host that answers the operation."""
        return "westeurope.api.azureml.ms" if self.path.startswith(_GENERIC) else ARM_HOST

    @property
    def resource_type(self) -> str:
        """The type of the resource that the operation is about; empty for the provider's own operations."""
        if self.group == "Providers":
            return f"{self.provider}/providers"
        found = ResourceId.parse(self.sample)
        if found is None:
            return ""
        segments = found.segments[:-1] if self.method == "POST" and found.is_collection else found.segments
        return ResourceId(found.subscription, found.group, found.namespace, segments).type

    def matches(self, path: str) -> bool:
        """Whether a request of the operation's method with this path is the operation."""
        return _pattern(self.path).fullmatch(path) is not None


def machine_learning() -> list[Operation]:
    """Return the operations of Microsoft.MachineLearningServices: Resource Manager's, and those of generic assets."""
    generic = read(_GENERIC_ASSETS, MACHINE_LEARNING)
    return [*resource_manager(), *(dataclasses.replace(each, path=f"{_GENERIC}{each.path}") for each in generic)]


def resource_manager() -> list[Operation]:
    """Return the operations of Microsoft.MachineLearningServices in Resource Manager."""
    return read(_GENERATED, MACHINE_LEARNING)


def others() -> list[Operation]:
    """Return the operations of the other providers."""
    return [each for provider, clients in OTHERS.items() for client in clients for each in read(client, provider)]


def read(client: str, provider: str) -> list[Operation]:
    """Return the operations of a client in an installed package, in the client's order."""
    package, _, folder = client.partition("/")
    found = importlib.util.find_spec(package)
    assert found is not None, f"{package} is not installed; install the development dependencies"
    assert found.submodule_search_locations
    files = sorted(Path(found.submodule_search_locations[0], folder, "operations").glob("_*operations.py"))
    return [each for file in files for each in _operations(ast.parse(file.read_bytes()), provider)]


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    texts = (
        re.escape(part) if not part.startswith("{") else ".+" if part in _SCOPES else "[^/]+"
        for part in _PARAMETER.split(path.rstrip("/"))
    )
    return re.compile("".join(texts) + "/?", re.IGNORECASE)


def _operations(module: ast.Module, provider: str) -> Iterator[Operation]:
    requests = {
        node.name: _request(node)
        for node in module.body
        if isinstance(node, ast.FunctionDef) and _BUILDER.fullmatch(node.name)
    }
    for group in module.body:
        if isinstance(group, ast.ClassDef):
            functions = [node for node in group.body if isinstance(node, ast.FunctionDef)]
            # What takes long has two functions: `_x_initial` makes the request, `begin_x` says what is returned.
            results = {each.name.removeprefix("begin_"): _model(_RESULT, each.returns) for each in functions}
            for function in functions:
                name = function.name.strip("_").removesuffix("_initial")
                for builder in _builders(function):
                    of = group.name.removesuffix("Operations") or "Operations"
                    yield Operation(
                        provider, of, name, *requests[builder], _body(function), results[name], _statuses(function)
                    )


def _builders(function: ast.FunctionDef) -> list[str]:
    """Return the functions that an operation makes its request with; the pages of a list share one."""
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    names = (called.id for called in calls if isinstance(called, ast.Name) and _BUILDER.fullmatch(called.id))
    return list(dict.fromkeys(names))


def _body(function: ast.FunctionDef) -> str:
    models = (_model(_BODY, argument.annotation) for argument in function.args.args)
    return next(filter(None, models), "")


def _statuses(function: ast.FunctionDef) -> tuple[int, ...]:
    """Return the statuses that a client takes for success: `if response.status_code not in [200, 202]`."""
    tests = [
        node for node in ast.walk(function) if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn)
    ]
    accepted = (node.comparators[0] for node in tests if ast.unparse(node.left) == "response.status_code")
    return tuple(status for each in accepted for status in ast.literal_eval(each))


def _model(pattern: re.Pattern[str], annotation: ast.expr | None) -> str:
    found = pattern.search(ast.unparse(annotation)) if annotation is not None else None
    return found[1] if found else ""


def _request(function: ast.FunctionDef) -> tuple[str, str, str, tuple[str, ...]]:
    """Return (method, path, API version, query parameters)."""
    constants = (node.value for node in ast.walk(function) if isinstance(node, ast.Constant))
    texts = [value for value in constants if isinstance(value, str)]
    query = (
        ast.literal_eval(node.slice)
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "_params" and isinstance(node.ctx, ast.Store)
    )
    return (
        next(text for text in texts if text in _METHODS),
        next(text for text in texts if text.startswith("/")),
        next((text for text in texts if _VERSION.fullmatch(text)), ""),
        tuple(name for name in query if name != "api-version"),
    )
