"""The page on this machine: no other site gets an answer of the endpoint, whose key the page has."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import page
import pytest
from endpoint import Answer


class Asked:
    """An endpoint that keeps what it is asked."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []

    def post(self, picture: bytes, _type: str) -> Answer:
        self.pictures.append(picture)
        return Answer(200, {"label": "taco"})


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def server(asked: Any) -> Iterator[tuple[str, int]]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), page.handler(asked, "/secret/")) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield "127.0.0.1", made.server_address[1]
        made.shutdown()
        thread.join()


def post(server: tuple[str, int], path: str = "/secret/score", **headers: str) -> int:
    connection = http.client.HTTPConnection(*server, timeout=10)
    connection.request("POST", path, b"png", {name.replace("_", "-"): value for name, value in headers.items()})
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_page_itself_gets_an_answer(server: tuple[str, int], asked: Asked) -> None:
    assert post(server, Sec_Fetch_Site="same-origin") == 200
    assert post(server, Host=f"localhost:{server[1]}") == 200
    assert asked.pictures == [b"png", b"png"]


@pytest.mark.attack
@pytest.mark.parametrize("path", ["/score", "/other/score"])
def test_another_user_of_the_machine_gets_none(path: str, server: tuple[str, int], asked: Asked) -> None:
    assert post(server, path) == 403
    assert asked.pictures == []


@pytest.mark.attack
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Host": "rebound.example.org:8000", "Sec_Fetch_Site": "same-origin"}, 403),
        ({"Host": "127.0.0.1.example.org:8000"}, 403),
        ({"Content_Length": "-1"}, 413),
        ({"Content_Length": "99999999"}, 413),
    ],
)
def test_another_site_gets_none(headers: dict[str, str], status: int, server: tuple[str, int], asked: Asked) -> None:
    assert post(server, **headers) == status
    assert asked.pictures == []
