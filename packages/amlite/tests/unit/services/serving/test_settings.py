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


def test_the_number_of_workers_is_that_of_the_servers_variable() -> None:
    assert settings.workers({}) == 1
    assert settings.workers({"environmentVariables": {"WORKER_COUNT": "3", "WORKER_TIMEOUT": "60"}}) == 3


@pytest.mark.attack
@pytest.mark.parametrize("name", ["WORKER_COUNT", "WORKER_TIMEOUT", "SCORING_TIMEOUT_MS", "AZUREML_DEBUG_PORT"])
@pytest.mark.parametrize("value", ["abc", "", "-1", "1.5", "\u0663", "9" * 5000])
def test_a_variable_that_is_no_number_for_the_server_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(AzureError, match=rf"properties\.environmentVariables\.{name}: must be a whole number"):
        settings.workers({"environmentVariables": {name: value}})


@pytest.mark.attack
@pytest.mark.parametrize("count", ["0", "1001"])
def test_a_server_has_no_more_workers_than_a_machine_can_run(count: str) -> None:
    with pytest.raises(AzureError, match="WORKER_COUNT: must be from 1 to 1000"):
        settings.workers({"environmentVariables": {"WORKER_COUNT": count}})
