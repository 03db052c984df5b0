"""The Microsoft.KeyVault service."""

from amlite.core.service import Service
from amlite.services.keyvault import types

SERVICE = Service(types=types.TYPES)
