"""The Microsoft.KeyVault service."""

from amlite.core import names
from amlite.core.service import Service
from amlite.services.keyvault import management_routes, routes, secret_routes, types

SERVICE = Service(
    routes=[
        routes.routes,
        secret_routes.routes,
        management_routes.routes,
        names.routes(types.TYPES[0], invalid="AccountNameInvalid"),
    ],
    types=types.TYPES,
)
