"""The managed cluster with its identities, and its connection to the workspace."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, containerservice, kubernetesconfiguration, managedidentity

from cluster.roles import Scope, Who, grants
from cluster.settings import PoolSettings, Settings
from infra.components.access import assigned
from infra.platform import Platform
from infra.roles.propagation import waits_for_roles

KUBERNETES_NAMESPACE = "kubeflow"
SERVICE_ACCOUNT = "pipeline-runner"
# How an ARM path names this type of cluster.
PROVIDER, TYPE = "Microsoft.ContainerService", "managedClusters"
_AUDIENCE = "api://AzureADTokenExchange"
# Azure refuses to change these of an existing cluster (PropertyChangeNotAllowed).
_FIXED = ["dnsPrefix", "agentPoolProfiles[*].vmSize"]


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Inputs of `Cluster`."""

    platform: Platform
    settings: Settings


class Cluster(pulumi.ComponentResource):
    """A Kubernetes cluster whose nodes pull from the platform's registry, and an identity for the pipeline.

    The control plane and the nodes have identities of their own, which exist, with their roles, before the cluster
    does. The pipeline's pods sign in with the token of their service account: no identity has a secret.

    Outputs: `id`, `name`, `kubeconfig` (secret), `pipeline_client_id`.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    pipeline_client_id: pulumi.Output[str]
    extension: kubernetesconfiguration.Extension
    roles: list[authorization.RoleAssignment]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tacos-burritos:cluster:Cluster", name, None, opts)
        self.platform = args.platform
        place = self.platform.place
        # The platform's names have the form `<kind>-<namespace>-<workspace>-<stack>-<postfix>`.
        self._suffix = place.names.workspace.partition("-")[2]
        self._access = args.settings.pipeline.access
        plane, nodes, pipeline = (self._identity(name, who) for who in (Who.PLANE, Who.NODES, Who.PIPELINE))
        self.pipeline_client_id = pipeline.client_id
        scopes = {Scope.REGISTRY: self.platform.registry.id, Scope.NODES_IDENTITY: nodes.id}
        before = [
            *self._roles(name, Who.PLANE, plane.principal_id, scopes),
            *self._roles(name, Who.NODES, nodes.principal_id, scopes),
        ]
        aks = containerservice.ManagedCluster(
            name,
            resource_name_=f"aks-{self._suffix}",
            resource_group_name=place.resource_group,
            location=place.location,
            dns_prefix=self._suffix,
            kubernetes_version=args.settings.cluster.kubernetes_version,
            identity=containerservice.ManagedClusterIdentityArgs(
                type=containerservice.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[plane.id]
            ),
            identity_profile={"kubeletidentity": containerservice.UserAssignedIdentityArgs(resource_id=nodes.id)},
            oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=containerservice.ManagedClusterSecurityProfileArgs(
                workload_identity=containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True)
            ),
            storage_profile=containerservice.ManagedClusterStorageProfileArgs(
                disk_csi_driver=containerservice.ManagedClusterStorageProfileDiskCSIDriverArgs(enabled=True)
            ),
            agent_pool_profiles=[
                _pool("system", containerservice.AgentPoolMode.SYSTEM, args.settings.cluster.system_pool),
                _pool("user", containerservice.AgentPoolMode.USER, args.settings.cluster.user_pool),
            ],
            tags=place.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=before,
                hooks=waits_for_roles(name),
                replace_on_changes=_FIXED,
                # The autoscaler changes the number of nodes.
                ignore_changes=["agentPoolProfiles[*].count"],
            ),
        )
        self.id, self.name = aks.id, aks.name
        federation = managedidentity.FederatedIdentityCredential(
            f"{name}-pipeline",
            federated_identity_credential_resource_name="pipeline-runner",
            resource_name_=pipeline.name,
            resource_group_name=place.resource_group,
            issuer=aks.oidc_issuer_profile.apply(lambda profile: profile.issuer_url if profile else ""),
            subject=f"system:serviceaccount:{KUBERNETES_NAMESPACE}:{SERVICE_ACCOUNT}",
            audiences=[_AUDIENCE],
            opts=pulumi.ResourceOptions(parent=self),
        )
        scopes = {
            Scope.CLUSTER: aks.id,
            Scope.GROUP: self.platform.group.id,
            Scope.WORKSPACE: self.platform.workspace.id,
            Scope.STORAGE: self.platform.storage.id,
            Scope.ENDPOINT_IDENTITY: self.platform.identities.endpoint.id,
        }
        self.roles = self._roles(name, Who.WORKSPACE, self.platform.identities.principals.workspace, scopes)
        self.pipeline = [*self._roles(name, Who.PIPELINE, pipeline.principal_id, scopes), federation]
        self.extension = kubernetesconfiguration.Extension(
            f"{name}-machine-learning",
            extension_name="azureml",
            extension_type="Microsoft.AzureML.Kubernetes",
            cluster_rp=PROVIDER,
            cluster_resource_name=TYPE,
            cluster_name=aks.name,
            resource_group_name=place.resource_group,
            scope=kubernetesconfiguration.ScopeArgs(
                cluster=kubernetesconfiguration.ScopeClusterArgs(release_namespace="azureml")
            ),
            auto_upgrade_minor_version=True,
            configuration_settings={"enableTraining": "True"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        found = containerservice.list_managed_cluster_user_credentials_output(
            resource_group_name=place.resource_group, resource_name=aks.name
        )
        self.kubeconfig = pulumi.Output.secret(found.kubeconfigs[0].value.apply(_decoded))
        self.register_outputs({"id": self.id, "name": self.name})

    def _identity(self, name: str, who: Who) -> managedidentity.UserAssignedIdentity:
        place = self.platform.place
        return managedidentity.UserAssignedIdentity(
            f"{name}-{who.value}",
            resource_name_=f"id-{self._suffix}-aks-{who.value}",
            resource_group_name=place.resource_group,
            location=place.location,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _roles(
        self, name: str, who: Who, principal: pulumi.Input[str], scopes: Mapping[Scope, pulumi.Output[str]]
    ) -> list[authorization.RoleAssignment]:
        return [
            assigned(
                f"{name}-{who.value}-{grant.scope.value}-{grant.role.slug}",
                subscription_id=self.platform.program.config.cloud.subscription_id,
                scope=scopes[grant.scope],
                principal=principal,
                kind=authorization.PrincipalType.SERVICE_PRINCIPAL,
                role=grant.role.value,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for grant in grants(who, self._access)
        ]


def _pool(
    name: str, mode: containerservice.AgentPoolMode, settings: PoolSettings
) -> containerservice.ManagedClusterAgentPoolProfileArgs:
    return containerservice.ManagedClusterAgentPoolProfileArgs(
        name=name,
        mode=mode,
        vm_size=settings.vm_size,
        os_type=containerservice.OSType.LINUX,
        os_disk_type=containerservice.OSDiskType.MANAGED,
        type=containerservice.AgentPoolType.VIRTUAL_MACHINE_SCALE_SETS,
        count=settings.min_nodes,
        enable_auto_scaling=True,
        min_count=settings.min_nodes,
        max_count=settings.max_nodes,
    )


def _decoded(value: str) -> str:
    """Decode a kubeconfig, which the service returns in base64."""
    return base64.b64decode(value).decode()
