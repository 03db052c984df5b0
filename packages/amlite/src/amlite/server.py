"""The process of amlite: `python -m amlite.server STATE` serves until a signal stops it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import logging.handlers
import os
import secrets
import signal
import socket
import sqlite3
import sys
import time
import uuid
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import TextIO, cast

import aiohttp
import psutil
from aiohttp import web

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.core import bodies, disk, listening, private_folder, runtime
from amlite.core.certificates import Certificates
from amlite.core.errors import AzureError, StartError
from amlite.core.faults import Faults
from amlite.core.gate import Gate
from amlite.core.platform import Platform
from amlite.core.processes import Children, reap
from amlite.core.proxy import USER, Proxy
from amlite.core.routing import Call, host_of, refusal, reply
from amlite.core.service import Services
from amlite.core.store import DATABASE, Store
from amlite.core.wire import Json
from amlite.pulumi import plugins
from amlite.service_list import SERVICES
from amlite.services.entra.tokens import tokens

_log = logging.getLogger("amlite")
# Seconds between checks that the state folder still exists.
_LOOK_SECONDS = 1.0
_requests = logging.getLogger("amlite.requests")
_LONG_PATH = 1 << 16
_HANDSHAKE_SECONDS = 30.0
_PROXY = "settings/proxy"
# What services keep in the state folder beside the database. Others, such as stack files, may be there before amlite.
_FILLED = ("azurite", "jobs", "kubernetes", "mlflow", "registry", "serving")
# After these, the rest of the body may still arrive, and nobody reads it.
_UNREAD = (408, 413)
_SURROUNDINGS = "settings/surroundings"

# A client that waits for an endpoint's metrics counts on this clock. Other answers have the machine's time, because
# Azure's clients compare it with that of tokens.
_OF_THE_CLOCK = "/onlineendpoints/"


class Server:
    """Everything that listens, around one platform."""

    def __init__(self, state: Path) -> None:
        """Open the state folder. Nothing listens yet. Raises StartError if its database is lost."""
        self.state = state
        store = Store(state / DATABASE)
        if store.is_empty and (left := _left(state)):
            store.close()
            raise StartError(
                f"{state / DATABASE} is lost or empty, but {', '.join(left)} in {state} have what it described. "
                "Put the file of a backup there, or forget this local Azure with: amlite reset"
            )
        self.platform = Platform(state, store, Children(state), SERVICES.works)
        self.platform.part(Services, lambda: SERVICES)
        self._gate = Gate(self.platform.access, tokens(self.platform).principal_of)
        self._certificates = Certificates(state / "certificates", state / "keys")
        self._private: list[Path] = []
        self._stack = contextlib.AsyncExitStack()

    async def start(self, inherited: dict[str, str]) -> runtime.Runtime:
        """Listen, and return the data that commands need. `inherited` is the environment of amlite's start."""
        platform = self.platform
        private_folder.sweep()
        self._private = [
            private_folder.ensure(self.state, kind) for kind in (private_folder.SOCKETS, private_folder.FILES)
        ]
        platform.http = await self._stack.enter_async_context(aiohttp.ClientSession())
        app = web.Application(client_max_size=0)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._answer)
        runner = listening.runner(
            app, auto_decompress=False, max_line_size=_LONG_PATH, max_field_size=_LONG_PATH, shutdown_timeout=2.0
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        server, context = cast("web.Server", runner.server), self._certificates.server_context()

        async def take(client: socket.socket) -> None:
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(server, client, ssl=context, ssl_handshake_timeout=_HANDSHAKE_SECONDS)

        surroundings = _surroundings(self.platform, inherited)
        # Port and secret stay the same, so that the environment of a shell stays valid after a restart.
        previous = self.platform.store.get(_PROXY)
        secret = str(previous.body["secret"]) if previous else secrets.token_hex(16)
        proxy = Proxy(
            lambda host: take if SERVICES.router.serves(host) else None,
            surroundings["proxy"],
            surroundings["bypass"],
            secret=secret,
        )
        gate = _listen(previous.body["port"] if previous else 0)
        proxy_port = gate.getsockname()[1]
        self.platform.store.put(_PROXY, "settings", {"port": proxy_port, "secret": secret})
        self._stack.push_async_callback(_close, await asyncio.start_server(proxy.serve, sock=gate))

        bundle = self._certificates.bundle(surroundings["authorities"])
        platform.environment |= _client_environment(platform, f"http://{USER}:{secret}@127.0.0.1:{proxy_port}", bundle)
        platform.environment["WGETRC"] = str(self._certificates.wget_settings(bundle))
        platform.operations.resume()
        await SERVICES.start(platform)
        return runtime.Runtime(os.getpid(), psutil.Process().create_time(), proxy_port, platform.environment)

    async def stop(self) -> None:
        """Stop listening, end every child, and close the state. Unfinished operations continue at the next start."""
        await self.platform.operations.stop()
        await self.platform.children.stop_all()
        await self._stack.aclose()
        SERVICES.stop(self.platform)
        for folder in self._private:  # by its own path, because the link is gone if the state folder was deleted
            await asyncio.to_thread(private_folder.delete, folder)
        self.platform.store.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        response: web.StreamResponse
        try:
            response = await self._dispatch(request)
        except AzureError as error:
            response = refusal(error)
            if error.status in _UNREAD:
                response.force_close()
        except (StartError, aiohttp.ClientError) as error:
            # A child does not run, or stopped during the request (Azurite restarts for every new account).
            response = reply({"error": {"code": "ServiceUnavailable", "message": str(error)}}, 503)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not take the connection down without a word
            response = self._failure(request, error)
        if not response.prepared:
            response.headers.setdefault("x-ms-request-id", str(uuid.uuid4()))
            if _OF_THE_CLOCK in request.path.lower():
                response.headers["Date"] = format_datetime(self.platform.clock.now(), usegmt=True)
        _requests.info(
            "%s",
            json.dumps(
                {
                    "at": round(time.time(), 3),
                    "method": request.method,
                    "host": request.host,
                    "path": request.path,
                    "query": {
                        k: v for k, v in request.query.items() if k.lower() not in ("sig", "se", "sp", "sv", "code")
                    },
                    "status": response.status,
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                    "client": request.headers.get("User-Agent", "")[:60],
                }
            ),
        )
        return response

    def _failure(self, request: web.Request, error: Exception) -> web.StreamResponse:
        if (wrong := disk.problem(self.state, error)) is not None:
            # Clients do not retry a 507: the disk needs somebody to free space on it.
            return reply({"error": {"code": "InsufficientStorage", "message": wrong}}, 507)
        _log.exception("%s https://%s%s", request.method, request.host, request.path)  # a query may hold a signature
        return reply({"error": {"code": "InternalServerError", "message": f"{type(error).__name__}: {error}"}}, 500)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        bodies.check_head(request)
        host = host_of(request)
        found = SERVICES.router.find(self.platform, request.method, host, request.path)
        if found is None:
            raise AzureError(
                404, "NotFound", f"{request.method} https://{host}{request.path} is not part of this local Azure."
            )
        route, parameters = found
        call = Call(self.platform, request, parameters, error=route.table.error)
        call.admit = partial(self._gate.admit, call, route)
        call.admit()
        return await self.platform.part(Faults).serve(call, route)


def _client_environment(platform: Platform, proxy: str, bundle: Path) -> dict[str, str]:
    client_id, secret = tokens(platform).deployer()
    both = {"HTTPS_PROXY": proxy, "NO_PROXY": "127.0.0.1,localhost"}
    certificates = (
        "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    )  # fmt: skip
    return {
        **both,
        **{name.lower(): value for name, value in both.items()},
        **{name: str(bundle) for name in certificates},
        "AZURE_TENANT_ID": TENANT_ID,
        "AZURE_CLIENT_ID": client_id,
        "AZURE_CLIENT_SECRET": secret,
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        "ARM_TENANT_ID": TENANT_ID,
        "ARM_CLIENT_ID": client_id,
        "ARM_CLIENT_SECRET": secret,
        "ARM_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
        runtime.VARIABLE: str(platform.state),
        runtime.INSIDE: "1",
    }


def _surroundings(platform: Platform, inherited: dict[str, str]) -> Json:
    """Return the proxy, its exceptions and the certificate authorities of this machine.

    Inside `amlite run`, the variables are amlite's own, and the proxy would connect to itself. Therefore amlite stores
    their earlier values.
    """
    saved = platform.store.get(_SURROUNDINGS)
    if inherited.get(runtime.VARIABLE) == str(platform.state) and saved is not None and runtime.INSIDE in inherited:
        return saved.body
    lower = {name.lower(): value for name, value in inherited.items()}
    body = {
        "proxy": lower.get("https_proxy") or None,
        "bypass": lower.get("no_proxy") or None,
        "authorities": [inherited[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if inherited.get(name)],
    }
    platform.store.put(_SURROUNDINGS, "settings", body)
    return body


def _left(state: Path) -> list[str]:
    """Return the folders of a state folder that services have filled."""
    return [name for name in _FILLED if (state / name).is_dir()]


def _listen(port: int) -> socket.socket:
    """Listen on a loopback port, or on any free port if it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=256)
    except OSError:
        return socket.create_server(("127.0.0.1", 0), backlog=256)


async def _close(server: asyncio.Server) -> None:
    server.close()


def _log_to(state: Path) -> None:
    folder = state / "logs"
    folder.mkdir(exist_ok=True)
    for logger, name in ((logging.getLogger(), "amlite.log"), (_requests, "requests.jsonl")):
        handler = logging.handlers.RotatingFileHandler(
            folder / name, maxBytes=20_000_000, backupCount=1, encoding="utf-8"
        )
        handler.setFormatter(
            logging.Formatter(
                "%(message)s" if logger is _requests else "%(asctime)s %(name)s %(levelname)s %(message)s"
            )
        )
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    _requests.propagate = False


async def serve(state: Path, lock: TextIO) -> None:
    """Serve a state folder until SIGTERM or SIGINT, or until the folder with the lock is deleted or moved."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(state)
    try:
        runtime.write(state, await server.start(dict(os.environ)))
        while not stop.is_set() and _is_there(lock):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
    finally:
        # If the folder was deleted or moved, and created again, its files belong to another amlite.
        if _is_there(lock):
            runtime.forget(state)
        await server.stop()


def _is_there(file: TextIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), Path(file.name).stat())
    except OSError:
        return False


def main() -> None:
    """Lock the state folder, end the processes that an earlier amlite left, and serve."""
    state = Path(sys.argv[1]).resolve()
    try:
        if (wrong := disk.check(state) or runtime.foreign(state) or runtime.foreign_cache()) is not None:
            print(wrong, file=sys.stderr)
            sys.exit(disk.CODE)
        state.chmod(0o700)  # however it was made: everything in it is for its user only
        with (state / "lock").open("w") as lock:
            _serve_alone(state, lock)
    except (OSError, sqlite3.Error) as error:
        wrong = disk.problem(state, error)
        if wrong is None:
            raise
        print(wrong, file=sys.stderr)
        sys.exit(disk.CODE)


def _serve_alone(state: Path, lock: TextIO) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(runtime.BUSY)
    _log_to(state)
    runtime.remember(state)
    left = reap(state) + plugins.end_left(state)
    if left:
        _log.warning("ended %d processes that an earlier amlite left", left)
    try:
        asyncio.run(serve(state, lock))
    except StartError as error:
        sys.exit(str(error))
    except sqlite3.DatabaseError as error:
        if disk.problem(state, error) is not None:
            raise
        is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        cure = "end the program that uses it" if is_busy else "forget this local Azure with: amlite reset"
        sys.exit(f"{state / DATABASE} cannot be read ({error}); {cure}")


if __name__ == "__main__":
    main()
