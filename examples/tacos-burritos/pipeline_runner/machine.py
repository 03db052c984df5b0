"""What the steps take from this machine: the proxy, and the certificates of the authorities that it trusts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline_runner.cluster import Identity
from pipeline_runner.errors import RunnerError

_PROXY = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_TOKEN = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - a variable's name
_SIGN_IN = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST")


def variables(environment: Mapping[str, str] = os.environ) -> tuple[dict[str, str], dict[str, Path]]:
    """Return the variables of each step, and the files that they name."""
    found = {name: environment[name] for name in (*_PROXY, *_CERTIFICATES) if environment.get(name)}
    files = {found[name]: Path(found[name]) for name in _CERTIFICATES if name in found and Path(found[name]).is_file()}
    # A variable that names a file which does not exist would break every request.
    return {name: value for name, value in found.items() if name in _PROXY or value in files}, files


def signed_in(environment: Mapping[str, str] = os.environ) -> Identity:
    """Return the service principal of this machine's variables, with its secret or its token file.

    Raises:
        RunnerError: There is none. A person who signed in with `az login` cannot lend their identity to a container.
    """
    found = {name: environment[name] for name in _SIGN_IN if environment.get(name)}
    token = environment.get(_TOKEN)
    if "AZURE_CLIENT_SECRET" not in found and not token:
        raise RunnerError(
            "the steps register and deploy sign in to Azure as a service principal: set AZURE_TENANT_ID, "
            f"AZURE_CLIENT_ID, and AZURE_CLIENT_SECRET or {_TOKEN}"
        )
    if not token:
        return Identity(found)
    return Identity({**found, _TOKEN: token}, {token: Path(token)})
