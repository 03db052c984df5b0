"""From the plan to resources: what cannot be decided is asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from infra.azureml.assets import deployment_of_each


def deployment(endpoint: str, name: str) -> Any:
    return SimpleNamespace(name=f"{endpoint}/{name}", path=f"ml/deploy/{endpoint}/{name}-deployment.yml")


def test_each_endpoint_has_its_deployment() -> None:
    one, two = deployment("flights", "blue"), deployment("trains", "blue")
    assert deployment_of_each([one, two]) == {"flights": one, "trains": two}


def test_a_second_deployment_of_an_endpoint_is_refused_with_both_files() -> None:
    with pytest.raises(pulumi.RunError) as raised:
        deployment_of_each([deployment("flights", "blue"), deployment("flights", "green")])
    assert str(raised.value).startswith(
        "ml/deploy/flights/green-deployment.yml: endpoint 'flights' already has its deployment in "
        "ml/deploy/flights/blue-deployment.yml\n"
    )
