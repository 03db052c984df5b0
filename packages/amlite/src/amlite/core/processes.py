"""Child processes: they start on first use and end with amlite. After a kill, the next amlite ends them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import aiohttp
import psutil
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace
from yarl import URL

from amlite.core import contained, private_folder
from amlite.core.errors import AzureError, StartError

OWNER_VARIABLE = "AMLITE_OWNER"
_GRACE_SECONDS = 5.0
_PORTS = 3  # that are tried, because another program can take one before the child does
_LONG_LINE, _MOST_LINES = 2000, 5000
# A child may close a connection that waits just when the next request begins, and a request that is no GET cannot be
# repeated. gunicorn, of model servers, closes after two seconds; uvicorn and Node after five.
_IDLE_SECONDS = 1.0


class _SocketConnector(aiohttp.UnixConnector):
    """Connects to the socket of a program, which could put a link to another one's in its place."""

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the method that aiohttp calls
    ) -> ResponseHandler:
        loop = asyncio.get_running_loop()
        try:
            with contained.socket(Path(self.path)) as address:
                _, protocol = await loop.create_unix_connection(self._factory, address)
        except OSError as error:
            raise UnixClientConnectorError(self.path, req.connection_key, error) from error
        return protocol


class Child:
    """A running child process, its log file and where it listens: a loopback port (0 if none) or a socket.

    Other users can connect to a port, and cannot enter the folder of a socket.
    """

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: Path, port: int, socket: Path | None = None
    ) -> None:
        self.name = name
        self.process = process
        self.log = log
        self.port = port
        self.socket = socket
        self._session: aiohttp.ClientSession | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """The session for requests to this child, whose paths start with `/`."""
        if self._session is None:
            connector = (
                _SocketConnector(str(self.socket), limit=0, keepalive_timeout=_IDLE_SECONDS)
                if self.socket
                else aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
            )
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    def url(self, raw_path: str) -> URL:
        """Return the address of an encoded path at this child, for `http`."""
        host = "localhost" if self.socket else f"127.0.0.1:{self.port}"
        return URL(f"http://{host}{raw_path}", encoded=True)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.returncode is None


class Children:
    """Starts each named child once, even if several callers need it at the same time."""

    def __init__(self, state: Path) -> None:
        """Write logs to `state/logs` and mark every child with its owner `state`."""
        self._state = state
        self._running: dict[str, Child] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._sockets = itertools.count()
        self._stopping = False

    def list(self) -> list[Child]:
        """Return the children that are running."""
        return [child for child in self._running.values() if child.running]

    def is_running(self, name: str) -> bool:
        """Whether a named child is running."""
        child = self._running.get(name)
        return child is not None and child.running

    async def ensure(
        self,
        name: str,
        command: Callable[[int], Sequence[str | Path]],
        *,
        ready: Callable[[Child], Awaitable[bool]] | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60.0,  # noqa: ASYNC109 - of the child's readiness, not of this call
    ) -> Child:
        """Return the running child `name`. If it does not run, start it with `command(port)`.

        `ready` is polled until it is true (default: the child accepts a connection). Raises StartError with the end of
        the child's log if the child ends early or is not ready within `timeout` seconds.
        """
        async with self._locks.setdefault(name, asyncio.Lock()):
            child = self._running.get(name)
            if child is not None and child.running:
                return child
            for left in range(_PORTS - 1, -1, -1):
                port = free_port()
                made = await self.spawn(name, command(port), environment=environment, cwd=cwd, port=port)
                try:
                    await self._wait(made, ready or connects, timeout)
                except StartError:
                    if not left or not await _is_taken(port):
                        raise
                else:
                    self._running[name] = made
                    return made
            raise AssertionError("unreachable")

    async def ensure_at_socket(
        self,
        name: str,
        command: Callable[[Path], Sequence[str | Path]],
        *,
        ready: Callable[[Child], Awaitable[bool]] | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60.0,  # noqa: ASYNC109 - of the child's readiness, not of this call
    ) -> Child:
        """Like `ensure`, for a program that can listen on a socket: it is started with `command(socket)`."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            child = self._running.get(name)
            if child is not None and child.running:
                return child
            # A folder of its own, which a container can mount. A new one each time: a child that ends late would
            # delete the socket of the next one.
            folder = private_folder.ensure(self._state) / f"child-{next(self._sockets)}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            socket = folder / "http.sock"
            child = await self.spawn(name, command(socket), environment=environment, cwd=cwd, socket=socket)
            await self._wait(child, ready or connects, timeout)
            self._running[name] = child
            return child

    async def spawn(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        port: int = 0,
        socket: Path | None = None,
        log: Path | None = None,
    ) -> Child:
        """Start a process in its own session, with its output in `log` (default `logs/<name>.log`)."""
        if self._stopping:
            raise StartError(f"cannot start {name}: amlite is stopping")
        log = log or self._state / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *[str(part) for part in command],
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=cwd,
                    env={**(os.environ if environment is None else environment), OWNER_VARIABLE: str(self._state)},
                    start_new_session=True,
                )
            except OSError as error:
                raise StartError(f"cannot start {name} ({command[0]}): {error.strerror}") from error
        return Child(name, process, log, port, socket)

    async def stop(self, name: str) -> None:
        """End the named child and its descendants, if it runs.

        A concurrent request for the child waits for its end, so that two never share a folder.
        """
        async with self._locks.setdefault(name, asyncio.Lock()):
            child = self._running.pop(name, None)
            if child is not None:
                await end(child)

    async def stop_all(self) -> None:
        """End every child and every other process with this owner's mark. No child can start afterwards."""
        self._stopping = True
        await asyncio.gather(*(self.stop(name) for name in list(self._running)))
        await asyncio.to_thread(reap, self._state)

    async def _wait(self, child: Child, ready: Callable[[Child], Awaitable[bool]], timeout_seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while not await ready(child):
            late = asyncio.get_running_loop().time() > deadline
            if late or not child.running:
                await end(child)
                why = (
                    f"was not ready after {timeout_seconds:.0f} s" if late else f"ended with {child.process.returncode}"
                )
                raise StartError(f"{child.name} {why}; log {child.log}:\n{tail(child.log)}")
            await asyncio.sleep(0.05)


async def connects(child: Child) -> bool:
    """Whether a child accepts a connection. Whoever took its port before does not count: requests have signatures."""
    if child.socket is None:
        return await _is_taken(child.port) and await asyncio.to_thread(_listens, child.process.pid, child.port)
    try:
        with contained.socket(child.socket) as address:
            _, writer = await asyncio.open_unix_connection(address)
    except OSError:
        return False
    writer.close()
    return True


async def _is_taken(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _listens(pid: int, port: int) -> bool:
    """Whether a process or one of its descendants listens on a port."""
    try:
        root = psutil.Process(pid)
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == port
            for process in (root, *root.children(recursive=True))
            for each in process.net_connections("tcp")
        )
    except psutil.Error:
        return False


def free_port() -> int:
    """Return a free loopback TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 15, *, within: Path | None = None) -> str:
    """Return the last lines of a log file, or an empty string, also for a link that leads out of `within`.

    Only the end of the file is read: a job can make it as long as a disk.
    """
    lines = max(1, min(lines, _MOST_LINES))
    most = lines * _LONG_LINE
    try:
        with contained.opened(log, within or log.parent) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            return "\n".join(file.read(most).decode("utf-8", "replace").splitlines()[-lines:])
    except AzureError:
        return ""


async def end(child: Child) -> None:
    """End a child and its descendants with a signal, and kill them after five seconds."""
    await child.close()
    if child.running:
        await asyncio.to_thread(_end_tree, child.process.pid)
    await child.process.wait()
    if child.socket is not None:
        await asyncio.to_thread(shutil.rmtree, child.socket.parent, ignore_errors=True)


def reap(state: Path) -> int:
    """End every process with the owner mark of `state`, except this one. Return their number."""
    mark = str(state)
    ended = 0
    # Repeat until none is left, because a process can start another one during the search.
    while found := [process for process in psutil.process_iter() if _carries(process, mark)]:
        end_all(found)
        ended += len(found)
        if all(map(runs, found)):
            break  # belongs to another user
    return ended


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(OWNER_VARIABLE) == mark and runs(process)
    except (psutil.Error, OSError):
        return False


def _end_tree(pid: int) -> None:
    try:
        root = psutil.Process(pid)
        end_all([root, *root.children(recursive=True)])
    except psutil.NoSuchProcess:
        return


def end_all(processes: list[psutil.Process]) -> None:
    """End processes with a signal, and kill them after five seconds."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _wait(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _wait(processes)


def _wait(processes: list[psutil.Process]) -> None:
    # Not psutil's wait, because it would take the exit codes of children from asyncio.
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(map(runs, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)


def runs(process: psutil.Process) -> bool:
    """Whether a process has not ended. A zombie has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def servers(state: Path) -> list[psutil.Process]:
    """Return this user's processes that serve a state folder, or that are about to: they may not answer yet."""
    serves, found = ["amlite.server", str(state)], []
    for each in psutil.process_iter(["cmdline", "uids"]):
        is_own = each.info["uids"] is not None and each.info["uids"].effective == os.geteuid()
        if is_own and (each.info["cmdline"] or [])[-2:] == serves:
            found.append(each)
    return found


def tool(name: str) -> Path | None:
    """Find a program beside this Python (in its virtual environment), then on PATH."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    return Path(found) if found else None
