"""Addresses that may get a token. Parts of them come from a state or an answer, which others may be able to write."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[a-z0-9.-]+")


def of_azure(url: str, *domains: str) -> str:
    """Return an address if its host is one of some domains, or below one. The domains are Azure's.

    Raises:
        azure.core.exceptions.AzureError: it is another host.
    """
    from pulumi_azureml.operations.sdk import AzureError

    address = urlsplit(url)
    host = address.hostname or ""
    is_below = any(host == each or host.endswith(f".{each}") for each in domains)
    if address.scheme != "https" or _HOST.fullmatch(host) is None or not is_below:
        raise AzureError(f"nothing is sent to {host or url}, because this host is not below {' or '.join(domains)}")
    return url
