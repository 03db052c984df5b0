"""Templates of Resource Manager: their parameters and variables, and the resources that they describe.

Sources: "Understand the structure and syntax of ARM templates", "ARM template functions", and the templates that
azure-ai-ml deploys.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.core import expressions
from amlite.core.errors import AzureError
from amlite.core.expressions import FUNCTIONS, ExpressionError, Functions, Lazy
from amlite.core.published import fields
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json

NESTED = "Microsoft.Resources/deployments"
_FIELDS = {
    "parameters": "map:map:any", "variables": "map:any", "outputs": "map:map:any", "resources": "list:map:any",
}  # fmt: skip
_RESOURCE = {"type": "str", "name": "str", "scope": "str", "dependsOn": "list:str", "resources": "list:map:any"}
_CONTROL = ("apiVersion", "comments", "condition", "dependsOn", "metadata", "name", "resources", "scope", "type")
_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")  # of the template function guid
# What clients of Azure ML do not send, and a template may have.
_REFUSED = ("extensions", "functions", "imports", "languageVersion", "types")
_BOUNDS: Mapping[str, tuple[str, Callable[[Any, int], bool]]] = {
    "minLength": ("Length of the value should be greater than or equal to", lambda value, most: len(value) >= most),
    "maxLength": ("Length of the value should be less than or equal to", lambda value, most: len(value) <= most),
    "minValue": ("The value should be greater than or equal to", lambda value, most: value >= most),
    "maxValue": ("The value should be less than or equal to", lambda value, most: value <= most),
}
_INSERTED = re.compile(r"\{(\d{1,4})\}|\{\{|\}\}|[{}]")
_SECURE = ("securestring", "secureobject")
# Source: "Template limits" of "Best practices for templates".
_LIMITS = {"parameters": 256, "variables": 256, "resources": 800, "outputs": 64}
_SHARED = (
    *("add", "and", "base64ToString", "bool", "coalesce", "contains", "createArray", "div", "empty", "endsWith"),
    *("equals", "first", "greater", "greaterOrEquals", "int", "json", "last", "length", "less", "lessOrEquals", "mul"),
    *("not", "or", "replace", "split", "startsWith", "string", "sub", "toLower", "toUpper", "trim"),
)
_TYPES: Mapping[str, type] = {
    "array": list, "bool": bool, "int": int, "object": dict, "secureobject": dict, "securestring": str, "string": str,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a template is deployed."""

    subscription: str
    group: Json

    @property
    def path(self) -> str:
        """The id of the resource group."""
        return str(self.group["id"])


@dataclass(frozen=True)
class Described:
    """A resource that a template describes: its id, what it waits for, and its body with expressions.

    It is deployed only if its condition is true.
    """

    id: ResourceId
    after: tuple[str, ...]
    body: Json
    deployed: bool = True


@dataclass
class Template:
    """A template with the values of its parameters. `referenced` returns a resource for the function `reference`."""

    source: Json
    given: Mapping[str, Any]
    place: Place
    deployment: str
    now: str
    referenced: Callable[[ResourceId], Json]
    _open: list[str] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)
    _variables: dict[str, Any] = field(default_factory=dict)
    _named: dict[str, ResourceId] = field(default_factory=dict)

    @cached_property
    def _given(self) -> Mapping[str, Any]:
        """The given parameters by their names in lower case. Of two, the first one counts."""
        return {name.lower(): value for name, value in reversed([*self.given.items()])}

    @cached_property
    def _declared(self) -> Mapping[str, Mapping[str, tuple[str, Any]]]:
        """The parameters and the variables by their names in lower case, each with its name as declared."""
        return {
            part: {name.lower(): (name, value) for name, value in reversed([*(self.source.get(part) or {}).items()])}
            for part in ("parameters", "variables")
        }

    @cached_property
    def functions(self) -> Functions:
        """The functions of the template language that are here."""
        group = self.place.group
        return {
            **{name: FUNCTIONS[name] for name in _SHARED},
            "array": lambda value: value if isinstance(value, list) else [value],
            "concat": _concat,
            "createObject": lambda *pairs: dict(zip(pairs[::2], pairs[1::2], strict=True)),
            "deployment": lambda: {"name": self.deployment},
            "format": _format,
            "guid": lambda *texts: str(uuid.uuid5(_NAMESPACE, "-".join(texts))),
            "if": Lazy(lambda condition, yes, no: yes() if condition() else no()),
            "join": _join,
            "newGuid": lambda: str(uuid.uuid4()),
            "parameters": self.parameter,
            "reference": self._reference,
            "resourceGroup": lambda: group,
            "resourceId": self._resource_id,
            "subscription": lambda: {
                "id": f"/subscriptions/{SUBSCRIPTION_ID}", "subscriptionId": SUBSCRIPTION_ID, "tenantId": TENANT_ID,
            },
            "subscriptionResourceId": lambda kind, *names: _path(f"/subscriptions/{SUBSCRIPTION_ID}", kind, names),
            "substring": lambda text, start, count=None: text[start:][:count],
            "tenant": lambda: {"tenantId": TENANT_ID},
            "union": _union,
            "uniqueString": _unique,
            "utcNow": lambda *_format: self.now,
            "variables": self.variable,
        }  # fmt: skip

    def check(self) -> None:
        """Raise ARM's 400 for what is wrong with the template or its parameters."""
        self.source = fields(self.source, _FIELDS, invalid)
        refused = [name for name in _REFUSED if self.source.get(name)]
        refused += [
            f"copy' in '{part}" for part in ("variables", "outputs", "resources") if _has_copy(self.source, part)
        ]
        if refused or not isinstance(self.source.get("resources"), list):
            raise invalid(f"'{refused[0]}' is not part of this local Azure" if refused else "it has no resources")
        for part, most in _LIMITS.items():
            check_count(part, len(self.source.get(part) or ()), most)
        known = self.source.get("parameters") or {}
        lowered = {name.lower() for name in known}
        if unknown := [name for name in self.given if name.lower() not in lowered]:
            raise invalid(
                f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; they are not "
                "present in the original template and can therefore not be provided at deployment time. The only "
                f"supported parameters for this template are '{', '.join(known)}'"
            )
        for name in known:
            self.parameter(name)

    def parameter(self, name: str) -> Any:
        """Return the value of a parameter. ARM's AzureError 400 without one, and for one that is not allowed."""
        name, declared = self._entry("parameters", name)
        if name not in self._values:  # once, because a default value may be `newGuid()`
            self._values[name] = self._parameter(name, declared)
        return self._values[name]

    def resolved(self) -> Json:
        """Return the values of all parameters, in the form in which a deployment gets them."""
        names = self.source.get("parameters") or {}
        return {name: {"value": value} for name in names if (value := self.parameter(name)) is not None}

    def _parameter(self, name: str, declared: Json) -> Any:
        given: Any = self._given.get(name.lower(), {})
        if not isinstance(given, dict) or (given and "value" not in given):
            raise invalid(f"The value for the template parameter '{name}' must be an object with a 'value'")
        value = given.get("value")
        if value is None and "defaultValue" not in declared:  # null stands for no value
            raise invalid(f"The value for the template parameter '{name}' is not provided")
        value = self._guarded(f"parameter {name}", declared["defaultValue"]) if value is None else value
        kind = str(declared.get("type")).lower()
        if value is not None and (kind not in _TYPES or not _is(value, _TYPES[kind])):
            raise invalid(
                f"Template parameter JToken type is not valid: '{name}' is of type '{declared.get('type')}', not "
                f"{type(value).__name__}"
            )
        allowed = declared.get("allowedValues")
        if allowed is not None and value not in allowed:
            shown = "***" if kind in _SECURE else value
            raise invalid(
                f"The provided value '{shown}' for the template parameter '{name}' is not valid. The value '{shown}' "
                f"is not part of the allowed value(s): '{','.join(map(str, allowed))}'"
            )
        for bound, (said, holds) in _BOUNDS.items():
            if bound in declared and value is not None and not _holds(holds, value, declared[bound]):
                raise invalid(
                    f"The provided value for the template parameter '{name}' is not valid. {said} '{declared[bound]}'"
                )
        return value

    def shown_parameters(self) -> Json:
        """Return the parameters as a deployment shows them: without the values of secure ones."""
        shown: Json = {}
        for name, declared in (self.source.get("parameters") or {}).items():
            secure = str(declared.get("type")).lower() in _SECURE
            shown[name] = {"type": declared.get("type"), **({} if secure else {"value": self.parameter(name)})}
        return shown

    def variable(self, name: str) -> Any:
        """Return the value of a variable."""
        name, source = self._entry("variables", name)
        if name not in self._variables:  # once: variables that use each other would be evaluated exponentially often
            self._variables[name] = self._guarded(f"variable {name}", source)
        return self._variables[name]

    def noting(self, note: Callable[[ResourceId], Json]) -> Template:
        """Return this template with another function `reference`, and so without what was evaluated."""
        return replace(self, referenced=note, _variables={})

    def outputs(self) -> Json:
        """Return the outputs whose condition is true. Those of secure types have no value, as readers see them."""
        found: Json = {}
        for name, each in (self.source.get("outputs") or {}).items():
            if not self.value(each.get("condition", True)):
                continue
            value = self.value(each.get("value"))
            secure = str(each.get("type")).lower() in _SECURE
            found[name] = {"type": each.get("type"), **({} if secure else {"value": value})}
        return found

    def value(self, source: Any) -> Any:
        """Return a value with its expressions evaluated. AzureError 400 for an expression that cannot be."""
        if isinstance(source, dict):
            return {str(self.value(key)): self.value(each) for key, each in source.items()}
        if isinstance(source, list):
            return [self.value(each) for each in source]
        if not isinstance(source, str) or not source.startswith("["):
            return source
        if source.startswith("[["):
            return source[1:]
        if not source.endswith("]"):
            return source
        try:
            return expressions.result(source[1:-1], self.functions)
        except ExpressionError as error:
            raise invalid(f"The template language: {error}") from error
        except RecursionError as error:
            raise invalid("The template language: an expression is nested too deeply") from error

    def resources(self) -> list[Described]:
        """Return the resources, those inside other ones included."""
        return [described for each in self.source["resources"] for described in self._described(each, "", "")]

    def _described(self, source: Any, kinds: str, names: str) -> Iterator[Described]:
        source = fields(source, _RESOURCE, invalid)
        if not source.get("type") or not source.get("name"):
            raise invalid("Each of its resources must have a 'type', a 'name' and an 'apiVersion'")
        kind, name = f"{kinds}{source['type']}", f"{names}{self.value(source['name'])}"
        for child in source.get("resources") or []:
            yield from self._described(child, f"{kind}/", f"{name}/")
        deployed = bool(self.value(source.get("condition", True)))
        scope = str(self.value(source["scope"])) if source.get("scope") and deployed else self.place.path
        place = scope if scope.startswith("/") else f"{self.place.path}/providers/{scope}"
        after = tuple(str(self.value(each)).lower() for each in source.get("dependsOn") or [])
        body = {key: each for key, each in source.items() if key not in _CONTROL}
        yield Described(ResourceId.of(_path(place, kind, name.split("/"))), after, body, deployed)

    def _entry(self, part: str, name: str) -> tuple[str, Any]:
        found = self._declared[part].get(name.lower())
        if found is None:
            raise ExpressionError(f"refers to the template {part.removesuffix('s')} '{name}', which is not found")
        return found

    def _guarded(self, what: str, source: Any) -> Any:
        if what in self._open:
            raise invalid(f"The {what} refers to itself")
        self._open.append(what)
        try:
            return self.value(source)
        finally:
            self._open.pop()

    def _resource_id(self, *given: str) -> str:
        """Return the id of `[subscription,] [group,] type, names…`."""
        at = next((index for index, each in enumerate(given) if "/" in each), -1)
        if at not in (0, 1, 2):
            raise ValueError("its arguments have no resource type")
        base = self.place.path
        if at:
            subscription = given[0] if at == 2 else self.place.subscription
            base = f"/subscriptions/{subscription}/resourceGroups/{given[at - 1]}"
        return _path(base, given[at], given[at + 1 :])

    def _reference(self, target: str, _version: str = "", full: str = "") -> Any:
        id = ResourceId.parse(target) if target.startswith("/") else None
        if id is None:
            if not self._named:  # once, and for each `noting` too: it needs all resources
                self._named |= {each.id.name.lower(): each.id for each in reversed(self.resources())}
            id = self._named.get(target.rpartition("/")[2].lower())
        if id is None:
            raise ExpressionError(f"refers to '{target}', which the template does not define")
        found = self.referenced(id)
        return found if full.lower() == "full" else found["properties"]


def _has_copy(source: Json, part: str) -> bool:
    """Whether a part of a template has a loop, at any depth."""
    waiting: list[Any] = [source.get(part)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if any(str(key).lower() == "copy" for key in each):
                return True
            # Nested templates are checked on their own.
            waiting += [value for key, value in each.items() if key != "template"]
        elif isinstance(each, list):
            waiting += each
    return False


def _holds(holds: Callable[[Any, int], bool], value: Any, bound: Any) -> bool:
    try:
        return holds(value, bound)
    except TypeError:
        return False


def check_count(part: str, count: int, most: int = _LIMITS["resources"]) -> None:
    """Raise ARM's error for a template with more parts of a kind than it may have."""
    if count > most:
        raise invalid(f"The number of template {part} limit exceeded. Limit: '{most}' and actual: '{count}'")


def invalid(what: str) -> AzureError:
    """Return ARM's error for a template that it refuses."""
    return AzureError(400, "InvalidTemplate", f"Deployment template validation failed: '{what.rstrip('.')}.'.")


def _path(base: str, kind: str, names: Any) -> str:
    namespace, *kinds = kind.split("/")
    given = [str(name) for name in names]
    if len(kinds) != len(given):
        raise invalid(
            f"The template resource '{'/'.join(given)}' of type '{kind}' has incorrect segment lengths: a name has one "
            "segment less than its type"
        )
    inner = "/".join(f"{key}/{name}" for key, name in zip(kinds, given, strict=True))
    return f"{base}/providers/{namespace}/{inner}"


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _concat(*values: Any) -> Any:
    if values and isinstance(values[0], list):
        return [each for value in values for each in value]
    return expressions.joined(expressions.text_of(value) for value in values)


def _format(text: str, *values: Any) -> str:
    """Insert values, by their numbers alone: `format` of Python would read any attribute of a value, and so amlite."""

    def inserted(found: re.Match[str]) -> str:
        if found[1] is None and len(found[0]) == 1:
            raise ValueError(f"'{text[:60]}' has a '{found[0]}' that is not part of '{{0}}', '{{{{' or '}}}}'")
        if found[1] is None:
            return found[0][0]
        if int(found[1]) >= len(values):
            raise ValueError(f"'{text[:60]}' has '{found[0]}', and there are {len(values)} values")
        value = values[int(found[1])]
        return str(value) if isinstance(value, bool) else expressions.text_of(value)

    def pieces() -> Iterator[str]:
        end = 0
        for found in _INSERTED.finditer(text):
            yield text[end : found.start()]
            yield inserted(found)
            end = found.end()
        yield text[end:]

    return expressions.joined(pieces())


def _join(values: list[str], mark: str) -> str:
    return expressions.joined(part for index, each in enumerate(values) for part in ([mark] if index else []) + [each])


def _union(*values: Any) -> Any:
    if values and isinstance(values[0], list):
        # By their JSON: compared with each other, many of them would take minutes.
        found: dict[str, Any] = {}
        for value in values:
            for each in value:
                found.setdefault(json.dumps(each, sort_keys=True), each)
        return list(found.values())
    return {key: each for value in values for key, each in value.items()}


def _unique(*texts: str) -> str:
    """Return 13 characters that depend on the texts. They are other ones than Azure's."""
    return base64.b32encode(hashlib.sha256("-".join(texts).encode()).digest()).decode().lower()[:13]
