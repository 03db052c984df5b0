"""The resource providers that the subscription is registered for: all of them, unless one is unregistered.

On Azure a new subscription is registered for a few. Sources: "Azure resource providers and types", and "Resolve errors
for resource provider registration".
"""

from __future__ import annotations

from collections.abc import Iterable

from amlite import SUBSCRIPTION_ID
from amlite.core import regions
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.service import Services
from amlite.core.wire import Json

# Providers without served types: those that Azure Machine Learning uses, and Azure's own compute.
_OTHERS = ("Microsoft.Cdn", "Microsoft.Compute", "Microsoft.Network", "Microsoft.PolicyInsights")
_ALWAYS = ("Microsoft.Authorization", "Microsoft.Resources")
_UNREGISTERED = "arm/unregistered-providers"


def names(platform: Platform) -> list[str]:
    """Return the namespaces of all providers."""
    served = (kind.name.partition("/")[0] for kind in platform.part(Services).types.values())
    return sorted({*served, *_OTHERS, *_ALWAYS})


def describe(platform: Platform, namespace: str) -> Json:
    """Return a provider as ARM does; AzureError 404 for a namespace that does not exist."""
    name = _name(platform, namespace)
    kinds = [kind.name.partition("/")[2] for kind in platform.part(Services).types.values() if _of(kind.name, name)]
    places = list(regions.TITLES.values())
    policy = "RegistrationFree" if name in _ALWAYS else "RegistrationRequired"
    return {
        "id": f"/subscriptions/{SUBSCRIPTION_ID}/providers/{name}",
        "namespace": name,
        "registrationPolicy": policy,
        "registrationState": "Registered" if registered(platform, name) else "NotRegistered",
        "resourceTypes": [{"resourceType": kind, "locations": places} for kind in sorted(kinds)],
    }


def registered(platform: Platform, namespace: str) -> bool:
    """Whether the subscription is registered for a provider."""
    return platform.store.get(f"{_UNREGISTERED}/{namespace.lower()}") is None


def register(platform: Platform, namespace: str) -> Json:
    """Register the subscription for a provider. Azure takes minutes. Here the next read returns Registered."""
    described = describe(platform, namespace)
    if described["registrationState"] == "Registered":
        return described
    platform.store.delete(f"{_UNREGISTERED}/{described['namespace'].lower()}")
    return {**described, "registrationState": "Registering"}


def unregister(platform: Platform, namespace: str) -> Json:
    """End the registration for a provider. AzureError 409 if it has resources or needs no registration."""
    name = _name(platform, namespace)
    if name in _ALWAYS:
        raise AzureError(
            409, "CannotUnregisterRegistrationFreeNamespace", f"The provider '{name}' needs no registration."
        )
    if any(
        _of(kind.name, name) and _any(platform.store.of_type(kind.name))
        for kind in platform.part(Services).types.values()
    ):
        raise AzureError(
            409,
            "ResourceProviderInUse",
            f"The resource provider '{name}' cannot be unregistered, because the subscription has resources of it.",
        )
    platform.store.put(f"{_UNREGISTERED}/{name.lower()}", _UNREGISTERED, {"namespace": name})
    return describe(platform, name)


def require(platform: Platform, namespace: str) -> None:
    """Raise ARM's 409 unless the subscription is registered for the provider of a resource."""
    if not registered(platform, namespace):
        raise AzureError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{_name(platform, namespace)}'. See "
            "https://aka.ms/rps-not-found for how to register subscriptions.",
        )


def require_for_endpoints(platform: Platform) -> None:
    """Refuse an online endpoint unless the providers that it depends on are registered.

    Source: "Troubleshoot online endpoint deployment and scoring" (SubscriptionNotRegistered). The message does not
    name the providers; Microsoft Q&A 2068819 does.
    """
    if not all(
        registered(platform, name) for name in ("Microsoft.Cdn", "Microsoft.Network", "Microsoft.PolicyInsights")
    ):
        raise AzureError(
            400,
            "SubscriptionNotRegistered",
            "Resource provider [N/A] isn't registered with Subscription [N/A]. Please see troubleshooting guide, "
            "available here: https://aka.ms/register-resource-provider",
        )


def _name(platform: Platform, namespace: str) -> str:
    for name in names(platform):
        if name.lower() == namespace.lower():
            return name
    raise AzureError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")


def _of(kind: str, namespace: str) -> bool:
    return kind.partition("/")[0].lower() == namespace.lower()


def _any(found: Iterable[object]) -> bool:
    return next(iter(found), None) is not None
