"""The image is pushed with a short-lived token and known by its digest alone."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pulumi
import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from pulumi.runtime import set_mocks
from pulumi.runtime.stack import run_pulumi_func

from infra.components import image
from infra.components.image import ContainerImage, ContainerImageArgs, ImageError, verified_reference
from pulumi_azureml.planning import BuildPlan
from tests.unit.infra.deployed import DIGEST, Cloud, Deployment, Monitor, registered

SERVER = "crtest.azurecr.io"
TENANT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


PLAN = BuildPlan(
    context="ml/environments/training",
    dockerfile="Dockerfile",
    arguments={"PYTHON": "3.11"},
    repository="training",
    tag="0123456789abcdef",
    login_server=SERVER,
)


def push(*, preview: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[Deployment, Any, list[str]]:
    """Register the component; returns what was registered, its reference and for which servers a token was got."""
    asked: list[str] = []

    def token(server: str, tenant_id: str) -> str:
        assert tenant_id == TENANT
        asked.append(server)
        return "short-lived"

    monkeypatch.setattr(image, "refresh_token", token)
    monkeypatch.setattr("pulumi.resource_hooks.register_error_hook", registered)
    deployment = Deployment()
    reference: list[Any] = []

    async def program() -> None:
        mocks = Cloud(TENANT, TENANT, "user")
        set_mocks(mocks, project="azureml-platform", stack="dev", preview=preview, monitor=Monitor(mocks, deployment))

        def main() -> None:
            args = ContainerImageArgs(
                plan=PLAN, login_server=pulumi.Output.from_input(SERVER), tenant_id=TENANT, requires=[]
            )
            reference.append(ContainerImage("training", args).reference)

        await run_pulumi_func(main)
        reference.append(await reference.pop().future())

    contextvars.Context().run(asyncio.run, program())
    return deployment, reference[0], asked


def test_the_image_is_tagged_by_its_inputs_and_known_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment, reference, _ = push(preview=False, monkeypatch=monkeypatch)
    (built,) = [resource for resource in deployment.resources if resource.type == "docker:index/image:Image"]
    assert built.inputs["imageName"] == f"{SERVER}/training:0123456789abcdef"
    assert built.inputs["build"] == {
        "context": "ml/environments/training",
        "dockerfile": "ml/environments/training/Dockerfile",
        "args": {"PYTHON": "3.11"},
        "platform": "linux/amd64",
    }
    assert reference == f"{SERVER}/training@{DIGEST}"


def test_the_registry_password_is_a_secret_token(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment, _, asked = push(preview=False, monkeypatch=monkeypatch)
    (built,) = [resource for resource in deployment.resources if resource.type == "docker:index/image:Image"]
    registry = built.inputs["registry"]
    assert registry["server"] == SERVER
    assert registry["username"] == "00000000-0000-0000-0000-000000000000"
    assert "registry" in built.secret_inputs
    assert asked == [SERVER]


def test_a_preview_asks_for_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, asked = push(preview=True, monkeypatch=monkeypatch)
    assert asked == []


@pytest.mark.parametrize(
    "digest", ["", "crtest.azurecr.io/training:tag", f"other.azurecr.io/training@{DIGEST}", DIGEST, f"x@{DIGEST[:-1]}"]
)
def test_a_digest_is_never_guessed(digest: str) -> None:
    with pytest.raises(ImageError, match=r"crtest\.azurecr\.io/training has no digest"):
        verified_reference("crtest.azurecr.io/training", digest)


class _Credential:
    """Signed in as somebody; notes for which resource a token was asked."""

    def get_token(self, scope: str, *, tenant_id: str) -> AccessToken:
        return AccessToken(f"token for {scope} in {tenant_id}", 0)


@dataclass
class Exchange:
    """A registry's token exchange: what it was sent, and what it answers."""

    status: int = 200
    body: str = '{"refresh_token": "short-lived"}'
    received: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """A registry on loopback that the login server's name leads to."""
    answer = Exchange()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            answer.received = {"path": [self.path], **parse_qs(self.rfile.read(length).decode())}
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    send = RequestsTransport.send

    def redirected(transport: RequestsTransport, request: Any, **kwargs: Any) -> Any:
        request.url = request.url.replace(f"https://{SERVER}", f"http://127.0.0.1:{server.server_port}")
        return send(transport, request, **kwargs)

    monkeypatch.setattr(RequestsTransport, "send", redirected)
    monkeypatch.setattr("pulumi_azureml.operations.connection.credential", _Credential)
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_identitys_token_is_exchanged_for_the_registrys(exchange: Exchange) -> None:
    assert image.refresh_token(SERVER, TENANT) == "short-lived"
    assert exchange.received == {
        "path": ["/oauth2/exchange"],
        "grant_type": ["access_token"],
        "service": [SERVER],
        "tenant": [TENANT],
        "access_token": [f"token for https://management.azure.com/.default in {TENANT}"],
    }


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, json.dumps({"errors": [{"code": "UNAUTHORIZED"}]}), r"refuses the signed-in identity \(HTTP 401\)"),
        (200, "<html>", "did not return a refresh token"),
        (200, "{}", "did not return a refresh token"),
    ],
)
def test_a_registry_that_gives_no_token_is_named(exchange: Exchange, status: int, body: str, expected: str) -> None:
    exchange.status, exchange.body = status, body
    with pytest.raises(ImageError, match=expected) as error:
        image.refresh_token(SERVER, TENANT)
    assert SERVER in str(error.value)
    assert "token for" not in str(error.value), "the message must not hold the token"


@pytest.mark.attack
@pytest.mark.parametrize("server", ["example.org", "crtest.azurecr.io@example.org", "crtest.azurecr.io.example.org"])
def test_no_other_host_gets_a_token(exchange: Exchange, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state has the registry's address, and the engine takes it from there if the registry does not change."""
    asked: list[Any] = []
    monkeypatch.setattr("pulumi_azureml.operations.connection.credential", lambda: asked.append(server))
    with pytest.raises(ImageError, match=r"nothing is sent to .*example\.org"):
        image.refresh_token(server, TENANT)
    assert (asked, exchange.received) == ([], {})
