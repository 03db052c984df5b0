"""Reads and writes documents in a container of a storage account, as the signed-in identity."""

from __future__ import annotations

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobClient, ContainerClient, ContentSettings

from pulumi_azureml.operations import arm, credential, of_azure

CONTAINER = "kubeflow"
_DOMAIN = "blob.core.windows.net"
_ML_VERSION = "2024-04-01"


class DocumentError(Exception):
    """A document cannot be read or written."""


def url(account: str, path: str) -> str:
    """Return the address of a document."""
    return f"https://{account}.blob.core.windows.net/{CONTAINER}/{path}"


def write(address: str, content: str) -> None:
    """Write a document, in place of what is there. Raises DocumentError."""
    try:
        with BlobClient.from_blob_url(of_azure(address, _DOMAIN), credential()) as client:
            client.upload_blob(content.encode(), overwrite=True)
    except AzureError as error:
        raise DocumentError(f"cannot write {address}: {error}") from error


def shared(workspace_id: str, name: str, content: bytes, type_: str) -> str:
    """Upload a file to a container for uploads of the workspace, and return an address that needs no sign-in.

    The address has a signature, which is valid for some hours. Raises AzureError.
    """
    path = f"{workspace_id}/data/shared/versions/1/startPendingUpload"
    begun = arm.send("POST", path, _ML_VERSION, {"pendingUploadType": "TemporaryBlobReference"})
    container, _, signature = begun["blobReferenceForConsumption"]["credential"]["sasUri"].partition("?")
    url = f"{container}/{name}?{signature}"
    with BlobClient.from_blob_url(url) as client:
        client.upload_blob(content, overwrite=True, content_settings=ContentSettings(content_type=type_))
    return url


def read(address: str) -> str | None:
    """Return a document, or None if there is none. Raises DocumentError."""
    try:
        with BlobClient.from_blob_url(of_azure(address, _DOMAIN), credential()) as client:
            return bytes(client.download_blob().readall()).decode()
    except ResourceNotFoundError:
        return None
    except AzureError as error:
        raise DocumentError(f"cannot read {address}: {error}") from error


def remove(address: str) -> None:
    """Delete a document if it is there. Raises DocumentError."""
    try:
        with BlobClient.from_blob_url(of_azure(address, _DOMAIN), credential()) as client:
            client.delete_blob()
    except ResourceNotFoundError:
        return
    except AzureError as error:
        raise DocumentError(f"cannot delete {address}: {error}") from error


def below(address: str) -> list[str]:
    """Return the addresses of the documents below one. Raises DocumentError."""
    host, _, prefix = address.partition(f"/{CONTAINER}/")
    try:
        with ContainerClient(of_azure(host, _DOMAIN), CONTAINER, credential()) as client:
            return [f"{host}/{CONTAINER}/{name}" for name in client.list_blob_names(name_starts_with=prefix)]
    except AzureError as error:
        raise DocumentError(f"cannot list {address}: {error}") from error
