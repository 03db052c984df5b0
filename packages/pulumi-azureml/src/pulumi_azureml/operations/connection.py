"""The connection to Azure. azure-ai-ml is imported at the first request, because it takes a second and 100 MB."""

from __future__ import annotations

import functools
import logging
import os
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pulumi_azureml.operations.federation import federated_identity

if TYPE_CHECKING:
    from ssl import SSLContext

    from azure.ai.ml import MLClient
    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential, TokenRequestOptions
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.pipeline.transport import RequestsTransport

_log = logging.getLogger(__name__)
_local = threading.local()
_lock = threading.Lock()
# The number of connections to keep: one for each resource that is updated at the same time.
_CONNECTIONS = 32
# Options of azure-core's retries. A request that is throttled or fails is retried for up to three minutes if Azure does
# not send a time to wait.
RETRIES: dict[str, Any] = {
    "retry_total": 12,
    "retry_status": 12,
    "retry_read": 6,
    "retry_backoff_max": 20,
}
# A minute in all. The same number of repetitions for expired tokens.
_UPLOAD_RETRIES = 6
_CONNECTION_SECONDS, _ANSWER_SECONDS = 20, 120
_THROTTLED, _CONFLICT = 429, 409
# A resource refuses an operation while another one runs.
_BUSY = ("AnotherOperationInProgress", "OperationInProgress", "ongoing operation", "operation is in progress")
_BUSY_SECONDS = 10
# Azure refuses a token before its end, for example if the clock of a machine is late. azure-core drops the token.
_REFUSED, _EXPIRED_SECONDS = 401, 0.5
# The words of Resource Manager, and those of storage and of Microsoft Graph.
_EXPIRED = re.compile(r"ExpiredAuthenticationToken|[Tt]oken (has|is) expired|Lifetime validation failed")
# The answer to a HEAD has no text. These headers say that the token is not valid any more.
_WITHOUT_TEXT = ("x-ms-error-code", "InvalidAuthenticationInfo"), ("WWW-Authenticate", 'error="invalid_token"')
_LONGEST_WAIT_SECONDS = 600.0
# POST requests that can be sent twice: those that only read, and those for a place to upload to.
_HARMLESS = re.compile(
    r"/(list\w*|get\w*|query\w*|check\w*|batchGet\w*|rundata|batch/metadata|\w*PendingUpload)$", re.IGNORECASE
)
# Azure's gateways have the time in the text of a response: "Please try again after '17' seconds".
_IN_TEXT = re.compile(r"(?:again|retry)\s+(?:after|in)\s+'?(\d+)'?\s+second", re.IGNORECASE)


@dataclass(frozen=True)
class Workspace:
    """A workspace: subscription id, resource group name, workspace name."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def of(cls, props: dict[str, Any]) -> Workspace:
        """Read the workspace from a resource's inputs."""
        return cls(**props["workspace"])

    @property
    def id(self) -> str:
        """The ARM resource id."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"


@dataclass(frozen=True)
class Registry:
    """A registry: its name, which is unique in a tenant."""

    name: str


def place_of(props: dict[str, Any]) -> Workspace | Registry:
    """Read the workspace or registry from a resource's inputs."""
    return Registry(props["registry"]) if props.get("registry") is not None else Workspace.of(props)


def connect(place: Workspace | Registry) -> MLClient:
    """Return this thread's client of a workspace or registry, signed in by `credential`."""
    signed_in = credential()
    if getattr(_local, "signed_in", None) is not signed_in:
        _local.signed_in, _local.clients = signed_in, {}
    clients: dict[Workspace | Registry, MLClient] = _local.clients
    if place not in clients:
        with _lock:
            clients[place] = _client(place, signed_in)
    return clients[place]


def _client(place: Workspace | Registry, signed_in: TokenCredential) -> MLClient:
    # Show progress, but silence tqdm. Without progress, the client waits forever if the upload of a file fails, because
    # it reads the result of an upload only to show it.
    os.environ.setdefault("TQDM_DISABLE", "1")
    from azure.ai.ml import MLClient

    # The client warns about its own preview classes between Pulumi's lines. Its import resets the level.
    logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)
    _share_uploads()
    _keep_quiet()
    _make_models_safe_for_threads()
    options = {
        "show_progress": True,
        "enable_telemetry": False,
        "raw_response_hook": say_when_to_ask_again,
        "retry_policy": patience(),
        **RETRIES,
    }
    if isinstance(place, Registry):
        # MLClient passes its options to other clients, which do not accept a shared transport for a registry.
        return MLClient(signed_in, registry_name=place.name, **options)
    where = (place.subscription_id, place.resource_group, place.name)
    return MLClient(signed_in, *where, transport=transport(), **options)


class SharedCredential:
    """One credential for all threads. If several need a token at the same time, it requests one."""

    def __init__(self, make: Callable[[], Any]) -> None:
        """Take what makes azure-identity's credential. It is made again when Azure refuses its tokens."""
        self._make = make
        self._asking = threading.RLock()
        self._issued: set[str] = set()
        self._told = False
        self.inner = make()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token, as azure-core's `TokenCredential`."""
        with self._asking:
            token: AccessToken = self.inner.get_token(*scopes, **options)
            self._issued.add(token.token)
            return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token, as azure-core's `SupportsTokenInfo`."""
        with self._asking:
            token: AccessTokenInfo = self.inner.get_token_info(*scopes, options=options)
            self._issued.add(token.token)
            return token

    def renew(self, refused: str) -> None:
        """Sign in again at the next request for a token, because Azure refused one. Others may have done so before."""
        with self._asking:
            if refused in self._issued:
                if not self._told:
                    _log.warning("Azure takes a token as expired; signing in again, now and whenever it does so")
                self._told = True
                self._issued.clear()
                self.inner = self._make()


def credential() -> SharedCredential:
    """Return one credential for all threads: ID tokens of a CI platform, or what DefaultAzureCredential finds."""
    with _lock:
        return _credential()


@functools.cache
def _credential() -> SharedCredential:
    from pulumi_azureml.operations.sdk import ClientAssertionCredential, DefaultAzureCredential

    trusted = federated_identity(os.environ)
    if trusted is None:
        return SharedCredential(lambda: DefaultAzureCredential(**RETRIES))
    identity = (trusted.tenant_id, trusted.client_id, trusted.fetch)
    return SharedCredential(lambda: ClientAssertionCredential(*identity, **RETRIES))


def _renew(request: Any) -> None:
    scheme, _, token = str(request.headers.get("Authorization", "")).partition(" ")
    if scheme == "Bearer":
        credential().renew(token)


def chain(signed_in: TokenCredential, scope: str, **retries: Any) -> list[Any]:
    """Return azure-core's policies of a client that retries, and signs in again if a token has expired.

    Args:
        signed_in: The credential.
        scope: What the tokens are for.
        retries: Options of azure-core's `RetryPolicy`. Default: `RETRIES`.
    """
    from pulumi_azureml.operations.sdk import policies

    return [
        policies.RequestIdPolicy(),
        patience(**retries),
        policies.BearerTokenCredentialPolicy(signed_in, scope),
        policies.CustomHookPolicy(raw_response_hook=say_when_to_ask_again),
    ]


def patience(**retries: Any) -> RetryPolicy[Any, Any]:
    """Return a `RetryPolicy` that also repeats a POST request if that does no harm. azure-core repeats no POST.

    Args:
        retries: Options of azure-core's `RetryPolicy`. Default: `RETRIES`.
    """
    from pulumi_azureml.operations.sdk import RetryPolicy

    class HarmlessRetry(RetryPolicy[Any, Any]):
        def send(self, request: Any) -> Any:
            asked = request.http_request
            if asked.method == "POST" and _HARMLESS.search(urlsplit(asked.url).path):
                request.context.options.setdefault("retry_on_methods", ["POST"])
            return super().send(request)

    return HarmlessRetry(**(retries or RETRIES))


@functools.cache
def transport() -> RequestsTransport:
    """Return one transport for all threads, so that they share connections and the certificates."""
    from requests import Session
    from requests.adapters import HTTPAdapter
    from requests.utils import DEFAULT_CA_BUNDLE_PATH
    from urllib3.util import create_urllib3_context

    from pulumi_azureml.operations.sdk import RequestsTransport

    @functools.cache
    def trusted(bundle: str) -> SSLContext:
        context = create_urllib3_context()
        found = Path(bundle)
        context.load_verify_locations(**{"capath" if found.is_dir() else "cafile": bundle})
        return context

    class OneContext(HTTPAdapter):
        """Reads a bundle of certificates once. requests reads it for each connection, which takes 40 ms of CPU."""

        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
            if verify:
                pool = {key: value for key, value in pool.items() if key not in {"ca_certs", "ca_cert_dir"}}
                pool["ssl_context"] = trusted(DEFAULT_CA_BUNDLE_PATH if verify is True else verify)
            return host, pool

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, verify, cert)
            if verify:
                conn.ca_certs = conn.ca_cert_dir = None

    session = Session()
    # azure-core retries requests itself.
    session.mount("https://", OneContext(pool_maxsize=_CONNECTIONS, max_retries=0))
    waits = {"connection_timeout": _CONNECTION_SECONDS, "read_timeout": _ANSWER_SECONDS}
    return RequestsTransport(session=session, session_owner=False, **waits)


def sign_in_again() -> None:
    """Drop the cached credential after Azure rejects its tokens, so that new clients sign in again."""
    with _lock:
        _credential.cache_clear()


def say_when_to_ask_again(answer: Any) -> None:
    """Set the header `Retry-After` of a response that asks to wait, so that azure-core retries the request.

    Azure throttles with a header, with a sentence in the response, or with neither. A resource refuses an operation
    while another one runs, with a 409 that looks like a real conflict. Each wait gets a random part, because many
    requests get the same one. It refuses an expired token with a 401, and the retry has a new token: the credential
    would give the refused one again, because it is valid by this machine's clock.

    Args:
        answer: azure-core's `PipelineResponse`.
    """
    from pulumi_azureml.operations.sdk import RetryPolicy

    response = answer.http_response
    if response.status_code not in (_THROTTLED, _CONFLICT, _REFUSED):
        return
    if response.status_code == _REFUSED:
        if _is_expired(response):
            _renew(answer.http_request)
            response.headers["Retry-After"] = str(_EXPIRED_SECONDS)
        return
    text = _text(response)
    asked = RetryPolicy().get_retry_after(answer)
    if response.status_code == _CONFLICT and asked is None and not any(each in text for each in _BUSY):
        return
    if asked is None:
        found = _IN_TEXT.search(text)
        asked = float(found[1]) if found else _BUSY_SECONDS
    for name in ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms"):
        response.headers.pop(name, None)
    # Do not wait longer: the user needs to see the refusal itself.
    if asked <= _LONGEST_WAIT_SECONDS:
        response.headers["Retry-After"] = f"{asked * random.uniform(1, 1.2):.2f}"  # noqa: S311 - no secret


@functools.cache
def _share_uploads() -> None:
    """Let azure-ai-ml's uploads share the connections, and retry longer. Its storage clients have no options.

    azure-storage's own policy retries three times, after 18, 24 and 42 seconds.

    This replaces two classes in a private module: the client with an identity, and the one with a signature. If
    azure-ai-ml no longer uses them, each upload has its own connections.
    """
    from azure.ai.ml._artifacts import _blob_storage_helper
    from azure.storage.blob import BlobServiceClient, ContainerClient

    class SharedAccount(BlobServiceClient):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**blob_options(), **options})

    class SharedContainer(ContainerClient):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**blob_options(), **options})

    # Not attributes of the module for a type checker, whose annotations name the classes themselves.
    setattr(_blob_storage_helper, "BlobServiceClient", SharedAccount)  # noqa: B010
    setattr(_blob_storage_helper, "ContainerClient", SharedContainer)  # noqa: B010


def blob_options() -> dict[str, Any]:
    """Return the options of a client of azure-storage: the shared connections, and patience like azure-core's.

    azure-storage's own policy does not repeat a request whose token has expired: its authentication repeats it once.
    """
    from azure.storage.blob import ExponentialRetry

    class Patience(ExponentialRetry):
        def send(self, request: Any) -> Any:
            body = request.http_request.body
            start = body.tell() if hasattr(body, "seek") else None
            for left in reversed(range(_UPLOAD_RETRIES)):
                answer = cast("Any", super()).send(request)
                if answer.http_response.status_code != _REFUSED or not _is_expired(answer.http_response):
                    break
                _renew(answer.http_request)
                if left:
                    request.context.transport.sleep(_EXPIRED_SECONDS)
                    if start is not None:
                        body.seek(start)
            return answer

    kinds = ("retry_total", "retry_connect", "retry_read", "retry_status")
    options: dict[str, Any] = dict.fromkeys(kinds, _UPLOAD_RETRIES)
    patience = Patience(initial_backoff=1, increment_base=2, **options)
    return {"transport": transport(), "retry_policy": patience}


@functools.cache
def _keep_quiet() -> None:
    """Silence `print` and the logger in those modules of azure-ai-ml that show progress.

    Standard output cannot be redirected instead, because all threads share it.
    """
    from azure.ai.ml._artifacts import _blob_storage_helper, _gen2_storage_helper
    from azure.ai.ml._utils import _azureml_polling, _endpoint_utils

    for module in (_blob_storage_helper, _gen2_storage_helper, _azureml_polling, _endpoint_utils):
        setattr(module, "print", lambda *_values, **_options: None)  # noqa: B010 - not an attribute of the module
    _endpoint_utils.module_logger.setLevel(logging.ERROR)


@functools.cache
def _make_models_safe_for_threads() -> None:
    """Give each model class of azure-ai-ml its attributes before threads use it.

    A model class adds two attributes to itself when it is used first. If another thread iterates over the attributes
    of the class at that moment, it gets an error that the client ignores, and a plain dictionary instead of the model:
    "'dict' object has no attribute 'job_input_type'". Attributes that exist already change nothing while they are set.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("azure.ai.ml.") and name.endswith("model_base"):
            for model in _subclasses(module.Model):
                if "_attr_to_rest_field" not in vars(model):  # not used yet
                    model._attr_to_rest_field = {}
                    model._backcompat_attr_to_rest_field = {}


def _subclasses(parent: Any) -> Iterator[Any]:
    for each in parent.__subclasses__():
        yield each
        yield from _subclasses(each)


def _is_expired(response: Any) -> bool:
    text = _text(response)
    if text:
        return _EXPIRED.search(text) is not None
    return any(sign in response.headers.get(name, "") for name, sign in _WITHOUT_TEXT)


def _text(response: Any) -> str:
    if hasattr(response, "read"):
        response.read()
    return str(response.text())
