"""The command line's client of the running process: like any client, it uses the proxy and a token."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

from amlite import TENANT_ID
from amlite.control.address import AUDIENCE, HOST, SIGN_IN
from amlite.core.runtime import Runtime
from amlite.core.wire import Json


def ask(running: Runtime, method: str, path: str, body: Json | None = None) -> Json:
    """Send one request to the control surface and return its JSON answer; raises URLError."""
    request = urllib.request.Request(
        f"https://{HOST}{path}",
        data=json.dumps(body).encode() if body is not None else None,
        method=method,
        headers={
            "Authorization": f"Bearer {_token(running, HOST, f'{AUDIENCE}/.default')}",
            "Content-Type": "application/json",
        },
    )
    with _opener(running).open(request) as answer:
        result: Json = json.load(answer)
        return result


def token(running: Runtime, scope: str) -> str:
    """Sign in as the application that owns the subscription; raises URLError."""
    return _token(running, "login.microsoftonline.com", scope)


def _token(running: Runtime, host: str, scope: str) -> str:
    environment = running.environment
    form = urllib.parse.urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": environment["AZURE_CLIENT_ID"],
            "client_secret": environment["AZURE_CLIENT_SECRET"],
            "scope": scope,
        }
    )
    url = f"https://{host}{SIGN_IN.format(tenant=TENANT_ID)}"
    with _opener(running).open(url, form.encode()) as answer:
        return str(json.load(answer)["access_token"])


def _opener(running: Runtime) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=running.authority)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": running.environment["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=context),
    )
