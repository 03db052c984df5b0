"""`release ci-login`: the variables that the command gets, and the file with the token."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from click.testing import CliRunner

from pulumi_azureml.operations import FederatedIdentity, federation
from release.ci import job
from release.cli import main
from release.errors import ReleaseError

JOB = {
    "ARM_TENANT_ID": "tenant",
    "ARM_CLIENT_ID": "client",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://example.com/idtoken",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_OIDC_TOKEN_FILE_PATH"):
        monkeypatch.delenv(name, raising=False)


def _says(script: str) -> list[str]:
    return [sys.executable, "-c", f"import os, pathlib, sys, time; {script}"]


def _token(number: int) -> str:
    now = int(time.time())
    return jwt.encode({"nbf": now, "exp": now + 300, "jti": str(number)}, "k" * 32, algorithm="HS256")


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A job of Azure Pipelines; the list has the tokens that it got."""
    given: list[str] = []

    def fetch() -> str:
        given.append(_token(len(given)))
        return given[-1]

    trusted = FederatedIdentity("tenant", "client", "Azure Pipelines", fetch, in_azure_native=False)
    monkeypatch.setattr(job, "federated_identity", lambda _environment: trusted)
    monkeypatch.setenv("AGENT_TEMPDIRECTORY", str(tmp_path))
    return given


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A job of GitHub Actions, and the ID token that it gets."""
    token = _token(0)
    monkeypatch.setattr(federation, "_github", lambda _url, _token, _audience: token)
    for name, value in {**JOB, "RUNNER_TEMP": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    return token


def test_on_github_azure_native_asks_and_the_pulumi_cli_reads_a_file(
    github: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """gocloud.dev, which opens azblob:// and azurekeyvault://, signs in by DefaultAzureCredential."""
    for name in ("ARM_OIDC_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS"):
        monkeypatch.setenv(name, "another way to sign in")
    names = (
        "ARM_USE_OIDC", "ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH", "AZURE_CLIENT_ID", "AZURE_TENANT_ID",
        "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS",
    )  # fmt: skip
    script = (
        f"print([os.environ.get(n) for n in {names}]);"
        "print(pathlib.Path(os.environ['AZURE_FEDERATED_TOKEN_FILE']).read_text())"
    )
    said: list[str] = []
    assert job.run(_says(script), None, said.append) == 0
    assert capfd.readouterr().out == f"['true', None, None, 'client', 'tenant', None, None]\n{github}\n"
    assert said == ["Signing in as client with ID tokens from GitHub Actions, renewed in a private file."]
    assert list(tmp_path.iterdir()) == []


def test_azure_pipelines_gets_a_private_file_that_is_gone_afterwards(
    pipelines: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = (
        "f = pathlib.Path(os.environ['ARM_OIDC_TOKEN_FILE_PATH']); print(f.read_text(), oct(f.stat().st_mode)[-3:], "
        "oct(f.parent.stat().st_mode)[-3:]); sys.exit(3)"
    )
    said: list[str] = []
    assert job.run(_says(script), None, said.append) == 3
    assert capfd.readouterr().out == f"{pipelines[0]} 600 700\n"
    assert list(tmp_path.iterdir()) == []
    assert pipelines[0] not in "".join(said)


@pytest.mark.usefixtures("github")
def test_a_task_with_a_service_connection_names_the_identity(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in JOB.items():
        monkeypatch.setenv(name.replace("ARM_", "AZURESUBSCRIPTION_"), value)
        if name.startswith("ARM_"):
            monkeypatch.delenv(name, raising=False)
    assert job.run(_says("print(os.environ['ARM_CLIENT_ID'], os.environ['ARM_TENANT_ID'])"), None, print) == 0
    assert capfd.readouterr().out.endswith("client tenant\n")


def test_the_file_is_renewed_while_the_command_runs(pipelines: list[str]) -> None:
    script = (
        "f = pathlib.Path(os.environ['ARM_OIDC_TOKEN_FILE_PATH']); first = f.read_text()\n"
        "while f.read_text() == first: time.sleep(0.01)"
    )
    assert job.run(_says(script), 0.05, lambda _line: None) == 0
    assert len(pipelines) > 1


def test_a_renewal_that_fails_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch, pipelines: list[str]) -> None:
    answers: Iterator[Exception | str] = iter([_token(0), ClientAuthenticationError("no answer"), _token(1)])

    def fetch() -> str:
        answer = next(answers, _token(2))
        if isinstance(answer, Exception):
            raise answer
        return answer

    trusted = FederatedIdentity("tenant", "client", "Azure Pipelines", fetch, in_azure_native=False)
    monkeypatch.setattr(job, "federated_identity", lambda _environment: trusted)
    script = (
        "f = pathlib.Path(os.environ['ARM_OIDC_TOKEN_FILE_PATH']); first = f.read_text()\n"
        "while f.read_text() == first: time.sleep(0.01)"
    )
    said: list[str] = []
    assert job.run(_says(script), 0.05, said.append) == 0
    assert any("was not renewed" in line and "no answer" in line for line in said)


def test_a_job_without_id_tokens_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in JOB:
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main, ["ci-login", "--", "true"])
    assert result.exit_code == 1
    assert "ARM_TENANT_ID is not set" in result.output
    assert "docs/ci-sign-in.md" in result.output


def test_a_client_secret_is_not_mixed_with_id_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_CLIENT_SECRET", "secret")
    with pytest.raises(ReleaseError, match="comes before ID tokens"):
        job.run(["true"], None, lambda _line: None)


@pytest.mark.usefixtures("github")
def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(ReleaseError, match="cannot run 'no-such-program'"):
        job.run(["no-such-program"], None, lambda _line: None)


@pytest.mark.usefixtures("github")
def test_a_command_that_a_signal_ends_has_the_shells_code() -> None:
    assert job.run(_says("os.kill(os.getpid(), 15)"), None, lambda _line: None) == 143


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_reaches_the_command(number: signal.Signals) -> None:
    waits = f"import signal; signal.signal({number:d}, lambda *_: os._exit(7))"
    command = _says(f"{waits}; os.kill(os.getppid(), {number:d}); time.sleep(60)")
    assert job.run(command, None, lambda _line: None) == 7
