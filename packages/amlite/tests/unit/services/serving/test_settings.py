from __future__ import annotations

import pytest

from amlite.core.errors import AzureError
from amlite.services.serving import settings


@pytest.mark.parametrize(
    ("text", "value"),
    [("PT10S", 10), ("PT0.5S", 0.5), ("PT1M30S", 90), ("PT1H", 3600), ("P1DT1S", 86401), (None, 7)],
)
def test_durations_are_iso_8601(text: str | None, value: float) -> None:
    assert settings.seconds(text, 7, "any") == value


@pytest.mark.parametrize("text", ["10", "P", "PT", "10s"])
def test_other_durations_are_refused_by_name(text: str) -> None:
    with pytest.raises(AzureError, match=r"readinessProbe\.period"):
        settings.readiness({"readinessProbe": {"period": text}})


def test_a_server_is_waited_for_as_long_as_its_readiness_probe_says() -> None:
    assert settings.readiness({}).start_timeout == 310
    probe = {"initialDelay": "PT20S", "period": "PT5S", "failureThreshold": 4}
    assert settings.readiness({"readinessProbe": probe}).start_timeout == 40


def test_request_settings_have_the_services_defaults_and_limits() -> None:
    assert settings.requests({}, 3) == settings.Requests(5.0, 6)
    given = {"requestSettings": {"requestTimeout": "PT1M", "maxConcurrentRequestsPerInstance": 4}}
    assert settings.requests(given, 1) == settings.Requests(60.0, 8)
    with pytest.raises(AzureError, match="at most 180 seconds"):
        settings.requests({"requestSettings": {"requestTimeout": "PT4M"}}, 1)


@pytest.mark.parametrize("capacity", [0, -1, "two", None])
def test_a_deployment_has_at_least_one_instance(capacity: object) -> None:
    with pytest.raises(AzureError, match=r"sku\.capacity"):
        settings.instances({"sku": {"capacity": capacity}})


def test_probes_are_read_alike_and_refused_by_name() -> None:
    given = {"livenessProbe": {"period": "PT5S", "timeout": "PT3S", "failureThreshold": 2}}
    assert settings.liveness(given) == settings.Probe(10.0, 5.0, 3.0, 2)
    with pytest.raises(AzureError, match=r"livenessProbe\.period: must be at least 1"):
        settings.liveness({"livenessProbe": {"period": "PT0S"}})
