"""Runs a command that may take hours in a CI job, although the job's ID tokens expire in minutes.

GitHub Actions gives a job an address to ask, and both Pulumi providers ask it. Azure Pipelines has such an address too,
but azure-native cannot ask it: it reads the token from a file each time. The Pulumi CLI reads such a file on both
platforms, to reach a backend in blob storage and a key in a key vault. A thread keeps the file up to date.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import jwt
from azure.core.exceptions import ClientAuthenticationError

from pulumi_azureml.operations import FederatedIdentity, federated_identity
from release.errors import ReleaseError, first_line

# Variables of azure-native, and those that Azure Pipelines' tasks with a service connection set (AzureCLI@2).
_FROM_TASKS = {"ARM_CLIENT_ID": "AZURESUBSCRIPTION_CLIENT_ID", "ARM_TENANT_ID": "AZURESUBSCRIPTION_TENANT_ID"}
# The Azure libraries would use these before the file with the ID token.
_BEFORE_THE_FILE = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_TOKEN_CREDENTIALS")
_SHORTEST_SECONDS = 5.0
_DOCUMENTATION = "docs/ci-sign-in.md describes the job's variables and permissions"


def run(command: Sequence[str], every: float | None, say: Callable[[str], None]) -> int:
    """Run a command, keep it signed in until it ends, and return its exit code.

    Args:
        command: Program and arguments.
        every: Seconds between two renewals of the token file. Default: half a token's lifetime.
        say: Takes the lines that the user sees.

    Raises:
        ReleaseError: The job has no ID token, or the program does not exist.
    """
    # A fixed token expires in minutes, and azure-native would use it before anything else.
    left_out = ("ARM_OIDC_TOKEN", *_BEFORE_THE_FILE)
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment["ARM_USE_OIDC"] = "true"
    for name, task in _FROM_TASKS.items():
        if task in environment:
            environment.setdefault(name, environment[task])
    trusted = _trusted(environment)
    with _token_file(trusted, every, say) as path:
        say(f"Signing in as {trusted.client_id} with ID tokens from {trusted.source}, renewed in a private file.")
        return _run(command, {**environment, **_variables(trusted, path)})


def _variables(trusted: FederatedIdentity, path: Path) -> dict[str, str]:
    """Return the variables of the Azure libraries, and the one of azure-native if it cannot ask the platform itself."""
    variables = {
        "AZURE_CLIENT_ID": trusted.client_id,
        "AZURE_TENANT_ID": trusted.tenant_id,
        "AZURE_FEDERATED_TOKEN_FILE": str(path),
    }
    return variables if trusted.in_azure_native else {**variables, "ARM_OIDC_TOKEN_FILE_PATH": str(path)}


def _trusted(environment: Mapping[str, str]) -> FederatedIdentity:
    try:
        trusted = federated_identity(environment)
    except ClientAuthenticationError as error:
        raise ReleaseError(str(error.message), fix=_DOCUMENTATION) from error
    if trusted is None:
        raise ReleaseError(
            "ARM_CLIENT_SECRET or ARM_CLIENT_CERTIFICATE_PATH is set, and comes before ID tokens",
            fix="unset it, or run the command without `release ci-login`",
        )
    return trusted


@contextmanager
def _token_file(trusted: FederatedIdentity, every: float | None, say: Callable[[str], None]) -> Iterator[Path]:
    """Keep a file with a valid token, readable by this user only, and delete it at the end."""
    with tempfile.TemporaryDirectory(prefix="ci-login-", dir=_private_folder()) as folder:
        path, ended = Path(folder) / "token", threading.Event()
        try:
            token = trusted.fetch()
        except ClientAuthenticationError as error:
            raise ReleaseError(first_line(error), fix=_DOCUMENTATION) from error
        _write(path, token)
        wait = every or max(_lifetime(token) / 2, _SHORTEST_SECONDS)

        def renew() -> None:
            while not ended.wait(wait):
                try:
                    _write(path, trusted.fetch())
                except ClientAuthenticationError as error:
                    say(f"The ID token was not renewed, and the next attempt is in {wait:.0f} s: {first_line(error)}")

        thread = threading.Thread(target=renew, name="ci-login", daemon=True)
        thread.start()
        try:
            yield path
        finally:
            ended.set()
            thread.join()


def _private_folder() -> str | None:
    """Return the folder that the platform empties after each job."""
    return os.environ.get("AGENT_TEMPDIRECTORY") or os.environ.get("RUNNER_TEMP")


def _lifetime(token: str) -> float:
    claims = jwt.decode(token, options={"verify_signature": False})
    return float(claims["exp"] - claims.get("nbf", claims.get("iat", claims["exp"])))


def _write(path: Path, token: str) -> None:
    """Replace the file, so that a reader sees the old token or the new one."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(token)
    new.replace(path)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise ReleaseError(f"cannot run '{command[0]}': {error.strerror}") from error

    # Ctrl+C reaches the command too. A second one would stop Pulumi before it saves the state.
    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
        signal.SIGHUP: signal.signal(signal.SIGHUP, pass_on),
    }
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
