"""The managed identities of the workspace, its nodes, its endpoints and continuous integration (CI).

None of them has a secret. CI signs in with a token of its own platform. See docs/adr/0021.
"""

import hashlib
import re
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import managedidentity

from infra.components.placement import Placement
from infra.settings.access import IdentitiesSettings

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
FEDERATION_AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A user-assigned identity: its resource `id`, its `name`, and the `principal_id` for role assignments."""

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    principal_id: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Principals:
    """Object ids of the platform's identities, for role assignments."""

    workspace: pulumi.Output[str]
    cluster: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    ci: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class IdentitiesArgs:
    """Inputs of `Identities`. The settings define who may sign in as the CI identity."""

    placement: Placement
    settings: IdentitiesSettings = field(default_factory=IdentitiesSettings)


class Identities(pulumi.ComponentResource):
    """The platform's identities, and the federated credentials of CI.

    Outputs: `workspace`, `cluster`, `endpoint`, and `principals`. `principals.ci` is the new CI identity or the
    configured service principal.
    """

    workspace: Identity
    cluster: Identity
    endpoint: Identity
    principals: Principals

    def __init__(self, name: str, args: IdentitiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Identities", name, None, opts)
        place = args.placement
        self.workspace = self._identity(f"{name}-workspace", place.names.workspace_identity, place)
        self.cluster = self._identity(f"{name}-cluster", place.names.cluster_identity, place)
        self.endpoint = self._identity(f"{name}-endpoint", place.names.endpoint_identity, place)
        existing = args.settings.existing_service_principal
        if existing is not None:
            ci_principal_id = pulumi.Output.from_input(existing)
        else:
            ci = self._identity(f"{name}-ci", place.names.ci_identity, place)
            self._federate(f"{name}-ci", ci, args)
            ci_principal_id = ci.principal_id
        self.principals = Principals(
            workspace=self.workspace.principal_id,
            cluster=self.cluster.principal_id,
            endpoint=self.endpoint.principal_id,
            ci=ci_principal_id,
        )
        self.register_outputs(
            {
                "workspace_id": self.workspace.id,
                "cluster_id": self.cluster.id,
                "endpoint_id": self.endpoint.id,
                "ci_principal_id": ci_principal_id,
            }
        )

    def _identity(self, name: str, physical_name: str, place: Placement) -> Identity:
        identity = managedidentity.UserAssignedIdentity(
            name,
            resource_name_=physical_name,
            resource_group_name=place.resource_group,
            location=place.location,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return Identity(id=identity.id, name=identity.name, principal_id=identity.principal_id)

    def _federate(self, name: str, identity: Identity, args: IdentitiesArgs) -> None:
        trusted = [
            (
                _slug(f"github-{subject.name}-{subject.environment or subject.branch}"),
                GITHUB_ISSUER,
                subject.subject,
            )
            for subject in args.settings.github
        ] + [
            (_slug(f"azure-devops-{subject.connection}"), subject.issuer, subject.subject)
            for subject in args.settings.azure_dev_ops
        ]
        previous: list[pulumi.Resource] = []
        for credential, issuer, subject in trusted:
            # In sequence, because Azure refuses concurrent writes of credentials to one identity.
            previous = [
                managedidentity.FederatedIdentityCredential(
                    f"{name}-{credential}",
                    federated_identity_credential_resource_name=credential,
                    resource_name_=identity.name,
                    resource_group_name=args.placement.resource_group,
                    issuer=issuer,
                    subject=subject,
                    audiences=[FEDERATION_AUDIENCE],
                    opts=pulumi.ResourceOptions(parent=self, depends_on=previous),
                )
            ]


def _slug(text: str) -> str:
    """Return a credential's name: 3-120 letters, digits or hyphens. A shortened name ends in a hash to be unique."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    return slug if len(slug) <= 120 else f"{slug[:111]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
