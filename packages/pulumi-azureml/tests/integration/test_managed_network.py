"""The managed network of a workspace, by the provider against amlite."""

from __future__ import annotations

import logging
import threading

import pytest

from amlite.testing import LocalAzure, Workspace
from pulumi_azureml.operations import retry
from pulumi_azureml.provider import AzureMLProvider

PROVIDER = AzureMLProvider("managed_network")


def isolated(azure: LocalAzure, name: str) -> dict[str, object]:
    """Make a workspace whose network is not provisioned, and return the inputs of the resource."""
    made = Workspace.create(azure, name)
    answer = azure.arm("PATCH", made.id, {"properties": {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}}})
    azure.finish(answer)
    place = {"subscription_id": made.subscription_id, "resource_group": made.resource_group, "name": made.name}
    return {"workspace": place, "name": made.name, "isolation": "AllowInternetOutbound"}


def test_a_network_is_provisioned_once(amlite: LocalAzure) -> None:
    props = isolated(amlite, "mlw-network")
    assert PROVIDER.read("mlw-network", {**props, "status": "Active"}).id == ""
    made = PROVIDER.create(props)
    assert made.outs == {**props, "status": "Active"}
    read = PROVIDER.read(made.id, made.outs)
    assert (read.id, read.inputs, read.outs) == (made.id, props, made.outs)
    PROVIDER.update(made.id, made.outs, props)
    PROVIDER.delete(made.id, made.outs)
    assert len(amlite.requests("mlw-network/provisionManagedNetwork")) == 1


def test_half_an_hour_is_waited_for_and_shown(
    amlite: LocalAzure, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Provisioning takes about 30 minutes: how-to-managed-network, "Manually provision a managed VNet"."""
    props = isolated(amlite, "mlw-slow-network")
    amlite.add_fault("POST */provisionManagedNetwork", "lro-slow", seconds=1800)
    monkeypatch.setattr(retry, "_SAY_SECONDS", 0.1)
    said = threading.Event()

    class Said(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "after" in record.getMessage() and not said.is_set():
                said.set()
                amlite.advance(1800)

    handler = Said()
    log = logging.getLogger("pulumi_azureml")
    log.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "pulumi_azureml"):
            assert PROVIDER.create(props).outs["status"] == "Active"
    finally:
        log.removeHandler(handler)
    assert said.is_set()
    assert "provisioning takes about 30 minutes" in caplog.text
