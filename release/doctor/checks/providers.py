"""Checks that the subscription is registered for the platform's resource providers, in the stack's region."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject

_API_VERSION = "2021-04-01"
_MACHINE_LEARNING = "Microsoft.MachineLearningServices"
# azure-native creates resources of these, and registers them when Azure asks for it.
_OURS = (
    "Microsoft.ContainerRegistry", "Microsoft.Insights", "Microsoft.KeyVault", _MACHINE_LEARNING,
    "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.Storage",
)  # fmt: skip
_OF_EVENTS = ("Microsoft.EventGrid",)
_OF_RETRAINING = ("Microsoft.Logic",)
# Azure creates resources of these for online endpoints and autoscale. Nobody registers them (Microsoft Q&A 2068819).
_OF_AZURE = ("Microsoft.Cdn", "Microsoft.Network", "Microsoft.PolicyInsights")
_REGISTERED = ("Registered", "Registering")


def check(subject: Subject) -> Iterator[Finding]:
    """Ask for each provider separately, because the whole list takes megabytes."""
    names = (*_ours(subject), *_OF_AZURE)
    with ThreadPoolExecutor(len(names)) as pool:
        found = dict(zip(names, pool.map(lambda name: _provider(subject, name), names), strict=True))
    missing = [name for name in names if found[name].get("registrationState") not in _REGISTERED]
    yield from _missing(subject, missing, len(names))
    location = subject.configuration.cloud.location
    regions = _regions(found[_MACHINE_LEARNING])
    if regions and location not in regions:
        yield problem(
            f"Azure Machine Learning is not available in {location}",
            f"It is in: {', '.join(sorted(regions))}.",
            f"pulumi config set azure-native:location {min(regions)} -s {subject.stack}",
        )


def _ours(subject: Subject) -> tuple[str, ...]:
    """Return the providers whose resources the stack has."""
    monitoring = subject.configuration.settings.monitoring
    events = _OF_EVENTS if monitoring.has_events else ()
    return (*_OURS, *events, *(_OF_RETRAINING if monitoring.retrain else ()))


def _missing(subject: Subject, missing: list[str], total: int) -> Iterator[Finding]:
    by_azure = [name for name in missing if name in _OF_AZURE]
    ours = [name for name in missing if name not in _OF_AZURE]
    may = subject.permissions.allows("Microsoft.Storage/register/action") and not subject.deployed
    if by_azure:
        yield problem(
            f"the subscription is not registered for {', '.join(by_azure)}",
            "Azure needs these for online endpoints, and azure-native does not register them. The endpoint would fail "
            "with SubscriptionNotRegistered.",
            _register(subject, missing),
        )
    if ours and not may:
        finding = warning if subject.deployed else problem
        yield finding(
            f"the subscription is not registered for {', '.join(ours)}",
            "azure-native registers these if it may, but this identity has no right to.",
            f"{_register(subject, missing)}  (as Owner or Contributor of the subscription)",
        )
    elif ours:
        yield ok(f"azure-native will register {', '.join(ours)}")
    if not missing:
        yield ok(f"the subscription is registered for all {total} resource providers")


def _register(subject: Subject, names: list[str]) -> str:
    subscription = subject.configuration.cloud.subscription_id
    each = f'az provider register --wait --subscription {subscription} --namespace "$each"'
    return f"for each in {' '.join(names)}; do {each}; done"


def _provider(subject: Subject, name: str) -> dict[str, Any]:
    return subject.arm.get(f"{subject.subscription}/providers/{name}", _API_VERSION)


def _regions(provider: dict[str, Any]) -> set[str]:
    kinds = provider.get("resourceTypes") or []
    places = (place for kind in kinds if kind["resourceType"] == "workspaces" for place in kind["locations"])
    return {place.replace(" ", "").lower() for place in places}
