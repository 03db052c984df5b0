"""The workspace's compute instances."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from infra.components.placement import Placement
from infra.settings.instances import InstanceSchedule, InstanceSettings
from infra.settings.network import NetworkSettings


@dataclass(frozen=True, kw_only=True)
class ComputeInstancesArgs:
    """Inputs of `ComputeInstances`. `requires` has the network of the instances."""

    placement: Placement
    workspace_name: pulumi.Output[str]
    tenant_id: str
    instances: Sequence[InstanceSettings]
    network: NetworkSettings
    requires: Sequence[pulumi.Resource]


# Azure sets these properties only when it creates an instance: how-to-create-compute-instance.
_FIXED = [
    f"properties.properties.{name}"
    for name in (
        "vmSize",
        "enableNodePublicIp",
        "enableSSO",
        "idleTimeBeforeShutdown",
        "personalComputeInstanceSettings",
        "schedules",
    )
]


class ComputeInstances(pulumi.ComponentResource):
    """The compute instances of the configuration. They do not accept SSH.

    An instance has no managed identity, because one would prevent its idle shutdown unless it were a Contributor of the
    workspace. Its user's identity reads and writes data.

    Outputs: `names`, in the order of the configuration.
    """

    names: pulumi.Output[list[str]]

    def __init__(self, name: str, args: ComputeInstancesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:ComputeInstances", name, None, opts)
        place = args.placement
        instances = [
            ml.Compute(
                f"{name}-{instance.name}",
                compute_name=instance.name,
                workspace_name=args.workspace_name,
                resource_group_name=place.resource_group,
                location=place.location,
                properties=ml.ComputeInstanceArgs(
                    compute_type="ComputeInstance",
                    disable_local_auth=True,
                    properties=ml.ComputeInstancePropertiesArgs(
                        vm_size=instance.vm_size,
                        application_sharing_policy=ml.ApplicationSharingPolicy.PERSONAL,
                        compute_instance_authorization_type=ml.ComputeInstanceAuthorizationType.PERSONAL,
                        # Azure's default is true, also in a managed network.
                        enable_node_public_ip=not args.network.isolated,
                        enable_sso=instance.sso,
                        idle_time_before_shutdown=instance.idle_time,
                        personal_compute_instance_settings=_user(instance.user, args.tenant_id),
                        schedules=_schedules(instance.schedules),
                        ssh_settings=ml.ComputeInstanceSshSettingsArgs(ssh_public_access=ml.SshPublicAccess.DISABLED),
                    ),
                ),
                tags=place.tags,
                opts=pulumi.ResourceOptions(parent=self, depends_on=args.requires, replace_on_changes=_FIXED),
            )
            for instance in args.instances
        ]
        self.names = pulumi.Output.all(*(instance.name for instance in instances)).apply(list[str])
        self.register_outputs({"names": self.names})


def _user(object_id: str | None, tenant_id: str) -> ml.PersonalComputeInstanceSettingsArgs | None:
    if object_id is None:
        return None
    return ml.PersonalComputeInstanceSettingsArgs(
        assigned_user=ml.AssignedUserArgs(object_id=object_id, tenant_id=tenant_id)
    )


def _schedules(given: Sequence[InstanceSchedule]) -> ml.ComputeSchedulesArgs | None:
    if not given:
        return None
    return ml.ComputeSchedulesArgs(
        compute_start_stop=[
            ml.ComputeStartStopScheduleArgs(
                action=each.action.value.title(),
                status=ml.ScheduleStatus.ENABLED,
                trigger_type=ml.ComputeTriggerType.CRON,
                cron=ml.CronArgs(expression=each.cron, time_zone=each.time_zone),
            )
            for each in given
        ]
    )
