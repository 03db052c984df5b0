"""Fetches a picture from an address that a caller gives, and never from a private network.

A server that fetches any address for anybody lets callers reach what only the server can reach, such as the metadata
service of a virtual machine. So a host name is resolved once, every address is checked, and the connection goes to the
checked address. Each redirect is checked in the same way. Size, type and time are limited.
"""

import base64
import http.client
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

MOST_BYTES = 5 << 20
MOST_REDIRECTS = 3
SECONDS = 8.0
_REDIRECTS = {301, 302, 303, 307, 308}
_PORTS = {"http": 80, "https": 443}
# Public by number, and yet inside: Azure's own service on each virtual network, and networks that carry IPv4 addresses.
_REFUSED = tuple(
    ipaddress.ip_network(each) for each in ("168.63.129.16/32", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)
_RESOLVER = ThreadPoolExecutor(4, thread_name_prefix="resolve")


class FetchError(Exception):
    """A picture cannot be fetched. `status` is the HTTP status of the response to the caller."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def fetch(url: str, private_hosts: Collection[str] = (), *, seconds: float = SECONDS) -> bytes:
    """Return the content of a picture. Raises FetchError.

    Args:
        url: An `http` or `https` address.
        private_hosts: Hosts (names or addresses) that may be private, and may use any port. If the server has a proxy
            (HTTPS_PROXY), it reaches their `https` addresses through it.
        seconds: Limit for the name, the connection, redirects and the content together.
    """
    deadline = time.monotonic() + seconds
    for _ in range(MOST_REDIRECTS + 1):
        parts = _checked(url, private_hosts)
        host = str(parts.hostname)
        proxy = os.environ.get("HTTPS_PROXY") if parts.scheme == "https" and host in private_hosts else None
        if proxy:
            target = _ask(parts, _through(proxy, parts, deadline), deadline)
        else:
            address = _address(host, _port(parts), deadline, is_private_allowed=host in private_hosts)
            target = _ask(parts, _Connection(parts, address, _left(deadline)), deadline)
        if isinstance(target, bytes):
            return target
        url = urljoin(url, target)
    raise FetchError(400, f"the address redirects more than {MOST_REDIRECTS} times")


def _checked(url: str, private_hosts: Collection[str]) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = _port(parts)
    except ValueError as error:
        raise FetchError(400, f"the address is not valid: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise FetchError(400, "the address must begin with http:// or https://")
    if parts.username or parts.password:
        raise FetchError(400, "the address must not contain a user name")
    if port != _PORTS[parts.scheme] and parts.hostname not in private_hosts:
        raise FetchError(403, f"port {port} is not allowed; pictures come from the standard ports")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, 0)


def _address(host: str, port: int, deadline: float, *, is_private_allowed: bool) -> str:
    """Resolve a host, and return an address to connect to. One private address makes a host private."""
    try:
        found = _RESOLVER.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM).result(_left(deadline))
    except (OSError, UnicodeError) as error:
        raise FetchError(400, f"the host '{host}' cannot be resolved") from error
    except NotInTime as error:
        raise _late() from error
    addresses = [str(each[4][0]) for each in found]
    if not is_private_allowed and not all(map(is_public, addresses)):
        raise FetchError(403, f"the host '{host}' is in a private network")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet, and to no private, local or reserved network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    refused = any(found in network for network in _REFUSED if network.version == found.version)
    return found.is_global and not found.is_multicast and not refused


def _through(proxy: str, parts: SplitResult, deadline: float) -> http.client.HTTPConnection:
    """Return a connection through a proxy, which resolves the name."""
    at = urlsplit(proxy)
    connection = http.client.HTTPSConnection(
        str(at.hostname), at.port, timeout=_left(deadline), context=ssl.create_default_context()
    )
    login = base64.b64encode(f"{unquote(at.username or '')}:{unquote(at.password or '')}".encode()).decode()
    connection.set_tunnel(
        str(parts.hostname), _port(parts), {"Proxy-Authorization": f"Basic {login}"} if at.username else {}
    )
    return connection


def _ask(parts: SplitResult, connection: http.client.HTTPConnection, deadline: float) -> bytes | str:
    """Send the request. Return the content, or the target of a redirect."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", path, headers={"Accept": "image/*", "User-Agent": "tacos-burritos"})
        # The response keeps the connection if the host closes it after the content.
        with connection.getresponse() as response:
            if response.status in _REDIRECTS and response.headers.get("Location"):
                return response.headers["Location"]
            if response.status != 200:
                raise FetchError(400, f"the host '{parts.hostname}' answers {response.status}")
            return _content(connection, response, deadline)
    except TimeoutError as error:
        raise _late() from error
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise FetchError(400, f"the host '{parts.hostname}' cannot be reached: {error}") from error
    finally:
        connection.close()


def _content(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float) -> bytes:
    kind = response.headers.get_content_type()
    if not kind.startswith("image/"):
        raise FetchError(415, f"the address has the type {kind}, and not an image")
    parts, size = [], 0
    while not size or parts[-1]:
        if connection.sock is not None:
            connection.sock.settimeout(_left(deadline))
        _left(deadline)
        parts.append(response.read1(1 << 16))
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise FetchError(413, f"the picture is larger than {MOST_BYTES >> 20} MB")
        if not size:
            raise FetchError(400, "the picture is empty")
    return b"".join(parts)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _late()
    return left


def _late() -> FetchError:
    return FetchError(408, "the picture did not arrive in time")


class _Connection(http.client.HTTPConnection):
    """A connection to a checked address. The certificate and the request still name the host."""

    def __init__(self, parts: SplitResult, address: str, seconds: float) -> None:
        super().__init__(str(parts.hostname), _port(parts), timeout=seconds)
        self.default_port = _PORTS[parts.scheme]
        self._address = address
        self._context = ssl.create_default_context() if parts.scheme == "https" else None

    def connect(self) -> None:
        """Connect to the address, and not to what the name means now."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)
