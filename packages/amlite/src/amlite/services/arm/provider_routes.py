"""The HTTP surface of resource providers and of the subscription's registration for them."""

from __future__ import annotations

from aiohttp import web

from amlite.core.routing import ARM_HOST, AUTHENTICATED, Call, Routes, reply
from amlite.services.arm import providers

routes = Routes(ARM_HOST)
_PROVIDERS = "/subscriptions/{subscription}/providers"
_READ = "Microsoft.Resources/subscriptions/providers/read"


@routes.get(_PROVIDERS, action=_READ)
async def list_providers(call: Call) -> web.Response:
    """List the resource providers with their registration."""
    return reply({"value": [providers.describe(call.platform, name) for name in providers.names(call.platform)]})


@routes.get(f"{_PROVIDERS}/{{namespace}}", action=_READ)
async def get_provider(call: Call) -> web.Response:
    """Describe a resource provider."""
    return reply(providers.describe(call.platform, call.parameters["namespace"]))


@routes.post(f"{_PROVIDERS}/{{namespace}}/register", action=AUTHENTICATED)
async def register(call: Call) -> web.Response:
    """Register the subscription for a provider."""
    _require(call, "register")
    return reply(providers.register(call.platform, call.parameters["namespace"]))


@routes.post(f"{_PROVIDERS}/{{namespace}}/unregister", action=AUTHENTICATED)
async def unregister(call: Call) -> web.Response:
    """End the registration for a provider."""
    _require(call, "unregister")
    return reply(providers.unregister(call.platform, call.parameters["namespace"]))


def _require(call: Call, what: str) -> None:
    if call.principal is not None:
        scope = f"/subscriptions/{call.parameters['subscription']}"
        call.platform.access.require(call.principal, scope, f"{call.parameters['namespace']}/{what}/action")
