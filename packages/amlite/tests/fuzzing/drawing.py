"""Requests drawn by Hypothesis: a valid one, changed in a few places."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from fuzzing.world import Target, World

_DEEP = "[" * 400 + "]" * 400
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    3,
    10**12,
    10**25,
    -(10**400),
    1.5,
    1e308,
    "",
    " ",
    "a",
    "1",
    "-1",
    "x" * 5000,
    "é",
    "\u202e",
    "\0",
    "a\r\nb",
    "\ud800",
    "../../../etc/passwd",
    "/",
    "%00",
    "${{x}}",
    "@{concat(",
    "@x",
    "2026-99-99T00:00:00Z",
    "P1Y",
    "PT99999999999999H",
    "P",
    "9" * 40,
    "1e999",
    "NaN",
    "inf",
    "{",
    "<a>",
    [],
    {},
    [[]],
    [None],
    [1],
    ["a"],
    {"a": 1},
    {"": {}},
    {"a": {"b": ["c"]}},
    "/subscriptions/x",
    "azureml:a:1",
    "azureml://datastores/a/paths/b",
    "https://[",
    "http://127.0.0.1:9",
    "http://" + "a" * 300,
    "SystemAssigned",
    ["a"] * 3000,
    {str(n): n for n in range(500)},
)
RAW: tuple[bytes, ...] = (
    b"",
    b"[]",
    b"null",
    b"1",
    b'"a"',
    b"{",
    b"\xff\xfe",
    b'{"a": "\xed\xa0\x80"}',
    b'{"properties": NaN}',
    b'{"a": Infinity}',
    b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    _DEEP.encode(),
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'\xef\xbb\xbf{"a": 1}',
    b'{"a": "\\ud800"}',
    b'{"a": "\\u0000"}',
    b"a=b&c",
    b"grant_type=client_credentials&scope=%ff",
    b"<a><b>",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    b"--x\r\n",
    b"\0" * 64,
    b"{}" * 100,
)
NAMES: tuple[str, ...] = (
    "x" * 300,
    "x" * 5000,
    "..",
    ".",
    "a b",
    "é",
    "%00",
    "%ff",
    "%ed%a0%80",
    "%0d%0a",
    "%2e%2e%2f%2e%2e",
    "'",
    "a;b",
    "%25",
    "*",
    "%",
    "a%2fb",
    "~",
    "CON",
    "-",
    "1",
    "00000000-0000-0000-0000-000000000000",
    "\\",
    "%5c..%5c",
    "$",
    "{}",
    "[",
    "a,b",
    "a:b",
    "\xff",
)
QUERIES: tuple[str, ...] = (
    "",
    "-1",
    "0",
    "1",
    "abc",
    "1e9",
    "9" * 30,
    "%ff",
    "%ed%a0%80",
    "%00",
    "é",
    "%F0%9F%92%A9",
    "true",
    "x" * 3000,
    "null",
    "a/b",
    "P1D",
    "2026-01-01T00:00:00Z/2026-99-01T00:00:00Z",
    "name eq 'a'",
    "(((((",
    "'",
    "*",
    "All",
    "block",
    "list",
    "AAAA",
    "LTE=",
    "=",
    "%0a",
)
AUTHORIZATIONS: tuple[str | None, ...] = (
    None,
    "",
    "Bearer",
    "Bearer x",
    "Bearer a.b.c",
    "Bearer \xe9",
    "Basic =",
    "Basic /w==",
    "SharedKey a:b",
)


@dataclass(frozen=True)
class Request:
    """One request. `authorization` is a header, `token` the audience of a valid one otherwise."""

    target: Target
    method: str
    path: str
    body: bytes | None
    content_type: str
    token: str
    authorization: str | None


@st.composite
def requests(draw: st.DrawFn, world: World) -> Request:
    """Draw a request to one of the targets."""
    target = draw(st.sampled_from(world.targets))
    method = draw(st.sampled_from(target.methods))
    path = _path(draw, target, world)
    if draw(st.integers(0, 19)) == 7:
        path = path.rpartition("/")[0] + "/" + draw(st.sampled_from(NAMES))
    query = {name: quote(value) for name, value in target.query.items()}
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2)))):
        query[draw(st.sampled_from(world.parameters))] = draw(st.sampled_from(QUERIES))
    if query:
        path += "?" + "&".join(f"{quote(name)}={value}" for name, value in query.items())
    body, content_type = _body(draw, target) if method in ("PUT", "POST", "PATCH") else (None, "")
    valid = draw(st.integers(0, 19)) != 3
    authorization = None if valid else draw(st.sampled_from(AUTHORIZATIONS))
    return Request(target, method, path, body, content_type, target.token if valid else "", authorization)


def _path(draw: st.DrawFn, target: Target, world: World) -> str:
    path = target.path
    while "{" in path:
        start, _, rest = path.partition("{")
        name, _, rest = rest.partition("}")
        known = world.names.get(name.removesuffix(":path"), "thing")
        hostile = name != "subscription" and draw(st.integers(0, 24)) == 5
        path = start + (draw(st.sampled_from(NAMES)) if hostile else quote(known)) + rest
        if hostile:
            return path.replace("{", "%7B").replace("}", "%7D")
    return path


def _body(draw: st.DrawFn, target: Target) -> tuple[bytes, str]:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.sampled_from(RAW)), draw(
            st.sampled_from(("application/json", "text/plain", "multipart/form-data; boundary=x"))
        )
    if target.path.endswith(("/token", "/exchange")) or kind == 1:
        return _form(draw), "application/x-www-form-urlencoded"
    body = copy.deepcopy(target.body)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        body = _changed(draw, body)
    return json.dumps(body).encode(), "application/json"


_FIELDS = (
    "grant_type",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "resource",
    "username",
    "password",
    "refresh_token",
    "access_token",
    "service",
)
_TEXTS = (
    "client_credentials",
    "password",
    "refresh_token",
    "access_token",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "a.b.c",
    "https://management.azure.com/.default",
    "repository:a:pull",
    "é",
    "\0",
    "x" * 9000,
    "",
    "/.default",
    "a:b:c:d",
    "::",
)


def _form(draw: st.DrawFn) -> bytes:
    fields = draw(st.lists(st.tuples(st.sampled_from(_FIELDS), st.sampled_from(_TEXTS)), max_size=6))
    return urlencode(fields).encode()


def _changed(draw: st.DrawFn, body: Any) -> Any:
    """Replace, remove or add a value somewhere in a body."""
    places = list(_places(body))
    if not places:
        return _value(draw) if not isinstance(body, dict) else {**body, "properties": _value(draw)}
    holder, key = draw(st.sampled_from(places))
    how = draw(st.integers(0, 7))
    if how == 0 and isinstance(holder, dict):
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[draw(st.sampled_from(("", "a", "x" * 600, "é", "\0", "id", "name", "properties")))] = _value(draw)
    else:
        holder[key] = _value(draw)
    return body


def _value(draw: st.DrawFn) -> Any:
    return copy.deepcopy(draw(st.sampled_from(VALUES)))


def _places(body: Any) -> Any:
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield body, key
        yield from _places(value)
