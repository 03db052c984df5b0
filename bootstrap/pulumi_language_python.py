"""The Python language host for a Pulumi CLI that was built from Go modules.

The official host is not published as a Go module. A language host is a small gRPC service: the engine asks it to run a
program, and it starts `pulumi-language-python-exec` from the SDK's module with the project's interpreter. An officially
installed CLI has its own host and does not use this one.

The engine starts the host with the engine's address as the last argument, reads the port from the first line of output,
and ends it with SIGINT or SIGTERM. If the engine was killed, the host ends by itself.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any


def _load_protobufs_only() -> None:
    """Make `pulumi.runtime.proto` importable without running `pulumi/__init__.py`, which takes half a second."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.submodule_search_locations is None:
        sys.exit(
            f"{sys.executable} has no Pulumi SDK: install the project's requirements into its virtual environment."
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    for name, path in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        package = ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package


if __name__ == "__main__":
    _load_protobufs_only()

import grpc  # noqa: E402
from google.protobuf import empty_pb2  # noqa: E402
from google.protobuf.json_format import MessageToDict  # noqa: E402
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2  # noqa: E402

VERSION = "3.259.0"
EXECUTOR = Path(__file__).resolve().parent / "bin" / "pulumi-language-python-exec"

BAIL = 32
"""The executor's exit code for an error that the user has already seen."""

GRACE_SECONDS = 5.0
"""The seconds between the signal to end and the kill of a program."""

DEPENDENCIES = """
import importlib.metadata as m, json, re
found = {re.sub(r"[-_.]+", "-", d.name).lower(): d for d in m.distributions()}
names = [re.match(r"[A-Za-z0-9._-]+", r)[0] for d in found.values() for r in d.requires or ()]
needed = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
print(json.dumps([[d.name, d.version, n not in needed] for n, d in sorted(found.items())]))
"""
"""Prints all packages of an interpreter: name, version, and whether no other package needs it."""


class NoInterpreterError(Exception):
    """The project's virtual environment does not exist. The message names it and the fix."""


class Children:
    """The running programs, so that they end with the host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program."""
        with self._lock:
            process = subprocess.Popen(command, **options)
            self._running.add(process)
        return process

    def ended(self, process: subprocess.Popen[bytes]) -> None:
        """Remove a program that has ended."""
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """Send every program a signal to end, then kill it."""
        with self._lock:
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def interpreter(info: Any) -> str:
    """Return the Python of a project, from the options of its runtime in Pulumi.yaml.

    Args:
        info: A `ProgramInfo`: `virtualenv` is relative to the root directory; `toolchain: uv` means `.venv`.

    Raises:
        NoInterpreterError: The virtual environment does not exist.
    """
    options = MessageToDict(info.options)
    folder = options.get("virtualenv") or (".venv" if options.get("toolchain") == "uv" else None)
    if folder is None:
        return os.environ.get("PULUMI_PYTHON_CMD") or sys.executable
    python = Path(info.root_directory, folder, "bin", "python")
    if not python.exists():
        raise NoInterpreterError(
            f"Pulumi.yaml names the virtual environment {python.parent.parent}, which has no bin/python; "
            "make it and install the project's requirements into it (here: `make setup`)"
        )
    return str(python)


def executor_arguments(request: Any, engine: str) -> list[str]:
    """Return the arguments of `pulumi-language-python-exec` for a `RunRequest`."""
    options = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "root_directory": request.info.root_directory,
        "stack": request.stack,
        "pwd": request.pwd,
        "dry_run": "true" if request.dryRun else "false",
        "parallel": str(request.parallel),
        "organization": request.organization,
    }
    arguments = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    program = str(Path(request.info.program_directory, request.info.entry_point))
    return [*arguments, program, *request.args]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """`pulumirpc.LanguageRuntime` for Python, without code generation, which running a program does not need.

    Args:
        engine: The engine's address.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._cancelled = threading.Event()
        self.children = Children()

    def Handshake(self, request: Any, context: Any) -> Any:
        """Store the engine's address."""
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Return the version of this host, which is the CLI's."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        """Return no packages, so that the engine loads a provider when the program first uses it.

        If this named every provider whose SDK is installed, the engine would download all of them before each run,
        including those to which it attaches.
        """
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, request: Any, context: Any) -> Any:
        """Return the project's interpreter, for `pulumi about`."""
        try:
            python = interpreter(request.info)
        except NoInterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        version = subprocess.run([python, "-V"], capture_output=True, text=True, check=False).stdout
        return language_pb2.AboutResponse(executable=python, version=version.removeprefix("Python ").strip())

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        """Return the project's packages, for `pulumi about`: all of them, or those that no other package needs."""
        try:
            command = [interpreter(request.info), "-c", DEPENDENCIES]
        except NoInterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        listing = subprocess.run(command, capture_output=True, text=True, check=False)
        if listing.returncode != 0:
            context.abort(grpc.StatusCode.INTERNAL, f"listing packages failed: {listing.stderr.strip()[-300:]}")
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version)
                for name, version, top in json.loads(listing.stdout)
                if top or request.transitiveDependencies
            ]
        )

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        """Handle `pulumi install`. Set-up creates the environment, so this only reports whether it exists."""
        try:
            python = interpreter(request.info)
        except NoInterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        yield language_pb2.InstallDependenciesResponse(stdout=f"using {python}\n".encode())

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
        """Return no prompts."""
        return language_pb2.RuntimeOptionsResponse()

    def Run(self, request: Any, context: Any) -> Any:
        """Run the program and wait for its end."""
        try:
            python = interpreter(request.info)
        except NoInterpreterError as error:
            return language_pb2.RunResponse(error=str(error))
        environment = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        command = [python, "-u", str(EXECUTOR), *executor_arguments(request, self._engine)]
        process = self.children.start(command, env=environment, cwd=request.info.program_directory or None)
        try:
            code = process.wait()
        finally:
            self.children.ended(process)
        if code == BAIL or self._cancelled.is_set():
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"the program was ended by signal {signal.Signals(-code).name}")
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}" if code else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """Run a plugin that is written in Python, and forward its output until it ends."""
        try:
            python = interpreter(request.info)
        except NoInterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        environment = dict(entry.split("=", 1) for entry in request.env if "=" in entry) or dict(os.environ)
        process = self.children.start(
            [python, "-u", request.info.program_directory, *request.args],
            env=environment,
            cwd=request.pwd or None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        try:
            yield from _output_of(process)
            yield language_pb2.RunPluginResponse(exitcode=process.wait())
        finally:
            self.children.ended(process)

    def Cancel(self, request: Any, context: Any) -> Any:
        """End the programs without a traceback when the engine stops."""
        self._cancelled.set()
        self.children.stop()
        return empty_pb2.Empty()


def _stdout(chunk: bytes) -> Any:
    return language_pb2.RunPluginResponse(stdout=chunk)


def _stderr(chunk: bytes) -> Any:
    return language_pb2.RunPluginResponse(stderr=chunk)


def _output_of(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Yield the output of both streams of a plugin until both are closed."""
    arrived = threading.Condition()
    chunks: list[Any] = []
    opened = 2

    def read(stream: Any, response: Callable[[bytes], Any]) -> None:
        nonlocal opened
        while chunk := stream.read1(65536):
            with arrived:
                chunks.append(response(chunk))
                arrived.notify()
        with arrived:
            opened -= 1
            arrived.notify()

    threading.Thread(target=read, args=(process.stdout, _stdout), daemon=True).start()
    threading.Thread(target=read, args=(process.stderr, _stderr), daemon=True).start()
    while True:
        with arrived:
            arrived.wait_for(lambda: bool(chunks) or opened == 0)
            if not chunks:
                return
            response = chunks.pop(0)
        yield response


def main() -> int:
    """Serve until the engine ends this process, or has ended itself. A killed engine sends no signal.

    Returns:
        The exit code.
    """
    engine = os.getppid()
    addresses = [word for word in sys.argv[1:] if not word.startswith("-")]
    host = LanguageHost(addresses[-1] if addresses else "")
    # One thread for each concurrent request of the engine: a run occupies one until it ends.
    server = grpc.server(futures.ThreadPoolExecutor(16))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server.start()
    print(port, flush=True)
    # A signal to another thread does not end a wait, so each wait is short.
    while not stopping.wait(1) and os.getppid() == engine:
        pass
    host.children.stop()
    server.stop(grace=1).wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
