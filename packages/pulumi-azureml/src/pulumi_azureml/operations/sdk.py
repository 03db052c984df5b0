"""What this package uses of azure-core, azure-identity and azure-mgmt-core, imported whole.

azure-core imports itself in circles, and Python locks its modules one by one: of two threads that begin at different
places, one may get half a module (`ImportError: cannot import name … from partially initialized module`). This module
has one lock, so that a thread that imports from it waits until all of it is there. Functions import from here, and not
from those packages, because threads call them. They do so when they need it: it takes a quarter of a second.
"""

from azure.core import PipelineClient
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import policies
from azure.core.pipeline.policies import RetryPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import ClientAssertionCredential, DefaultAzureCredential
from azure.mgmt.core.polling.arm_polling import ARMPolling

__all__ = [
    "ARMPolling",
    "AccessToken",
    "AzureError",
    "ClientAssertionCredential",
    "ClientAuthenticationError",
    "DefaultAzureCredential",
    "HttpRequest",
    "HttpResponse",
    "HttpResponseError",
    "LROPoller",
    "PipelineClient",
    "RequestsTransport",
    "ResourceNotFoundError",
    "RetryPolicy",
    "ServiceRequestError",
    "ServiceResponseError",
    "policies",
]
