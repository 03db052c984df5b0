"""Pain 26: azure-core's own policies repeat what Azure throttles or drops, and wait as long as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest
from azure.storage.blob import BlobClient

from azureml_fixtures.transport import Transport
from pulumi_azureml.operations import connection
from pulumi_azureml.operations.connection import Workspace, say_when_to_ask_again

ID = (
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
    "/environments/env/versions/1"
)
ENVIRONMENT = {"id": ID, "name": "1", "properties": {"image": "python:3.11", "isAnonymous": False}}


class Credential:
    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", 4102444800)


@pytest.fixture
def get() -> Callable[[Transport], Any]:
    """Return a function that reads an environment version through a transport, by the real client."""
    from azure.ai.ml import MLClient

    def get(transport: Transport) -> Any:
        options = {"raw_response_hook": say_when_to_ask_again} if transport.code != "Busy" else {}
        ml = MLClient(Credential(), "s", "rg", "ws", transport=transport, enable_telemetry=False, **options)
        return ml.environments.get("env", version="1")

    return get


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_throttling_and_server_errors_are_repeated_after_the_time_that_azure_says(
    get: Callable[[Transport], Any], status: int
) -> None:
    transport = Transport((status, {"Retry-After": "7"}), (status, {"Retry-After": "3"}), content=ENVIRONMENT)
    assert get(transport).image == "python:3.11"
    assert transport.slept == [7, 3]


def test_a_connection_that_breaks_is_tried_again(get: Callable[[Transport], Any]) -> None:
    transport = Transport(ServiceRequestError("connection reset"), content=ENVIRONMENT)
    assert get(transport).image == "python:3.11"
    assert transport.asked == 2


def post(path: str, transport: Transport) -> int:
    policies = connection.chain(Credential(), "https://a/.default")
    client: PipelineClient[Any, Any] = PipelineClient("https://a", policies=policies, transport=transport)
    status: int = client.send_request(HttpRequest("POST", f"https://a/workspaces/ws/{path}")).status_code
    return status


@pytest.mark.parametrize("failure", [(500, {}), (502, {}), (504, {}), ServiceResponseError("connection reset")])
@pytest.mark.parametrize(
    "path",
    [
        "onlineEndpoints/e/listKeys",
        "datastores/d/listSecrets?api-version=1",
        "codes/c/versions/1/startPendingUpload",
        "rundata",
        "dataversion/batchGetResolvedUris",
        "experiments/x/runs/r/artifacts/batch/metadata",
    ],
)
def test_a_post_that_does_no_harm_is_repeated(path: str, failure: Any) -> None:
    transport = Transport(failure, content={})
    assert post(path, transport) == 200
    assert transport.asked == 2


@pytest.mark.parametrize("path", ["onlineEndpoints/e/regenerateKeys", "jobs", "jobs?then=/listKeys"])
def test_any_other_post_is_sent_once_if_azure_may_have_done_it(path: str) -> None:
    transport = Transport((502, {}), content={})
    assert post(path, transport) == 502
    lost = Transport(ServiceResponseError("connection reset"), content={})
    with pytest.raises(ServiceResponseError):
        post(path, lost)
    assert (transport.asked, lost.asked) == (1, 1)


def test_the_real_client_repeats_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of an endpoint are read by a POST, after the endpoint itself."""
    transport = Transport(content={"location": "westeurope", "properties": {"authMode": "Key"}, "primaryKey": "secret"})
    answer = transport.send

    def send(request: Any, **options: Any) -> Any:
        if request.method == "POST" and not posts:
            transport.failures = [ServiceResponseError("connection reset"), (502, {})]
        posts.extend([request.url] if request.method == "POST" else [])
        return answer(request, **options)

    posts: list[str] = []
    monkeypatch.setattr(transport, "send", send)
    monkeypatch.setattr(connection, "transport", lambda: transport)
    client = connection._client(Workspace("s", "rg", "ws"), Credential())
    assert client.online_endpoints.get_keys("e").primary_key == "secret"
    assert len(posts) == 3
    assert "/listKeys" in posts[0]


@pytest.mark.parametrize(
    ("code", "message", "asked"),
    [
        ("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time", 3),
        ("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.", 3),
        ("InvalidAuthenticationToken", "The access token is invalid.", 1),
    ],
)
def test_only_an_expired_token_is_worth_another_attempt(
    get: Callable[[Transport], Any], code: str, message: str, asked: int
) -> None:
    transport = Transport((401, {}), (401, {}), content=ENVIRONMENT)
    transport.code, transport.message = code, message
    if asked == 1:
        with pytest.raises(HttpResponseError):
            get(transport)
    else:
        assert get(transport).image == "python:3.11"
        assert transport.slept == [0.5, 0.5]
    assert transport.asked == asked


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the tokens that Entra ID issued. A credential keeps its token, as azure-identity's cache does."""
    issued: list[str] = []

    class Cached(Credential):
        def __init__(self, **_options: Any) -> None:
            self.token = f"token-{len(issued)}"
            issued.append(self.token)

        def get_token(self, *_: str, **__: Any) -> AccessToken:
            return AccessToken(self.token, 4102444800)

        def get_token_info(self, *_: str, options: Any = None) -> AccessToken:
            return self.get_token()

    monkeypatch.setattr("pulumi_azureml.operations.sdk.DefaultAzureCredential", Cached)
    connection.sign_in_again()
    yield issued
    connection.sign_in_again()


def test_a_token_that_azure_takes_as_expired_is_not_sent_again(signed_in: list[str]) -> None:
    """The clock of this machine is late, so azure-identity would give the refused token again."""
    transport = Transport((401, {}), content={})
    transport.code = "ExpiredAuthenticationToken"
    policies = connection.chain(connection.credential(), "https://management.azure.com/.default")
    client: PipelineClient[Any, Any] = PipelineClient("https://a", policies=policies, transport=transport)
    assert client.send_request(HttpRequest("POST", "https://a/b")).status_code == 200
    assert transport.tokens == ["Bearer token-0", "Bearer token-1"]
    assert signed_in == ["token-0", "token-1"]


def test_many_requests_with_the_same_refused_token_sign_in_once(signed_in: list[str]) -> None:
    shared = connection.credential()
    refused = shared.get_token("scope").token
    for _ in range(3):
        shared.renew(refused)
    assert shared.get_token("scope").token == "token-1"
    assert signed_in == ["token-0", "token-1"]


def test_an_upload_repeats_requests_with_expired_tokens(signed_in: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-storage's own policies repeat them once."""
    transport = Transport(*[(401, {})] * 4, (500, {}), content={}, status=201)
    transport.code, transport.message = "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired."
    monkeypatch.setattr(connection, "transport", lambda: transport)
    blob = BlobClient(
        "https://a.blob.core.windows.net", "c", "b", credential=connection.credential(), **connection.blob_options()
    )
    blob.upload_blob(BytesIO(b"content"), length=7, overwrite=True)
    assert [request.body for request in transport.requests] == [b"content"] * 6
    assert len(set(transport.tokens)) == len(signed_in) == 5


def test_a_refusal_is_not_repeated(get: Callable[[Transport], Any]) -> None:
    transport = Transport((400, {}))
    with pytest.raises(HttpResponseError):
        get(transport)
    assert transport.asked == 1
