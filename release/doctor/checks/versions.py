"""Checks that the installed Pulumi CLI, plugins and packages are the versions that the project is tested with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject

_SECONDS = 30
_SETUP = "make setup"
# The packages whose plugins the engine runs.
_PLUGINS = {"pulumi-azure-native": "azure-native", "pulumi-docker": "docker"}


def check(subject: Subject) -> Iterator[Finding]:
    """Compare the installed versions with the project's."""
    pins = dict(subject.pins())
    found = [*_packages(pins), *_cli(subject, pins), *_plugins(subject, pins)]
    yield from found
    if not found:
        yield ok(f"Pulumi {pins['pulumi']} and {len(pins)} packages have the versions of the project")


def _packages(pins: dict[str, str]) -> Iterator[Finding]:
    for name, wanted in pins.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "missing"
        if installed != wanted:
            yield problem(f"{name} is {installed}, not {wanted}", "The project is tested with this version.", _SETUP)


def _cli(subject: Subject, pins: dict[str, str]) -> Iterator[Finding]:
    done = subprocess.run(
        ["pulumi", "version"], env=dict(subject.environment), capture_output=True, text=True, check=False,
        timeout=_SECONDS,
    )  # fmt: skip
    found = done.stdout.strip().removeprefix("v")
    if found.split("-")[0] != pins["pulumi"]:
        yield warning(
            f"the Pulumi CLI is {found or 'missing'}, and the Python package {pins['pulumi']}",
            "A program and its engine are tested together in one version.",
            f"{_SETUP}, and put .venv/bin first in PATH",
        )


def _plugins(subject: Subject, pins: dict[str, str]) -> Iterator[Finding]:
    """Report plugins that are missing and that the engine may not download."""
    environment = subject.environment
    attached = environment.get("PULUMI_DEBUG_PROVIDERS", "")
    if environment.get("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION") not in ("true", "1"):
        return
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    for package, plugin in _PLUGINS.items():
        if plugin in attached or (home / "plugins" / f"resource-{plugin}-v{pins[package]}").is_dir():
            continue
        yield problem(
            f"the plugin {plugin} {pins[package]} is not installed",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION is set, so the engine does not download it.",
            f"pulumi plugin install resource {plugin} {pins[package]}",
        )
