"""The workspace's compute clusters."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from infra.components.placement import Placement
from infra.settings.compute import ComputeSettings
from infra.settings.network import NetworkSettings


@dataclass(frozen=True, kw_only=True)
class ComputeClustersArgs:
    """Inputs of `ComputeClusters`.

    Every node uses the identity `identity_id`. `requires` has the role assignments that a node needs to start a job,
    and the network of the nodes.
    """

    placement: Placement
    workspace_name: pulumi.Output[str]
    identity_id: pulumi.Output[str]
    clusters: Sequence[ComputeSettings]
    network: NetworkSettings
    requires: Sequence[pulumi.Resource]


# Azure accepts changes of these properties for an existing cluster, and does not apply them. Nodes also
# keep their addresses and their network: "Migration of compute resources" in how-to-managed-network-compute.
_FIXED = [f"properties.properties.{name}" for name in ("vmSize", "vmPriority", "enableNodePublicIp")]


class ComputeClusters(pulumi.ComponentResource):
    """The autoscaling clusters of the configuration. Nodes do not accept SSH or passwords.

    Outputs: `names`, in the order of the configuration.
    """

    names: pulumi.Output[list[str]]

    def __init__(self, name: str, args: ComputeClustersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:ComputeClusters", name, None, opts)
        place = args.placement
        clusters = [
            ml.Compute(
                f"{name}-{cluster.name}",
                compute_name=cluster.name,
                workspace_name=args.workspace_name,
                resource_group_name=place.resource_group,
                location=place.location,
                identity=ml.ManagedServiceIdentityArgs(
                    type=ml.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[args.identity_id]
                ),
                properties=ml.AmlComputeArgs(
                    compute_type="AmlCompute",
                    disable_local_auth=True,
                    properties=ml.AmlComputePropertiesArgs(
                        os_type=ml.OsType.LINUX,
                        vm_size=cluster.vm_size,
                        vm_priority=cluster.priority.value,
                        # Azure's default is true, also in a managed network.
                        enable_node_public_ip=not args.network.isolated,
                        remote_login_port_public_access=ml.RemoteLoginPortPublicAccess.DISABLED,
                        scale_settings=ml.ScaleSettingsArgs(
                            min_node_count=cluster.min_nodes,
                            max_node_count=cluster.max_nodes,
                            node_idle_time_before_scale_down=cluster.idle_time,
                        ),
                    ),
                ),
                tags=place.tags,
                opts=pulumi.ResourceOptions(parent=self, depends_on=args.requires, replace_on_changes=_FIXED),
            )
            for cluster in args.clusters
        ]
        self.names = pulumi.Output.all(*(cluster.name for cluster in clusters)).apply(list[str])
        self.register_outputs({"names": self.names})
