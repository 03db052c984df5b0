"""Runs all checks of a stack, at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pulumi

from pulumi_azureml.operations.sdk import AzureError
from release.doctor.azure import reason
from release.doctor.checks import backend, clock, images, names, permissions, providers, quota, sign_in, versions
from release.doctor.findings import Finding, Level, Report, ok, problem, warning
from release.doctor.subject import Subject
from release.errors import ReleaseError


@dataclass(frozen=True)
class Check:
    """A check: its title, its function, and whether it can say anything if the sign-in has a problem."""

    title: str
    function: Callable[[Subject], Iterator[Finding]]
    needs_azure: bool = True
    needs_settings: bool = True


def _configuration(subject: Subject) -> Iterator[Finding]:
    """Check the stack's settings and the asset files."""
    try:
        assets = len(subject.catalogue.assets)
    except pulumi.RunError as error:
        yield problem(str(error), "", "")
    except ReleaseError as error:
        yield problem(error.message, "", "")
    else:
        yield ok(f"Pulumi.{subject.stack}.yaml and {assets} assets have no mistakes")


CONFIGURATION = Check("Configuration", _configuration, needs_azure=False, needs_settings=False)
SIGN_IN = Check("Sign-in", sign_in.check, needs_azure=False)
CHECKS = (
    Check("Clock", clock.check),
    Check("Providers", providers.check),
    Check("Permissions", permissions.check),
    Check("Quota", quota.check),
    Check("Names", names.check),
    Check("Images", images.check, needs_azure=False),
    Check("Pulumi", backend.check, needs_azure=False, needs_settings=False),
    Check("Versions", versions.check, needs_azure=False, needs_settings=False),
)


def examine(stack: str, root: Path, folder: Path) -> Report:
    """Check a stack. Changes nothing.

    Args:
        stack: Name of the stack.
        root: Folder of the program, ml/ and pipelines/.
        folder: Folder with Pulumi.yaml and the stack files.
    """
    subject = Subject(stack, root, folder, os.environ)
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        running: dict[Check, Future[list[Finding]]] = {
            check: pool.submit(_run, check, subject)
            for check in CHECKS
            if not check.needs_azure and not check.needs_settings
        }
        found = [*_run(CONFIGURATION, subject)]
        settings = not _failed(found)
        if settings:
            running |= {
                check: pool.submit(_run, check, subject)
                for check in CHECKS
                if not check.needs_azure and check not in running
            }
        found += _run(SIGN_IN, subject) if settings else _skipped(SIGN_IN)
        if settings and not _failed(found):
            running |= {check: pool.submit(_run, check, subject) for check in CHECKS if check not in running}
        for check in CHECKS:
            found += running[check].result() if check in running else _skipped(check)
    return Report(stack=stack, findings=found)


def _run(check: Check, subject: Subject) -> list[Finding]:
    """Return a check's findings. An error is a finding too."""
    try:
        found = list(check.function(subject))
    except AzureError as error:
        found = [_unchecked(reason(error))]
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide the findings of the others
        found = [_unchecked(f"{type(error).__name__}: {error}".partition("\n")[0])]
    return [finding.model_copy(update={"check": check.title}) for finding in found]


def _unchecked(why: str) -> Finding:
    return warning("not checked", why, "solve this and run `release doctor` again")


def _skipped(check: Check) -> list[Finding]:
    return [Finding(check=check.title, level=Level.SKIPPED, what="not checked, because of the problem above")]


def _failed(found: Sequence[Finding]) -> bool:
    return any(finding.level is Level.PROBLEM for finding in found)
