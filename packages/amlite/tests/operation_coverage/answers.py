"""What in amlite answers an operation, read from amlite's own tables: its routes and its resource types."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.service_list import SERVICES
from amlite.services.arm import routes as arm
from operation_coverage.operations import Operation

# Asked only where a table is narrowed to some of its hosts, which none of Resource Manager is.
_PLATFORM = cast("Platform", None)
# Tokens of a list's next page. A list that has one page gives none to continue from.
_CONTINUATIONS = frozenset({"$skip", "$skiptoken", "continuationtoken"})
# How amlite's functions read a query parameter.
_QUERY = re.compile(r"""\bquery(?:\.get\(|\[)"([^"]+)"|"([^"]+)" in (?:call\.)?query\b|\bnumber\("([^"]+)\"""")


@dataclass(frozen=True)
class Answer:
    """The service that answers an operation, and what the way that it answers leaves out."""

    service: str
    lacks: tuple[str, ...] = ()


def find(operation: Operation) -> Answer | None:
    """Return what answers an operation, or None."""
    found = SERVICES.router.find(_PLATFORM, operation.method, operation.host, operation.sample)
    handler = found[0].handler if found else None
    if handler is not None and handler is not arm.resource:
        return Answer(_service(handler), _ignored(operation, handler))
    kind = SERVICES.types.get(operation.resource_type.lower())
    return _kept(operation, kind) if kind is not None else None


def _kept(operation: Operation, kind: ResourceType) -> Answer | None:
    """Return what Resource Manager does with a resource of a service, and with the service's own actions on it."""
    id = ResourceId.of(operation.sample)
    if operation.method == "POST":
        action = (kind.actions or {}).get(id.segments[-1].lower()) if id.is_collection else None
        return Answer(_service(action)) if action else None
    if id.is_collection and operation.method != "GET":
        return None
    ignored = _ignored(operation, arm.resource, *([kind.listed] if kind.listed else []))
    if hook := kind.prepare or kind.created:
        return Answer(_service(hook), ignored)
    return Answer("arm", ("only kept: no service checks it or acts on it", *ignored))


def _service(function: Callable[..., Any]) -> str:
    return function.__module__.removeprefix("amlite.services.").partition(".")[0]


def _ignored(operation: Operation, *handlers: Callable[..., Any]) -> tuple[str, ...]:
    """Name the query parameters that neither the functions read nor anything that they call."""
    known = _CONTINUATIONS.union(*map(_read_queries, handlers))
    kind = SERVICES.types.get(operation.resource_type.lower())
    if kind is not None and operation.method == "DELETE":
        known |= {kind.purges_by.lower()}
    ignored = [name for name in operation.query if name.lower() not in known]
    return (f"ignores {', '.join(f'`{name}`' for name in ignored)}",) if ignored else ()


@functools.cache
def _read_queries(handler: Callable[..., Any]) -> frozenset[str]:
    """Return the query parameters, in lower case, that a function and amlite's functions below it read."""
    assert isinstance(handler, FunctionType)
    waiting, seen = [handler], {handler}
    found = set[str]()
    while waiting:
        function = waiting.pop()
        for match in _QUERY.finditer(inspect.getsource(function)):
            found.add((match[1] or match[2] or match[3]).lower())
        called = set(_called(function)) - seen
        seen |= called
        waiting += called
    return frozenset(found)


def _called(function: FunctionType) -> Iterator[FunctionType]:
    """Yield amlite's functions that a function names, alone or as `module.function`."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    values = [function.__globals__[name] for name in names if name in function.__globals__]
    modules = [value for value in values if isinstance(value, ModuleType)]
    values += [getattr(module, name) for module in modules for name in names if hasattr(module, name)]
    yield from (each for each in values if isinstance(each, FunctionType) and each.__module__.startswith("amlite."))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)
