"""Checks that Pulumi's backend answers and keeps the state, and that the stack's secrets can be read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject
from release.errors import ReleaseError

_SECONDS = 30
_CI = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "GITLAB_CI")
_LOGIN = "pulumi login BACKEND, such as `pulumi login azblob://state`"


def check(subject: Subject) -> Iterator[Finding]:
    """Ask Pulumi which backend it uses."""
    done = subprocess.run(
        ["pulumi", "whoami", "--json", "--non-interactive"],
        cwd=subject.folder, env=dict(subject.environment), capture_output=True, text=True, check=False,
        timeout=_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line.removeprefix("error: ") for line in done.stderr.strip().splitlines()]
        yield problem("Pulumi's backend does not answer", lines[0] if lines else "", _LOGIN)
        return
    url = str(json.loads(done.stdout).get("url") or "")
    if url.startswith("file:") and any(subject.environment.get(name) for name in _CI):
        yield warning(
            f"Pulumi keeps the state in {url} of this CI job",
            "The state is gone when the job ends. The next update would create everything again, and fail.",
            _LOGIN,
        )
    else:
        yield ok(f"Pulumi keeps the state in {url}")
    yield from _secrets(subject, url)


def _secrets(subject: Subject, url: str) -> Iterator[Finding]:
    provider = str(_entry(subject, "secretsprovider") or "")
    by_passphrase = provider == "passphrase" or (not provider and not url.startswith("https:"))
    if not by_passphrase:
        return
    environment = subject.environment
    file = environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if "PULUMI_CONFIG_PASSPHRASE" in environment or (file and Path(file).is_file()):
        return
    missing = f"{file} does not exist" if file else "PULUMI_CONFIG_PASSPHRASE is not set"
    yield problem(
        f"the stack's secrets are encrypted by a passphrase, and {missing}",
        "Pulumi cannot open the stack without the passphrase.",
        "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that has it",
    )


def _entry(subject: Subject, key: str) -> object:
    try:
        return subject.document.get(key)
    except ReleaseError:
        return None  # the check of the configuration says why
