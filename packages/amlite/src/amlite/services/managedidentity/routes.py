"""The managed identity endpoint of jobs and model servers, with App Service's protocol in its two versions.

azure-identity calls the older one, with the header `secret` and the parameter `clientid`, "Azure ML managed identity".
"""

from __future__ import annotations

import time

from aiohttp import web

from amlite.core.routing import Call, Routes, reply
from amlite.services.entra.tokens import LIFETIME_SECONDS, tokens
from amlite.services.managedidentity import identities
from amlite.services.managedidentity.identities import IdentityError

routes = Routes(identities.HOST, audiences=None, error=IdentityError)


@routes.get("/msi/token")
async def token(call: Call) -> web.Response:
    """Issue a token for the managed identity of the caller's secret header."""
    headers = call.request.headers
    return _issued(call, headers.get("X-IDENTITY-HEADER") or headers.get("secret") or "")


@routes.get("/obo/token")
async def user_token(call: Call) -> web.Response:
    """Issue a token for the user whose job calls, to AzureMLOnBehalfOfCredential of azure-ai-ml."""
    return _issued(call, call.query.get("code") or "")


def _issued(call: Call, secret: str) -> web.Response:
    principal = identities.holder_of(call.platform, secret)
    asked = call.query.get("client_id") or call.query.get("clientid")
    if asked and asked.lower() != principal.client_id.lower():
        raise IdentityError(400, "BadRequest", f"No managed identity with client id '{asked}' is assigned here.")
    resource = call.query.get("resource")
    if not resource:
        raise IdentityError(400, "BadRequest", "The query parameter 'resource' is required.")
    return reply(
        {
            "access_token": tokens(call.platform).issue(principal, resource),
            "expires_on": str(int(time.time()) + LIFETIME_SECONDS),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": principal.client_id,
        }
    )
