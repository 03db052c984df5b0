"""The Microsoft.KubernetesConfiguration service."""

from amlite.core.service import Service
from amlite.services.kubernetesconfiguration import types

SERVICE = Service(types=types.TYPES)
