"""`release doctor` against amlite: a subscription that is ready, and subscriptions that lack something."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.core.credentials import TokenCredential

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure, Workspace
from pulumi_azureml.operations import connection
from release.doctor import subject
from release.doctor.examination import examine
from release.doctor.findings import Finding, Level, Report

ROOT = Path(__file__).resolve().parents[2]
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
_USAGES = "Microsoft.MachineLearningServices/locations/westeurope/usages"


@pytest.fixture
def examined(amlite: LocalAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Report]]:
    """Return a function that examines the stack `doctor`, whose settings it takes."""
    assert amlite
    (tmp_path / "backend").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "backend").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("CI", "GITHUB_ACTIONS", "TF_BUILD", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    connection.sign_in_again()

    def examine_stack(**settings: Any) -> Report:
        given = {
            "naming": {"namespace": "mlops", "workspace": "flights", "postfix": "001"},
            "compute": [{"name": "cpu-cluster", "vmSize": "Standard_DS3_v2", "maxNodes": 2}],
            "access": {"deployer": True},
            "image": {"build": False},
        } | settings
        cloud = {"tenantId": TENANT_ID, "subscriptionId": SUBSCRIPTION_ID, "location": "westeurope"}
        cloud |= given.pop("cloud", {})
        document = {
            **{f"azure-native:{key}": value for key, value in cloud.items()},
            **{f"azureml-platform:{key}": value for key, value in given.items()},
        }
        (tmp_path / "Pulumi.yaml").write_text("name: doctor\nruntime: python\n")
        (tmp_path / "Pulumi.doctor.yaml").write_text(yaml.safe_dump({"config": document}))
        return examine("doctor", ROOT, tmp_path)

    yield examine_stack
    connection.sign_in_again()


def _sign_in(monkeypatch: pytest.MonkeyPatch, credential: TokenCredential) -> None:
    monkeypatch.setattr(subject, "credential", lambda: credential)


def _problems(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.level is Level.PROBLEM]


def test_a_subscription_that_is_ready(examined: Callable[..., Report], amlite: LocalAzure) -> None:
    before = len(amlite.requests())
    report = examined()
    assert {finding.level for finding in report.findings} == {Level.OK}, report
    asked = [each for each in amlite.requests()[before:] if each["host"] == "management.azure.com"]
    changing = {f"{each['method']} {each['path']}" for each in asked if each["method"] != "GET"}
    assert {each.rpartition("/")[2] for each in changing} == {"checkNameAvailability"}


def test_providers_that_nobody_registers(examined: Callable[..., Report], amlite: LocalAzure) -> None:
    provider = f"{SUBSCRIPTION}/providers/Microsoft.PolicyInsights"
    assert amlite.arm("POST", f"{provider}/unregister", version="2021-04-01").status_code == 200
    try:
        (found,) = _problems(examined())
        assert "not registered for Microsoft.PolicyInsights" in found.what
        assert "az provider register" in found.fix
    finally:
        amlite.arm("POST", f"{provider}/register", version="2021-04-01")


def test_roles_that_do_not_suffice(
    examined: Callable[..., Report], amlite: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sign_in(monkeypatch, amlite.application(("Contributor", SUBSCRIPTION)))
    roles, data = _problems(examined(access={"deployer": False}))
    assert "may not assign roles" in roles.what
    assert "may not upload" in data.what


def test_a_data_role_suffices(
    examined: Callable[..., Report], amlite: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (("Owner", SUBSCRIPTION), ("Storage Blob Data Contributor", SUBSCRIPTION))
    _sign_in(monkeypatch, amlite.application(*both))
    assert _problems(examined(access={"deployer": False})) == []


def test_a_quota_that_is_too_small(examined: Callable[..., Report], amlite: LocalAzure) -> None:
    usages = amlite.arm("GET", f"{SUBSCRIPTION}/providers/{_USAGES}").json()["value"]
    family = "Standard DSv2 Family Cluster Dedicated vCPUs"
    # Other tests leave clusters.
    (used,) = (each["currentValue"] for each in usages if each["name"]["value"] == family)
    amlite.command("quota", "set", "Standard_DS3_v2", str(used + 3))
    try:
        cluster, deployment = _problems(examined())
        assert "cluster cpu-cluster: 1 x Standard_DS3_v2 take 4 vCPUs, and 3 are left" in cluster.what
        assert "8 vCPUs" in deployment.what
    finally:
        amlite.command("quota", "clear")


def test_a_name_that_is_taken(examined: Callable[..., Report], amlite: LocalAzure) -> None:
    group = f"{SUBSCRIPTION}/resourceGroups/rg-doctor-names"
    amlite.put(group, {"location": "westeurope"}, "2021-04-01")
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kvmlopsflightsdoctortkn"
    properties = {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
    amlite.put(vault, {"location": "westeurope", "properties": properties}, "2023-07-01")
    (found,) = _problems(examined(naming={"namespace": "mlops", "workspace": "flights", "postfix": "tkn"}))
    assert found.what.startswith("key vault kvmlopsflightsdoctortkn: ")
    assert "naming.postfix" in found.fix


def test_an_endpoint_name_that_is_taken_in_the_region(examined: Callable[..., Report], amlite: LocalAzure) -> None:
    endpoint = "doctor-taken"
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
    amlite.put(f"{Workspace.create(amlite, 'doctor-endpoints').id}/onlineEndpoints/{endpoint}", body)
    names = {"namespace": "mlops", "workspace": "flights", "postfix": "001", "endpoints": {"flight-delay": endpoint}}
    (found,) = _problems(examined(naming=names))
    assert found.what.startswith(f"endpoint flight-delay: another workspace in westeurope has the name {endpoint}: ")
    assert "naming.endpoints.flight-delay NEW" in found.fix


def test_a_region_without_the_size(examined: Callable[..., Report]) -> None:
    report = examined(compute=[{"name": "cpu-cluster", "vmSize": "Standard_X1"}])
    assert [found.what for found in _problems(report)] == ["cluster cpu-cluster: westeurope does not have Standard_X1"]


@pytest.mark.parametrize("key", ["tenantId", "subscriptionId"])
def test_another_tenant_or_subscription(key: str, examined: Callable[..., Report]) -> None:
    report = examined(cloud={key: "3f2504e0-4f89-41d3-9a0c-0305e82c3301"})
    (found,) = _problems(report)
    assert found.check == "Sign-in"
    assert "az login --tenant" in found.fix
    assert report.count(Level.SKIPPED) == 5
