"""Pictures that the endpoint fetches for a caller: what is refused, and that a checked address is the one used."""

import base64
import http.server
import importlib.util
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HOST = "127.0.0.1"
PICTURE = b"\x89PNG picture"


@pytest.fixture(scope="module")
def fetching(example: Path) -> ModuleType:
    """Return the module beside the scoring script, which runs without this repository."""
    path = example / "ml" / "steps" / "deploy" / "score" / "fetch.py"
    specification = importlib.util.spec_from_file_location("tacos_burritos_fetch", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Pictures(http.server.BaseHTTPRequestHandler):
    """Answers each path in another way."""

    def do_GET(self) -> None:
        match self.path.strip("/").split("/"):
            case ["picture"]:
                self.answer(200, PICTURE, **{"Content-Type": "image/png"})
            case ["to", *target]:
                self.answer(302, Location="/".join(target))
            case ["text"]:
                self.answer(200, b"<html>", **{"Content-Type": "text/html"})
            case ["empty"]:
                self.answer(200, **{"Content-Type": "image/png"})
            case ["large"]:
                self.answer(200, bytes(6 << 20), **{"Content-Type": "image/png"})
            case ["slow"]:
                self.answer(200, **{"Content-Type": "image/png", "Content-Length": "9"})
                self.server.released.wait(30)  # type: ignore[attr-defined]
            case _:
                self.answer(500)

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve on loopback, and yield the address before the path."""
    with http.server.ThreadingHTTPServer((HOST, 0), Pictures) as found:
        found.released = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://{HOST}:{found.server_address[1]}"
        found.released.set()  # type: ignore[attr-defined]
        found.shutdown()
        thread.join()


Names = Callable[..., list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Return a function that decides which addresses each name has, one list for each look-up."""

    def decide(*addresses: list[str]) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            found = addresses[min(len(asked), len(addresses)) - 1]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return decide


def test_a_picture_is_fetched_from_a_private_host_only_if_the_host_is_named(fetching: ModuleType, server: str) -> None:
    assert fetching.fetch(f"{server}/picture", {HOST}) == PICTURE
    assert fetching.fetch(f"{server}/to/{server}/picture", {HOST}) == PICTURE
    with pytest.raises(fetching.FetchError, match=r"port \d+ is not allowed") as found:
        fetching.fetch(f"{server}/picture")
    assert found.value.status == 403


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("text", 415, "has the type text/html, and not an image"),
        ("empty", 400, "the picture is empty"),
        ("large", 413, "the picture is larger than 5 MB"),
        ("other", 400, "answers 500"),
        ("to/picture", 400, "redirects more than 3 times"),
        ("to/http://10.0.0.7/picture", 403, r"the host '10\.0\.0\.7' is in a private network"),
        ("to/http://169.254.169.254/metadata", 403, "is in a private network"),
        ("to/file:///etc/passwd", 400, "must begin with http:// or https://"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(
    path: str, status: int, reason: str, fetching: ModuleType, server: str
) -> None:
    with pytest.raises(fetching.FetchError, match=reason) as found:
        fetching.fetch(f"{server}/{path}", {HOST})
    assert found.value.status == status


def test_a_host_that_stops_sending_is_given_up_in_time(fetching: ModuleType, server: str) -> None:
    began = time.monotonic()
    with pytest.raises(fetching.FetchError, match="did not arrive in time") as found:
        fetching.fetch(f"{server}/slow", {HOST}, seconds=0.3)
    assert found.value.status == 408
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("ftp://example.com/a.png", 400),
        ("//example.com/a.png", 400),
        ("http://", 400),
        ("http://[::1", 400),
        ("http://example.com:99999/", 400),
        ("http://user:word@example.com/a.png", 400),
        ("https://example.com:8443/a.png", 403),
    ],
)
def test_an_address_of_another_form_is_refused_before_a_look_up(
    url: str, status: int, fetching: ModuleType, names: Names
) -> None:
    asked = names(["93.184.216.34"])
    with pytest.raises(fetching.FetchError) as found:
        fetching.fetch(url)
    assert (found.value.status, asked) == (status, [])


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("168.63.129.16", "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"),
        *("64:ff9b::a9fe:a9fe", "2002:a00:1::", "2001:db8::1", "fe80::1%eth0"),
    ],
)
def test_an_address_that_is_not_on_the_internet_is_private(address: str, fetching: ModuleType) -> None:
    assert not fetching.is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "20.50.2.7", "2606:2800:220:1:248:1893:25c8:1946"])
def test_an_address_on_the_internet_is_public(address: str, fetching: ModuleType) -> None:
    assert fetching.is_public(address)


def test_one_private_address_of_several_makes_a_host_private(fetching: ModuleType, names: Names) -> None:
    names(["93.184.216.34", "10.0.0.1"])
    with pytest.raises(fetching.FetchError, match="is in a private network"):
        fetching.fetch("http://example.com/a.png")


def test_the_connection_goes_to_the_checked_address_even_if_the_name_changes(
    fetching: ModuleType, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(["93.184.216.34"], [HOST])
    connected: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(fetching.FetchError, match=r"the host 'example\.com' cannot be reached"):
        fetching.fetch("https://example.com/a.png")
    assert (asked, connected) == (["example.com"], [("93.184.216.34", 443)])


def test_a_name_that_does_not_exist_is_the_callers_error(fetching: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(fetching.FetchError, match=r"the host 'nowhere\.invalid' cannot be resolved") as found:
        fetching.fetch("http://nowhere.invalid/a.png")
    assert found.value.status == 400


def test_a_named_host_is_reached_through_the_proxy_of_the_server(
    fetching: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    with socket.create_server((HOST, 0)) as proxy:

        def refuse() -> None:
            caller, _ = proxy.accept()
            with caller:
                asked.append(caller.recv(4096))
                caller.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://amlite:s%40cret@{HOST}:{proxy.getsockname()[1]}")
        with pytest.raises(fetching.FetchError, match=r"the host 'pictures\.internal' cannot be reached: .*403"):
            fetching.fetch("https://pictures.internal/taco.png", ["pictures.internal"])
        thread.join()
    head = asked[0].decode()
    assert head.startswith("CONNECT pictures.internal:443 HTTP/1.")
    login = base64.b64encode(b"amlite:s@cret").decode()
    assert f"Proxy-Authorization: Basic {login}" in head
