"""A provider under test over real gRPC, and a small ARM over real TLS behind it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
import trustme
from azure.core.credentials import AccessToken
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from amlite import arm_client
from amlite.pulumi import values
from amlite.pulumi.azure_native import AzureNative
from amlite.pulumi.azure_session import AzureSession

SUBSCRIPTION = "10ca1000-0000-4000-9000-616d6c697465"


@dataclass
class FakeArm:
    """Resources by id, every request in order, and the failures to answer with."""

    url: str = ""
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    answer_with: tuple[int, dict[str, Any]] | None = None
    operation: dict[str, Any] | None = None
    polls_left: int = 0
    polled: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        properties = body.get("properties", {}) | {"provisioningState": "Succeeded"}
        self.resources[path.lower()] = body | {"id": path, "name": name, "properties": properties}
        return self.resources[path.lower()]


def _handler(arm: FakeArm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

        def _answer(self, status: int, body: dict[str, Any] | None = None, **headers: str) -> None:
            content = json.dumps(body).encode() if body is not None else b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(content)

        def _handle(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            arm.requests.append((self.command, url.path, parse_qs(url.query).get("api-version", [""])[0]))
            if url.path == "/operation":
                arm.polls_left -= 1
                arm.polled.set()
                running = {"status": "Running"}
                self._answer(200, running if arm.polls_left >= 0 else arm.operation, Retry_After="0.01")
            elif self.headers["Authorization"] != "Bearer test-token":
                self._answer(401, {"error": {"code": "InvalidAuthenticationToken", "message": "no token"}})
            elif self.command == "GET":
                found = arm.resources.get(url.path.lower())
                missing = {"error": {"code": "ResourceNotFound", "message": "not found"}}
                self._answer(200 if found else 404, found or missing)
            elif arm.answer_with is not None:
                self._answer(*arm.answer_with)
            elif self.command == "DELETE":
                self._answer(200 if arm.resources.pop(url.path.lower(), None) else 404)
            else:
                arm.bodies.append(body)
                resource = arm.put(url.path, body)
                if arm.operation is not None:
                    self._answer(201, resource, Azure_AsyncOperation=f"{arm.url}/operation", Retry_After="0.01")
                else:
                    self._answer(201, resource)

        do_GET = do_PUT = do_DELETE = do_POST = _handle  # noqa: N815 -- the base class looks these names up

    return Handler


@pytest.fixture
def arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeArm]:
    """An ARM on loopback, with a certificate that the process trusts for this test."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    fake = FakeArm()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    fake.url = f"https://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(arm_client, "ENDPOINT", fake.url)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


class _Credential:
    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes == ("https://management.azure.com/.default",)
        return AccessToken("test-token", 2**40)


class _Session(AzureSession):
    credential = _Credential()


@dataclass
class Engine:
    """The calls that the Pulumi engine makes, for one provider."""

    stub: provider_pb2_grpc.ResourceProviderStub

    def configure(self) -> None:
        settings = {"subscriptionId": SUBSCRIPTION, "location": "westeurope"}
        self.stub.Configure(provider_pb2.ConfigureRequest(args=values.struct(settings)))

    def urn(self, token: str, name: str) -> str:
        return f"urn:pulumi:local::program::pkg:index:Group${token}::{name}"

    def check(self, token: str, name: str, news: struct_pb2.Struct | dict[str, Any], **old: Any) -> Any:
        inputs = news if isinstance(news, struct_pb2.Struct) else values.struct(news)
        request = provider_pb2.CheckRequest(
            urn=self.urn(token, name), news=inputs, olds=values.struct(old), randomSeed=b"seed"
        )
        return self.stub.Check(request)

    def diff(self, token: str, old: dict[str, Any], new: dict[str, Any]) -> Any:
        request = provider_pb2.DiffRequest(
            urn=self.urn(token, "it"), old_inputs=values.struct(old), news=values.struct(new)
        )
        return self.stub.Diff(request)

    def create(self, token: str, inputs: dict[str, Any], *, preview: bool = False, secrets: str = "") -> Any:
        properties = values.struct(inputs, frozenset(secrets.split()))
        request = provider_pb2.CreateRequest(urn=self.urn(token, "it"), properties=properties, preview=preview)
        return self.stub.Create(request)

    def update(
        self, token: str, arm_id: str, olds: dict[str, Any], news: dict[str, Any], *, preview: bool = False
    ) -> Any:
        request = provider_pb2.UpdateRequest(
            urn=self.urn(token, "it"),
            id=arm_id,
            olds=values.struct(olds),
            news=values.struct(news),
            preview=preview,
        )
        return self.stub.Update(request)

    def read(self, token: str, arm_id: str, inputs: dict[str, Any] | None = None) -> Any:
        request = provider_pb2.ReadRequest(urn=self.urn(token, "it"), id=arm_id, inputs=values.struct(inputs or {}))
        return self.stub.Read(request)

    def delete(self, token: str, arm_id: str) -> None:
        self.stub.Delete(provider_pb2.DeleteRequest(urn=self.urn(token, "it"), id=arm_id))


@pytest.fixture
def engine(arm: FakeArm) -> Iterator[Engine]:
    """The azure-native provider behind a gRPC channel, configured as the local stack configures it."""
    assert arm.url, "the provider calls this ARM alone"
    server = grpc.server(ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AzureNative(_Session), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        engine = Engine(stub)
        engine.configure()
        yield engine
    server.stop(None).wait()
