"""The role assignments of the platform. `grants.py` lists who gets which role, and why."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization

from infra.components.identities import Principals
from infra.roles.definitions import CustomRole, Role
from infra.roles.grants import Grant, Scope, When, Who, grants
from infra.roles.propagation import waits_for_roles
from infra.settings.access import AccessSettings
from infra.settings.network import Isolation, NetworkSettings
from infra.settings.services import StorageSettings

PrincipalType = authorization.PrincipalType


@dataclass(frozen=True, kw_only=True)
class Deployer:
    """The identity that runs `pulumi up`: its object id, and whether it is a user or a service principal."""

    object_id: str
    kind: PrincipalType


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Inputs of `Access`: the scopes (resource ids) that it assigns roles on, the identities, and the settings.

    A grant on any other scope is left to another `Access`: the workspace exists only after roles on its parts.
    """

    subscription_id: str
    scopes: Mapping[Scope, pulumi.Output[str]]
    principals: Principals
    deployer: Deployer
    settings: AccessSettings
    network: NetworkSettings
    storage: StorageSettings


class Access(pulumi.ComponentResource):
    """Role assignments. A resource that needs a role must depend on the list of assignments that contains it.

    Outputs: none. The attributes `workspace`, `cluster`, `endpoint`, `ci` and `people` are lists of assignments.
    """

    workspace: list[authorization.RoleAssignment]
    cluster: list[authorization.RoleAssignment]
    endpoint: list[authorization.RoleAssignment]
    ci: list[authorization.RoleAssignment]
    people: list[authorization.RoleAssignment]

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Access", name, None, opts)
        conditions = _conditions(args)

        def assign(
            label: str, who: Who, principal: pulumi.Input[str], kind: PrincipalType
        ) -> list[authorization.RoleAssignment]:
            return [
                self._assigned(f"{name}-{label}", grant, principal, kind, args)
                for grant in grants(who, conditions=conditions)
                if grant.scope in args.scopes
            ]

        machine = PrincipalType.SERVICE_PRINCIPAL
        self.workspace = assign("workspace", Who.WORKSPACE, args.principals.workspace, machine)
        self.cluster = assign("cluster", Who.CLUSTER, args.principals.cluster, machine)
        self.endpoint = assign("endpoint", Who.ENDPOINT, args.principals.endpoint, machine)
        self.ci = assign("ci", Who.CI, args.principals.ci, machine)
        self.people = []
        for who, group in _groups(args.settings):
            self.people += assign(f"{who.slug}-{group}", who, group, PrincipalType.GROUP)
        self.people += assign("deployer", Who.DEPLOYER, args.deployer.object_id, args.deployer.kind)
        self.register_outputs({})

    def _assigned(
        self, label: str, grant: Grant, principal: pulumi.Input[str], kind: PrincipalType, args: AccessArgs
    ) -> authorization.RoleAssignment:
        scope, role = args.scopes[grant.scope], grant.role
        name = f"{label}-{grant.scope.value}-{role.slug}"
        opts = pulumi.ResourceOptions(parent=self)
        guid = pulumi.Output.from_input(role.value) if isinstance(role, Role) else scope.apply(role.guid)
        if isinstance(role, CustomRole):
            definition = defined(name, role, guid, scope, opts)
            # Azure may not find a new role at once.
            opts = pulumi.ResourceOptions(parent=self, depends_on=[definition], hooks=waits_for_roles(name))
        return assigned(
            name,
            subscription_id=args.subscription_id,
            scope=scope,
            principal=principal,
            kind=kind,
            role=guid,
            opts=opts,
        )


def _conditions(args: AccessArgs) -> frozenset[When]:
    met = {
        When.MANAGED_NETWORK: args.network.isolation is not Isolation.DISABLED,
        When.NO_STORAGE_KEYS: not args.storage.shared_key_access,
        When.IMAGES_ON_CLUSTER: args.network.restricted,
        When.DEPLOYER: args.settings.deployer,
    }
    return frozenset(when for when, is_met in met.items() if is_met)


def _groups(settings: AccessSettings) -> Iterator[tuple[Who, str]]:
    for who, principals in (
        (Who.OWNERS, settings.owners),
        (Who.CONTRIBUTORS, settings.contributors),
        (Who.READERS, settings.readers),
    ):
        for principal in principals:
            yield who, principal


def defined(
    name: str,
    role: CustomRole,
    guid: pulumi.Input[str],
    scope: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> authorization.RoleDefinition:
    """Define a custom role at a scope (a resource id), where it can be assigned."""
    return authorization.RoleDefinition(
        f"{name}-role",
        scope=scope,
        role_definition_id=guid,
        # The name must be unique in the tenant. Only the GUID makes it unique.
        role_name=pulumi.Output.from_input(guid).apply(lambda known: f"{role.title} {known}"),
        role_type="CustomRole",
        description=role.description,
        permissions=[authorization.PermissionArgs(actions=list(role.actions), not_actions=list(role.not_actions))],
        assignable_scopes=[scope],
        opts=opts,
    )


def assigned(
    name: str,
    *,
    subscription_id: str,
    scope: pulumi.Output[str],
    principal: pulumi.Input[str],
    kind: PrincipalType,
    role: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> authorization.RoleAssignment:
    """Assign a role (its GUID) at a scope (a resource id) to a principal (an object id) of a type.

    Azure refuses a type that is not the principal's, and azure-native sends `User` if none is given.
    """
    return authorization.RoleAssignment(
        name,
        scope=scope,
        role_assignment_name=pulumi.Output.all(scope, principal, role).apply(lambda known: assignment_name(*known)),
        principal_id=principal,
        principal_type=kind,
        role_definition_id=pulumi.Output.from_input(role).apply(
            lambda guid: f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
        ),
        opts=opts,
    )


def assignment_name(scope: str, principal: str, role: str) -> str:
    """Return the name of a role assignment: a GUID of its content, so that no assignment is created twice."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{principal.lower()}|{role}"))
