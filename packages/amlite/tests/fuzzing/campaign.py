"""Sends the drawn requests to an amlite, and counts what it answers."""

from __future__ import annotations

import http.client
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings

from amlite.control.client import token
from amlite.core import runtime
from amlite.testing import LocalAzure
from fuzzing.drawing import Request, requests
from fuzzing.world import ARM, Target, World

HANG_SECONDS = 25.0
WIDTH = 48


class _Connection(http.client.HTTPSConnection):
    """Sends any address as it is: invalid ones are what the fuzzing is for."""

    def _validate_path(self, url: str) -> None:
        del url

    def _encode_request(self, request: str) -> bytes:
        return request.encode("utf-8" if any(ord(letter) > 255 for letter in request) else "latin-1")


@dataclass
class Report:
    """The answers by surface, and each request whose answer was a 5xx of amlite's or did not come."""

    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, surface: str, kind: str) -> None:
        """Count one answer."""
        self.statuses.setdefault(surface, Counter())[kind] += 1

    @property
    def requests(self) -> int:
        """The number of requests."""
        return sum(sum(counter.values()) for counter in self.statuses.values())

    def table(self) -> str:
        """Return the table: surface, requests, 2xx-3xx, 4xx, 5xx, hangs."""
        lines = [f"{'surface':{WIDTH}} {'requests':>8} {'2xx':>6} {'4xx':>6} {'5xx':>5} {'hangs':>5}"]
        total: Counter[str] = Counter()
        for surface, counter in sorted(self.statuses.items()):
            lines.append(_line(surface, counter))
            total += counter
        return "\n".join([*lines, _line("all", total), f"{self.seconds:.0f} s"])


def _line(name: str, counter: Counter[str]) -> str:
    kinds = (counter["2xx"], counter["4xx"], counter["5xx"], counter["hang"])
    return f"{name:{WIDTH}} {sum(counter.values()):>8} {kinds[0]:>6} {kinds[1]:>6} {kinds[2]:>5} {kinds[3]:>5}"


class Campaign:
    """One run of the fuzzing."""

    def __init__(self, azure: LocalAzure, world: World) -> None:
        self._azure = azure
        self._world = world
        self._open: dict[str, _Connection] = {}
        self._tokens: dict[str, str] = {}
        self.report = Report()

    def run(self, count: int, seeded: int) -> Report:
        """Send `count` requests, drawn with a seed, and then read everything again, also after a restart."""
        began = time.monotonic()

        @seed(seeded)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests(self._world))
        def attack(request: Request) -> None:
            self._attack(request)

        attack()
        self._read_all("read after the writes")
        self._close()
        self._azure.restart()
        self._read_all("read after a restart")
        self._close()
        self.report.seconds = time.monotonic() - began
        return self.report

    def _attack(self, request: Request) -> None:
        status = self._send(request)
        if 200 <= status < 300 and request.method in ("PUT", "PATCH", "POST"):
            written = Request(request.target, "GET", request.path, None, "", request.token, request.authorization)
            self._send(written, "read of what was written")

    def _read_all(self, surface: str) -> None:
        for target in self._world.targets:
            if "GET" in target.methods and "{" not in _known(target, self._world.names):
                query = "&".join(f"{name}={value}" for name, value in target.query.items())
                path = _known(target, self._world.names)
                self._send(Request(target, "GET", f"{path}?{query}", None, "", target.token, None), surface)

    def _send(self, request: Request, surface: str = "") -> int:
        surface = surface or request.target.surface
        try:
            status, text = self._answer(request)
        except (TimeoutError, OSError, http.client.HTTPException) as error:
            self._drop(request.target.host)
            self.report.count(surface, "hang")
            self._fail(request, f"{type(error).__name__} {error}")
            return 0
        # What a service refuses to do here has a 501, and a child that is not there a 503.
        broken = status == 500 or (status > 501 and status != 503)
        self.report.count(surface, "5xx" if broken else "4xx" if status >= 400 else "2xx")
        if broken:
            self._fail(request, f"{status} {text[:300]}")
        return status

    def _fail(self, request: Request, what: str) -> None:
        body = (request.body or b"")[:400]
        self.report.failures.append(f"{what}\n    {request.method} {request.target.host}{request.path[:300]} {body!r}")

    def _answer(self, request: Request) -> tuple[int, str]:
        host = request.target.host
        headers = {"Content-Type": request.content_type} if request.content_type else {}
        if request.token:
            headers["Authorization"] = f"Bearer {self._token(request.token)}"
        elif request.authorization is not None:
            headers["Authorization"] = request.authorization
        for attempt in range(2):
            connection = self._connection(host)
            try:
                connection.request(request.method, request.path, request.body, headers)
                answer = connection.getresponse()
                text = answer.read().decode("utf-8", "replace")
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError, http.client.CannotSendRequest):
                self._drop(host)
                if attempt:
                    raise
                continue
            if answer.will_close:
                self._drop(host)
            return answer.status, text
        raise AssertionError("unreachable")

    def _connection(self, host: str) -> _Connection:
        if host not in self._open:
            running = runtime.read(self._azure.state)
            assert running is not None
            proxy = urlsplit(running.environment["HTTPS_PROXY"])
            context = ssl.create_default_context(cafile=running.authority)
            made = _Connection(proxy.hostname or "", proxy.port, timeout=HANG_SECONDS, context=context)
            made.set_tunnel(host, 443, _credentials(proxy.username, proxy.password))
            self._open[host] = made
        return self._open[host]

    def _drop(self, host: str) -> None:
        if (connection := self._open.pop(host, None)) is not None:
            connection.close()

    def _close(self) -> None:
        for host in list(self._open):
            self._drop(host)

    def _token(self, audience: str) -> str:
        if audience in ("acr", "key"):
            audience = f"https://{ARM}"
        if audience not in self._tokens:
            running = runtime.read(self._azure.state)
            assert running is not None
            self._tokens[audience] = token(running, f"{audience}/.default")
        return self._tokens[audience]


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    from base64 import b64encode

    return {"Proxy-Authorization": "Basic " + b64encode(f"{user}:{password or ''}".encode()).decode()} if user else {}


def _known(target: Target, names: Mapping[str, str]) -> str:
    path = target.path
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    return path
