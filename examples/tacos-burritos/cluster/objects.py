"""What the pipeline needs inside the cluster: namespace, service account and volume; Kubeflow; and the attachment."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_azure_native import kubernetesconfiguration
from pulumi_azure_native import machinelearningservices as ml

from cluster.kubernetes import KUBERNETES_NAMESPACE, PROVIDER, SERVICE_ACCOUNT, TYPE, Cluster
from cluster.settings import KubeflowSettings, Settings
from infra.roles.propagation import waits_for_roles

CLAIM = "azure-managed-disk"
COMPUTE = "aks"


@dataclass(frozen=True, kw_only=True)
class ObjectsArgs:
    """Inputs of `Objects`."""

    cluster: Cluster
    settings: Settings


class Objects(pulumi.ComponentResource):
    """The namespace of the pipeline with its service account and the disk that the steps share.

    The cluster is attached to the workspace with the same namespace.

    Outputs: none. `export` adds stack outputs.
    """

    def __init__(self, name: str, args: ObjectsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tacos-burritos:cluster:Objects", name, None, opts)
        self._cluster = args.cluster
        provider = kubernetes.Provider(
            f"{name}-aks", kubeconfig=args.cluster.kubeconfig, opts=pulumi.ResourceOptions(parent=self)
        )
        inside = pulumi.ResourceOptions(parent=self, provider=provider)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace", metadata={"name": KUBERNETES_NAMESPACE}, opts=inside
        )
        self.account = kubernetes.core.v1.ServiceAccount(
            f"{name}-{SERVICE_ACCOUNT}",
            metadata={
                "name": SERVICE_ACCOUNT,
                "namespace": namespace.metadata.name,
                "annotations": {"azure.workload.identity/client-id": args.cluster.pipeline_client_id},
            },
            opts=inside,
        )
        storage = kubernetes.storage.v1.StorageClass(
            f"{name}-storage-class",
            metadata={"name": "pipeline-premium"},
            provisioner="disk.csi.azure.com",
            parameters={"skuName": args.settings.volume.sku.value},
            reclaim_policy="Delete",
            allow_volume_expansion=True,
            # The pools have no availability zones, so a disk fits on any node before a pod needs it.
            volume_binding_mode="Immediate",
            opts=inside,
        )
        self.claim = kubernetes.core.v1.PersistentVolumeClaim(
            f"{name}-volume",
            metadata={"name": CLAIM, "namespace": namespace.metadata.name},
            spec={
                "access_modes": ["ReadWriteOnce"],
                "storage_class_name": storage.metadata.name,
                "resources": {"requests": {"storage": f"{args.settings.volume.gibibytes}Gi"}},
            },
            opts=inside,
        )
        place = args.cluster.platform.place
        ml.Compute(
            f"{name}-attached",
            compute_name=COMPUTE,
            workspace_name=args.cluster.platform.workspace.name,
            resource_group_name=place.resource_group,
            location=place.location,
            tags=place.tags,
            properties=ml.KubernetesArgs(
                compute_type="Kubernetes",
                disable_local_auth=True,
                resource_id=args.cluster.id,
                properties=ml.KubernetesPropertiesArgs(namespace=namespace.metadata.name),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.cluster.extension, *args.cluster.roles],
                hooks=waits_for_roles(f"{name}-attached"),
            ),
        )
        if args.settings.kubeflow is not None:
            self._install_kubeflow(name, args.settings.kubeflow, namespace)
        self.register_outputs({})

    def export(self) -> None:
        """Export what a runner of the pipeline needs to know about the cluster."""
        pulumi.export(
            "kubernetes",
            {
                "cluster": self._cluster.name,
                "namespace": self.account.metadata.namespace,
                "service_account": self.account.metadata.name,
                "claims": [self.claim.metadata.name],
                "pipeline_identity_client_id": self._cluster.pipeline_client_id,
            },
        )

    def _install_kubeflow(self, name: str, settings: KubeflowSettings, namespace: kubernetes.core.v1.Namespace) -> None:
        place = self._cluster.platform.place
        flux = kubernetesconfiguration.Extension(
            f"{name}-flux",
            extension_name="flux",
            extension_type="microsoft.flux",
            cluster_rp=PROVIDER,
            cluster_resource_name=TYPE,
            cluster_name=self._cluster.name,
            resource_group_name=place.resource_group,
            auto_upgrade_minor_version=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        kubernetesconfiguration.FluxConfiguration(
            f"{name}-kubeflow",
            flux_configuration_name="kubeflow",
            cluster_rp=PROVIDER,
            cluster_resource_name=TYPE,
            cluster_name=self._cluster.name,
            resource_group_name=place.resource_group,
            namespace="flux-kubeflow",
            scope=kubernetesconfiguration.ScopeType.CLUSTER,
            source_kind=kubernetesconfiguration.SourceKindType.GIT_REPOSITORY,
            git_repository=kubernetesconfiguration.GitRepositoryDefinitionArgs(
                url=settings.repository,
                repository_ref=kubernetesconfiguration.RepositoryRefDefinitionArgs(tag=settings.tag),
            ),
            kustomizations={
                "kubeflow": kubernetesconfiguration.KustomizationDefinitionArgs(
                    path=settings.path, prune=True, sync_interval_in_seconds=600, timeout_in_seconds=1200
                )
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[flux, namespace]),
        )
