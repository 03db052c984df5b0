"""How the command line speaks to the running process: like any client, through its proxy and with a token."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

from amlite.control.address import AUDIENCE, HOST
from amlite.core.runtime import Runtime
from amlite.core.wire import Json


def ask(running: Runtime, method: str, path: str, body: Json | None = None) -> Json:
    """Send one request to the control surface and return its JSON answer; raises URLError."""
    environment = running.environment
    context = ssl.create_default_context(cafile=running.authority)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": environment["HTTPS_PROXY"]}), urllib.request.HTTPSHandler(context=context)
    )
    form = urllib.parse.urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": environment["AZURE_CLIENT_ID"],
            "client_secret": environment["AZURE_CLIENT_SECRET"],
            "scope": f"{AUDIENCE}/.default",
        }
    )
    login = f"https://login.microsoftonline.com/{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    with opener.open(login, form.encode()) as answer:
        token = json.load(answer)["access_token"]
    request = urllib.request.Request(
        f"https://{HOST}{path}",
        data=json.dumps(body).encode() if body is not None else None,
        method=method,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with opener.open(request) as answer:
        result: Json = json.load(answer)
        return result
