"""The base of all providers: the gRPC server, one session per engine, the engine's log, and errors."""
# ruff: noqa: N802, D102 -- the protocol's methods: gRPC names them, its documentation describes them

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

import grpc
import psutil
from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from amlite.pulumi import values

_THREADS = 32
"""The number of concurrent resources. Most of the time, they wait for ARM or Docker."""
_SESSIONS = 64
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class EngineLog:
    """The engine's own log, where messages appear under their resource on the user's terminal."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=_UNLIMITED)
        self._engine = engine_pb2_grpc.EngineStub(self._channel)

    def message(self, text: str, urn: str, *, warning: bool = False, passing: bool = False) -> None:
        """Show a line. A `passing` line is only the resource's current status and is not kept."""
        severity = engine_pb2.WARNING if warning else engine_pb2.INFO
        try:
            self._engine.Log(engine_pb2.LogRequest(severity=severity, message=text, urn=urn, ephemeral=passing))
        except grpc.RpcError as error:
            # The log must not fail the work. After an interruption, the engine ends before its providers.
            print(f"{urn}: {text} (engine's log: {error.code()})", file=sys.stderr)


def _project_of_engine(address: str) -> Path | None:
    """Return the working directory of the plugins of the engine that listens at `address`.

    An engine tells the project's folder only to providers that it starts, not to those that it attaches to. But the
    process that listens there is the command line, which works in the project or in a folder below it.
    """
    port = int(address.rpartition(":")[2])
    for process in psutil.process_iter(["name"]):
        if not (process.info["name"] or "").startswith("pulumi"):
            continue
        with contextlib.suppress(psutil.Error):
            if any(connection.laddr.port == port for connection in process.net_connections("tcp")):
                return working_directory(Path(process.cwd()))
    return None


def working_directory(folder: Path) -> Path:
    """Return the directory in which an engine runs the program and the plugins of the project of a folder.

    This is the project, or the directory that `main` in Pulumi.yaml names (`getPwdMain` in pulumi/pulumi,
    pkg/engine/project.go).
    """
    import yaml

    project = next((each for each in [folder, *folder.parents] if (each / "Pulumi.yaml").is_file()), None)
    if project is None:
        return folder
    main = project / str((yaml.safe_load((project / "Pulumi.yaml").read_text("utf-8")) or {}).get("main") or "")
    return main if main.is_dir() else main.parent


class Session:
    """The state of one attached engine: its log, and whether it has stopped."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._log: EngineLog | None = None
        self._project: Path | None = None

    def attach(self, address: str) -> None:
        """Take the address of the engine's own interface."""
        self._log = EngineLog(address)
        self._project = _project_of_engine(address)

    def project(self) -> Path:
        """The folder of the Pulumi project's program, which is the working directory of the vendor plugins."""
        return self._project or Path.cwd()

    def log(self, text: str, urn: str, *, warning: bool = False, passing: bool = False) -> None:
        """Show a line under the resource on the user's terminal (see `EngineLog.message`)."""
        if self._log is not None:
            self._log.message(text, urn, warning=warning, passing=passing)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the provider's configuration of the stack, as plain values."""


SessionT = TypeVar("SessionT", bound=Session)


class Provider(provider_pb2_grpc.ResourceProviderServicer, Generic[SessionT]):
    """The part of the protocol that does not depend on the resources: handshake, configuration and cancellation.

    The process outlives a run of an engine. It can serve two engines with different credentials at the same time. Each
    plugin instance of an engine has its own connection, so the connection's peer address identifies the session: the
    path to which `activation` binds its end.
    """

    version: str

    def __init__(self, new_session: Callable[[], SessionT]) -> None:
        self._new_session = new_session
        self._lock = threading.Lock()
        self._by_peer: OrderedDict[str, SessionT] = OrderedDict()

    def session(self, context: grpc.ServicerContext) -> SessionT:
        """Return the session of the calling engine. Create it at the first call."""
        with self._lock:
            session = self._by_peer.pop(context.peer(), None) or self._new_session()
            self._by_peer[context.peer()] = session
            while len(self._by_peer) > _SESSIONS:
                self._by_peer.popitem(last=False)
            return session

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        # An engine starts with this call. An earlier engine may have had the same peer address.
        with self._lock:
            self._by_peer.pop(context.peer(), None)
        if request.engine_address:
            self.session(context).attach(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.session(context).attach(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.version)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse()

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self.session(context).configure(values.plain(request.args))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.session(context).cancelled.set()
        return empty_pb2.Empty()


def token_and_name(urn: str) -> tuple[str, str]:
    """Return the resource's type token and its name in the program, from its URN."""
    _, _, types, name = urn.split("::", 3)
    return types.rpartition("$")[2], name


def diff_response(found: Mapping[str, str], replacing: Collection[str] = ()) -> provider_pb2.DiffResponse:
    """The engine's form of `values.differences`; those in `replacing` ask for a new resource.

    Like the real azure-native, it deletes the old resource first.
    """
    kinds = provider_pb2.PropertyDiff.Kind
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=[path for path in found if path in replacing],
        deleteBeforeReplace=any(path in replacing for path in found),
        diffs=sorted({path.partition(".")[0].partition("[")[0] for path in found}),
        detailedDiff={
            path: provider_pb2.PropertyDiff(
                kind=kinds.Value(f"{kind}_replace".upper() if path in replacing else kind.upper()), inputDiff=True
            )
            for path, kind in found.items()
        },
        hasDetailedDiff=True,
    )


def fail(context: grpc.ServicerContext, message: str, detail: Message | None = None) -> NoReturn:
    """End the call with an error that the engine prints. `detail` is a typed error, such as ErrorResourceInitFailed."""
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    if detail is not None:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort always raises")


def serve(servicer: provider_pb2_grpc.ResourceProviderServicer, path: Path) -> None:
    """Serve the provider at a socket until SIGINT or SIGTERM."""
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_UNLIMITED)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{path}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    # A signal to another thread does not end a wait, so each wait is short.
    while not stop.wait(1):
        pass
    server.stop(grace=None).wait()
