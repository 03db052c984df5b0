"""The Python language host for a Pulumi CLI that was built from Go modules.

The official host is not published as a Go module, and a language host is a small gRPC service: the engine asks it to
run a program, and it starts the project's interpreter on `pulumi-language-python-exec`, which comes with the SDK's
module. An officially installed CLI brings its own host and never meets this one.

The engine starts it with its own address as the last argument, reads the port from the first line of output, and
ends it by SIGINT or SIGTERM.
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
    """Make `pulumi.runtime.proto` importable without running `pulumi/__init__.py`, which costs half a second."""
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
"""The executor's exit code for "the error has been shown to the user already"."""

GRACE_SECONDS = 5.0
"""Between asking a program to end and ending it."""

DEPENDENCIES = """
import importlib.metadata as m, json, re
found = {re.sub(r"[-_.]+", "-", d.name).lower(): d for d in m.distributions()}
names = [re.match(r"[A-Za-z0-9._-]+", r)[0] for d in found.values() for r in d.requires or ()]
needed = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
print(json.dumps([[d.name, d.version, n not in needed] for n, d in sorted(found.items())]))
"""
"""Prints name, version, and whether no other package needs it, of all packages of an interpreter."""


class NoInterpreterError(Exception):
    """The project's virtual environment is not there; the message names it and the fix."""


class Children:
    """The programs that run now, so that whoever stops the host stops them too."""

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
        """Forget a program that has ended."""
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """Ask every program to end, then make it."""
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
    """The Python of a project, by the options of its runtime in Pulumi.yaml.

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
    """The arguments of `pulumi-language-python-exec` for a `RunRequest`."""
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
    """`pulumirpc.LanguageRuntime` for Python. Code generation is left out: it is not part of running a program.

    Args:
        engine: The engine's address.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._cancelled = threading.Event()
        self.children = Children()

    def Handshake(self, request: Any, context: Any) -> Any:
        """Learn the engine's address."""
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Our version: the CLI's."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        """Nothing ahead of time: the engine gets a provider when the program first asks for it.

        To name every provider whose SDK is installed would have the engine download all of them before each run,
        those that it is told to attach to as well.
        """
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, request: Any, context: Any) -> Any:
        """The project's interpreter, for `pulumi about`."""
        try:
            python = interpreter(request.info)
        except NoInterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        version = subprocess.run([python, "-V"], capture_output=True, text=True, check=False).stdout
        return language_pb2.AboutResponse(executable=python, version=version.removeprefix("Python ").strip())

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        """The project's packages, for `pulumi about`: all, or those that no other package needs."""
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
        """`pulumi install`: the environment is set-up's work; here we only say whether it is there."""
        try:
            python = interpreter(request.info)
        except NoInterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        yield language_pb2.InstallDependenciesResponse(stdout=f"using {python}\n".encode())

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
        """Nothing to ask."""
        return language_pb2.RuntimeOptionsResponse()

    def Run(self, request: Any, context: Any) -> Any:
        """Run the program to its end."""
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
        """Run a plugin that is written in Python, passing its output on until it ends."""
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
        """The engine is stopping, and has said so: programs end without a traceback."""
        self._cancelled.set()
        self.children.stop()
        return empty_pb2.Empty()


def _stdout(chunk: bytes) -> Any:
    return language_pb2.RunPluginResponse(stdout=chunk)


def _stderr(chunk: bytes) -> Any:
    return language_pb2.RunPluginResponse(stderr=chunk)


def _output_of(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Both streams of a plugin, as they come, until both are closed."""
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
    """Serve until the engine ends us.

    Returns:
        The exit code.
    """
    addresses = [word for word in sys.argv[1:] if not word.startswith("-")]
    host = LanguageHost(addresses[-1] if addresses else "")
    # As many threads as the engine may ask at once: a run holds one to its end.
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
    # A signal that another thread receives does not end a wait, so each wait is short.
    while not stopping.wait(1):
        pass
    host.children.stop()
    server.stop(grace=1).wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
