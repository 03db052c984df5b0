"""The role assignments of the platform, each at the narrowest possible scope.

The workspace's identity has the roles that Microsoft requires for a user-assigned workspace identity with its own
storage account, key vault, container registry and Application Insights. Nodes may pull images, and read and write
blobs. Endpoints may pull images and read blobs.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import pulumi
from pulumi_azure_native import authorization

from infra.components.identities import Principals
from infra.settings.access import AccessSettings

PrincipalType = authorization.PrincipalType


class Role(Enum):
    """The built-in roles that the platform uses. Their GUIDs are the same in every tenant."""

    OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
    STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    STORAGE_BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
    AZUREML_REGISTRY_USER = "1823dd4f-9b8c-4ab6-ab4e-7397a3684615"

    @property
    def slug(self) -> str:
        """The role as part of a resource's name, such as `acr-pull`."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Inputs of `Access`: the scopes (resource ids), the identities, and the settings with the groups of people.

    `deployer_principal` is the identity that runs `pulumi up`. It gets the data roles if `settings.deployer` is true.
    """

    subscription_id: str
    resource_group_id: pulumi.Output[str]
    storage_account_id: pulumi.Output[str]
    key_vault_id: pulumi.Output[str]
    container_registry_id: pulumi.Output[str]
    application_insights_id: pulumi.Output[str]
    principals: Principals
    deployer_principal: str
    settings: AccessSettings


class Access(pulumi.ComponentResource):
    """All role assignments. A resource that needs a role must depend on the list of assignments that contains it.

    Outputs: none. The attributes `workspace`, `cluster`, `endpoint`, `ci` and `people` are lists of assignments.
    """

    workspace: list[authorization.RoleAssignment]
    cluster: list[authorization.RoleAssignment]
    endpoint: list[authorization.RoleAssignment]
    ci: list[authorization.RoleAssignment]
    people: list[authorization.RoleAssignment]

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Access", name, None, opts)
        scopes = {
            "group": args.resource_group_id,
            "storage": args.storage_account_id,
            "vault": args.key_vault_id,
            "registry": args.container_registry_id,
            "insights": args.application_insights_id,
        }
        machine = PrincipalType.SERVICE_PRINCIPAL

        def assign(
            who: str, principal: pulumi.Input[str], kind: PrincipalType | None, *grants: tuple[str, Role]
        ) -> list[authorization.RoleAssignment]:
            return [
                assigned(
                    f"{name}-{who}-{scope}-{role.slug}",
                    subscription_id=args.subscription_id,
                    scope=scopes[scope],
                    principal=principal,
                    kind=kind,
                    role=role,
                    opts=pulumi.ResourceOptions(parent=self),
                )
                for scope, role in grants
            ]

        self.workspace = assign(
            "workspace",
            args.principals.workspace,
            machine,
            ("storage", Role.CONTRIBUTOR),
            ("storage", Role.STORAGE_BLOB_DATA_CONTRIBUTOR),
            ("vault", Role.CONTRIBUTOR),
            ("vault", Role.KEY_VAULT_ADMINISTRATOR),
            ("registry", Role.CONTRIBUTOR),
            ("registry", Role.ACR_PULL),
            ("insights", Role.CONTRIBUTOR),
        )
        self.cluster = assign(
            "cluster",
            args.principals.cluster,
            machine,
            ("storage", Role.STORAGE_BLOB_DATA_CONTRIBUTOR),
            ("registry", Role.ACR_PULL),
        )
        self.endpoint = assign(
            "endpoint",
            args.principals.endpoint,
            machine,
            ("storage", Role.STORAGE_BLOB_DATA_READER),
            ("registry", Role.ACR_PULL),
        )
        data = (("storage", Role.STORAGE_BLOB_DATA_CONTRIBUTOR), ("registry", Role.ACR_PUSH))
        self.ci = assign("ci", args.principals.ci, machine, ("group", Role.CONTRIBUTOR), *data)
        self.people = []
        for who, principal, grants in _groups(args.settings):
            self.people += assign(f"{who}-{principal}", principal, PrincipalType.GROUP, *grants, *data)
        for principal in args.settings.readers:
            self.people += assign(f"readers-{principal}", principal, PrincipalType.GROUP, ("group", Role.READER))
        if args.settings.deployer:
            # Without a principal type, Azure looks up whether the deployer is a person or a service principal.
            self.people += assign("deployer", args.deployer_principal, None, *data)
        self.register_outputs({})


def _groups(settings: AccessSettings) -> Iterator[tuple[str, str, tuple[tuple[str, Role], ...]]]:
    for principal in settings.owners:
        yield "owners", principal, (("group", Role.OWNER),)
    for principal in settings.contributors:
        yield "contributors", principal, (("group", Role.CONTRIBUTOR),)


def assigned(
    name: str,
    *,
    subscription_id: str,
    scope: pulumi.Output[str],
    principal: pulumi.Input[str],
    kind: PrincipalType | None,
    role: Role,
    opts: pulumi.ResourceOptions,
) -> authorization.RoleAssignment:
    """Assign a role at a scope (a resource id) to a principal (an object id). If `kind` is None, Azure looks it up."""
    return authorization.RoleAssignment(
        name,
        scope=scope,
        role_assignment_name=pulumi.Output.all(scope, principal).apply(
            lambda known: assignment_name(known[0], known[1], role)
        ),
        principal_id=principal,
        principal_type=kind,
        role_definition_id=role_definition_id(subscription_id, role),
        opts=opts,
    )


def assignment_name(scope: str, principal: str, role: Role) -> str:
    """Return the name of a role assignment: a GUID of its content, so that no assignment is created twice."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{principal.lower()}|{role.value}"))


def role_definition_id(subscription_id: str, role: Role) -> str:
    """Return the resource id of a built-in role, as ARM returns it."""
    return f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role.value}"
