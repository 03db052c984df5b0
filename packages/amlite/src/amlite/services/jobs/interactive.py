"""The interactive services of a job, such as JupyterLab. amlite has none, and shows each as failed, with the reason.

In Azure, a service that does not start does not fail its job either.
"""

from __future__ import annotations

from amlite.core.wire import Json

_WHY = "amlite has no interactive services. The job runs without it."


def services(properties: Json) -> Json:
    """Return the services that a job asks for, as it shows them."""
    return {
        name: {**given, "status": "Failed", "errorMessage": _WHY}
        for name, given in (properties.get("services") or {}).items()
    }
