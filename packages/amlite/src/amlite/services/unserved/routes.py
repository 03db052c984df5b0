"""Refuse every request to a host that is not served. The error names the alternative."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import Call, Routes

# Host pattern -> the alternative.
_HOSTS: Mapping[str, str] = {
    "*.core.windows.net": "Storage accounts have blobs and data lakes only: "
    "https://{account}.blob.core.windows.net/ and https://{account}.dfs.core.windows.net/.",
    "graph.microsoft.com": "Use object ids for principals. They are not looked up.",
}


def _table(host: str, advice: str) -> Routes:
    routes = Routes(host, audiences=None)

    @routes.route("*", "/{path:path}")
    async def refuse(call: Call) -> web.StreamResponse:
        """Refuse a request, and name the hosts that are served."""
        told = advice.format(account=call.host.partition(".")[0])
        raise AzureError(501, "NotImplemented", f"{call.host} is not served by this local Azure. {told}")

    return routes


ROUTES = [_table(host, advice) for host, advice in _HOSTS.items()]
