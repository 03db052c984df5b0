"""The token issuers of clusters: discovery documents that Entra ID and others read."""

from __future__ import annotations

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import Call, Routes, reply
from amlite.services.containerservice import clusters
from amlite.services.entra import federation

issuers = Routes(f"*{clusters.ISSUER_SUFFIX}", audiences=None)
_ISSUER = "/{tenant}/{issuer}"


@issuers.get(f"{_ISSUER}/.well-known/openid-configuration")
async def configuration(call: Call) -> web.Response:
    """Describe the issuer of a cluster."""
    issuer = _issuer(call)
    return reply(
        {
            "issuer": issuer,
            "jwks_uri": f"{issuer}openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    )


@issuers.get(f"{_ISSUER}/openid/v1/jwks")
async def keys(call: Call) -> web.Response:
    """Return the keys that sign the tokens of a cluster's service accounts."""
    _issuer(call)
    return reply(federation.keys(call.platform))


def _issuer(call: Call) -> str:
    wanted = f"https://{call.host}/{call.parameters['tenant']}/{call.parameters['issuer']}/"
    for document in call.platform.store.of_type(clusters.CLUSTER_TYPE):
        if clusters.issuer(document.body) == wanted:
            return wanted
    raise AzureError(404, "NotFound", f"'{wanted}' is not the token issuer of a cluster.")
