"""The stacks that the CI files work on, on a local Azure, and what an administrator sets up for them by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from amlite import SUBSCRIPTION_ID, TENANT_ID
from tests.ci.azure_pipelines import Connection
from tests.ci.github import REPOSITORY
from tests.ci.machine import Machine

_GITHUB = "https://token.actions.githubusercontent.com"
_VERSION = "2023-01-31"


@dataclass
class Platform:
    """Stacks on a machine's local Azure.

    Attributes:
        machine: The machine.
        variables: GitHub's variables, by deployment environment.
        groups: The variable groups of Azure Pipelines.
        connections: The service connections of Azure Pipelines.
    """

    machine: Machine
    stacks: tuple[str, ...]
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set up each stack's identities on both hosts, as docs/ci.md describes."""
        for stack in self.stacks:
            group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-mlops-flights-{stack}-001"
            identities = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
            deployer = self._client(f"{identities}/id-mlops-flights-{stack}-001-ci")
            issuer, subject = self._trusted(stack)
            self._environment(stack, deployer)
            self.connections[f"azure-{stack}"] = Connection(issuer, subject, deployer)
            self.groups[f"azureml-{stack}"] = {"PULUMI_BACKEND_URL": self.machine.backend}

            reader = f"{identities}/id-{stack}-preview"
            previews = f"{subject}-preview"
            made = self.machine.azure.put(reader, {"location": "westeurope"}, _VERSION)["properties"]
            self._trust(f"{reader}/federatedIdentityCredentials/github", _GITHUB,
                        f"repo:{REPOSITORY}:environment:{stack}-preview")  # fmt: skip
            self._trust(f"{reader}/federatedIdentityCredentials/azure-devops", issuer, previews)
            self.machine.azure.assign("Reader", f"/subscriptions/{SUBSCRIPTION_ID}", made["principalId"])
            self._environment(f"{stack}-preview", made["clientId"])
            self.connections[f"azure-{stack}-preview"] = Connection(issuer, previews, made["clientId"])

    def _environment(self, name: str, client: str) -> None:
        self.variables[name] = {
            "AZURE_CLIENT_ID": client,
            "AZURE_TENANT_ID": TENANT_ID,
            "PULUMI_BACKEND_URL": self.machine.backend,
        }

    def _trusted(self, stack: str) -> tuple[str, str]:
        """Return issuer and subject of the service connection that the stack trusts."""
        file = self.machine.clone.state / "environments" / f"Pulumi.{stack}.yaml"
        config: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))["config"]
        (connection,) = config["azureml-platform:identities"]["azureDevOps"]
        return connection["issuer"], connection["subject"]

    def _client(self, identity: str) -> str:
        return str(self.machine.azure.arm("GET", identity, version=_VERSION).json()["properties"]["clientId"])

    def _trust(self, path: str, issuer: str, subject: str) -> None:
        properties = {"issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
        self.machine.azure.put(path, {"properties": properties}, _VERSION)
