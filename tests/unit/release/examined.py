"""A stack as the doctor's checks see it, with answers of Azure that a test sets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from azure.core.exceptions import HttpResponseError

from release.doctor.azure import Arm
from release.doctor.findings import Finding, Level
from release.doctor.subject import Account, Subject

ROOT = Path(__file__).resolve().parents[3]
TENANT, SUBSCRIPTION = "10ca1000-0000-4000-8000-616d6c697465", "10ca1000-0000-4000-9000-616d6c697465"
OWNER = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}
CONTRIBUTOR = {**OWNER, "notActions": ["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"]}
READER = {**OWNER, "actions": ["*/read"]}


class RefusalError(HttpResponseError):
    """An answer of Azure with a status of failure."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{code}: refused")
        self.status_code = status


class FakeArm(Arm):
    """Azure Resource Manager with one answer for each path, known by its end."""

    def __init__(self) -> None:
        self.skew: float | None = 0.0
        self.answers: dict[str, Any] = {
            "resourceGroups/rg-mlops-flights-test-001": RefusalError(404, "ResourceGroupNotFound"),
            f"subscriptions/{SUBSCRIPTION}": {"state": "Enabled", "displayName": "local"},
            "Microsoft.Authorization/permissions": {"value": [OWNER]},
            "vmSizes": {"value": [size("Standard_DS3_v2", 4, "standardDSv2Family")]},
            "usages": {
                "value": [
                    usage("Total Cluster Dedicated Regional vCPUs", 0, 100),
                    usage("Total Cluster LowPriority Regional vCPUs", 0, 100),
                    usage("Standard DSv2 Family Cluster Dedicated vCPUs", 0, 100),
                    usage("Standard DSv2 Family Cluster LowPriority vCPUs", 0, -1),
                ]
            },
        }

    def get(self, path: str, api_version: str) -> dict[str, Any]:
        assert api_version
        for end, answer in self.answers.items():
            if path.endswith(end):
                if isinstance(answer, Exception):
                    raise answer
                return dict(answer)
        if "/providers/" in path:
            places = [{"resourceType": "workspaces", "locations": ["West Europe", "North Europe"]}]
            return {"registrationState": "Registered", "resourceTypes": places}
        raise AssertionError(f"a check asks for {path}")


class FakeSubject(Subject):
    """A stack whose file, account and answers of Azure a test sets."""

    def __init__(self, folder: Path) -> None:
        super().__init__("test", ROOT, folder, {})
        self.arm = FakeArm()
        self.account = Account(TENANT, "object", "client", "somebody")
        self.document = {
            "config": {
                "azure-native:tenantId": TENANT,
                "azure-native:subscriptionId": SUBSCRIPTION,
                "azure-native:location": "westeurope",
                "azureml-platform:naming": {"namespace": "mlops", "workspace": "flights", "postfix": "001"},
                "azureml-platform:compute": [{"name": "cpu-cluster", "vmSize": "Standard_DS3_v2", "maxNodes": 2}],
                "azureml-platform:access": {"deployer": True},
                "azureml-platform:image": {"build": False},
            }
        }

    def set(self, key: str, **values: Any) -> None:
        """Change a group of settings."""
        self.document["config"].setdefault(f"azureml-platform:{key}", {}).update(values)

    def deploy(self) -> None:
        """Let the stack's resource group exist."""
        self.arm.answers["resourceGroups/rg-mlops-flights-test-001"] = {"name": "rg"}


def size(name: str, cores: int, family: str) -> dict[str, Any]:
    return {"name": name, "vCPUs": cores, "family": family, "lowPriorityCapable": True}


def usage(name: str, used: int, limit: int) -> dict[str, Any]:
    return {"name": {"value": name}, "currentValue": used, "limit": limit}


def only(findings: Iterable[Finding], level: Level) -> Finding:
    """Return the one finding of a level."""
    (found,) = [finding for finding in findings if finding.level is level]
    return found


def levels(findings: Iterable[Finding]) -> set[Level]:
    """Return the levels of some findings."""
    return {finding.level for finding in findings}
