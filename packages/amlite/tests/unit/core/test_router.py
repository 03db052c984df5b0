from __future__ import annotations

from collections.abc import Iterable

import pytest
from aiohttp import web

from amlite.core.platform import Platform
from amlite.core.router import Router
from amlite.core.routing import Call, Routes
from amlite.service_list import SERVICES

ARM = "management.azure.com"


def table(host: str, *routes: str, narrowed: str | None = None) -> Routes:
    """A table of routes such as `GET /a/{b}`; `narrowed` is the one host that it is for."""

    async def handler(call: Call) -> web.StreamResponse:
        return web.Response()

    made = Routes(host, only=(lambda _, asked: asked == narrowed) if narrowed else None)
    for route in routes:
        method, path = route.split(" ")
        made.route(method, path)(handler)
    return made


def found(platform: Platform, tables: Iterable[Routes], request: str, host: str = ARM) -> str | None:
    method, path = request.split(" ")
    answer = Router(tables).find(platform, method, host, path)
    return f"{answer[0].method} {answer[0].path}" if answer else None


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("GET /a", "GET /{x}"),
        ("PUT /a", "* /{rest:path}"),
        ("GET /a/b", "GET /a/b"),
        ("GET /A/B/", "GET /a/b"),
        ("GET /a/c", "GET /a/{x}"),
        ("PUT /a/c", "* /a/{x}"),
        ("GET /c/b", "GET /{x}/b"),
        ("GET /a/c/d", "GET /a/{rest:path}"),
        ("GET /c/d/e", "* /{rest:path}"),
        ("GET /c/d/metrics", "GET /{rest:path}/metrics"),
        pytest.param("GET /c/d/metric\u017f", "* /{rest:path}", marks=pytest.mark.attack),
        ("GET /", "* /{rest:path}"),
    ],
)
@pytest.mark.parametrize("turned", [False, True], ids=["as declared", "the other way round"])
def test_the_most_specific_path_answers(platform: Platform, request_: str, expected: str, turned: bool) -> None:
    routes = (
        "* /{rest:path}", "GET /{x}", "* /a/{x}", "GET /{x}/b", "GET /a/{x}", "GET /a/{rest:path}", "GET /a/b",
        "GET /{rest:path}/metrics",
    )  # fmt: skip
    tables = [table(ARM, route) for route in (routes[::-1] if turned else routes)]
    assert found(platform, tables, request_) == expected


def test_parameters_are_taken_from_the_path(platform: Platform) -> None:
    answer = Router([table(ARM, "GET /a/{one}/{rest:path}")]).find(platform, "GET", ARM, "/a/B/c/D")
    assert answer is not None
    assert answer[1] == {"one": "B", "rest": "c/D"}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("x.blob.core.windows.net", "GET /blob"),
        ("special.blob.core.windows.net", "GET /special"),
        ("y.blob.core.windows.net", "GET /narrowed"),
        ("x.file.core.windows.net", "GET /any"),
        ("example.com", None),
    ],
)
@pytest.mark.parametrize("turned", [False, True], ids=["as declared", "the other way round"])
def test_the_most_specific_host_answers(platform: Platform, host: str, expected: str | None, turned: bool) -> None:
    every = ["GET /any", "GET /blob", "GET /narrowed", "GET /special"]
    tables = [
        table("*.core.windows.net", every[0]),
        table("*.blob.core.windows.net", every[1]),
        table("*.blob.core.windows.net", every[2], narrowed="y.blob.core.windows.net"),
        table("special.blob.core.windows.net", every[3]),
    ]
    met = [route for route in every if found(platform, tables[::-1] if turned else tables, route, host) == route]
    assert met[-1:] == ([expected] if expected else [])
    assert Router(tables).serves(host) is bool(expected)


def test_what_a_specific_host_does_not_answer_another_may(platform: Platform) -> None:
    tables = [table("*.a.net", "GET /{x}"), table("b.a.net", "GET /one")]
    assert found(platform, tables, "GET /two", "b.a.net") == "GET /{x}"


@pytest.mark.parametrize(
    ("first", "second"),
    [("GET /a/{b}", "GET /A/{c}"), ("* /{rest:path}", "* /{path:path}"), ("GET /a", "GET /a/")],
)
def test_equally_specific_routes_are_an_error(first: str, second: str) -> None:
    with pytest.raises(ValueError, match=r"two routes of management.azure.com answer .*handler and .*handler"):
        Router([table(ARM, first), table(ARM, second)])


def test_hosts_are_narrowed_by_one_function() -> None:
    tables = [table("*.net", "GET /a", narrowed="a.net"), table("*.net", "GET /b", narrowed="b.net"), table("*.net")]
    with pytest.raises(ValueError, match=r"two functions narrow the tables of \*.net"):
        Router(tables)


def test_routes_that_differ_are_no_error() -> None:
    Router([table(ARM, "GET /a/{b}", "PUT /a/{b}", "GET /b/{b}"), table("*.net", "GET /a/{b}")])


@pytest.mark.parametrize(
    ("request_", "host", "expected"),
    [
        ("GET", "x.inference.ml.azure.com", "serving"),
        ("GET", "x.file.core.windows.net", "unserved"),
        ("GET", "x.blob.core.windows.net", "storage"),
    ],
)
def test_services_share_hosts_by_these_rules(platform: Platform, request_: str, host: str, expected: str) -> None:
    answer = SERVICES.router.find(platform, request_, host, "/jobs")
    assert answer is not None
    assert answer[0].handler.__module__ == f"amlite.services.{expected}.routes"
