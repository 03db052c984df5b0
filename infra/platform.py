"""The platform that a program builds on: the resources around a workspace, and the assets in it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

import pulumi

import pulumi_azureml as azureml
from infra import availability, naming, outputs
from infra.components.access import Access, AccessArgs
from infra.components.compute import ComputeClusters, ComputeClustersArgs
from infra.components.container_registry import ContainerRegistry, ContainerRegistryArgs
from infra.components.identities import Identities, IdentitiesArgs
from infra.components.image import ContainerImage, ContainerImageArgs
from infra.components.instances import ComputeInstances, ComputeInstancesArgs
from infra.components.key_vault import KeyVault, KeyVaultArgs
from infra.components.monitoring import Monitoring, MonitoringArgs
from infra.components.network import WorkspaceNetwork, WorkspaceNetworkArgs
from infra.components.placement import Placement
from infra.components.resource_group import ResourceGroup, ResourceGroupArgs
from infra.components.sharing import Sharing, SharingArgs
from infra.components.storage import StorageAccount, StorageAccountArgs
from infra.components.workspace import AzureMLWorkspace, AzureMLWorkspaceArgs
from infra.program import Program
from infra.roles.grants import Scope
from infra.settings.assets import CONFIG_KEYS

_TRAINING = "training"


class Platform:
    """The resources of a stack, in the order in which they depend on each other.

    Each attribute is a component resource. A program adds its own resources to `place`, gives roles to `identities`,
    and then calls `deploy`.

    Attributes:
        program: The settings, names and planned assets.
        place: The resource group, region, names and tags for further resources.
        in_workspace: The workspace, as the asset resources take it.
    """

    def __init__(self, program: Program) -> None:
        """Declare the platform."""
        config, settings, names, tags = program.config, program.settings, program.names, program.tags
        subscription, tenant, location = config.cloud.subscription_id, config.cloud.tenant_id, config.cloud.location
        protect, network, retention = settings.protect, settings.network, settings.retention
        self.program = program

        check = availability.NameCheck(config, names, tags)
        self.group = ResourceGroup(
            "platform",
            ResourceGroupArgs(
                name=names.resource_group, location=location, tags=tags, before_create=check.hook, protect=protect
            ),
        )
        place = self.place = Placement(
            resource_group=self.group.name,
            location=location,
            tags=tags,
            names=names,
            before_create=check.hook,
            protect=protect,
        )
        self.monitoring = Monitoring("monitoring", MonitoringArgs(placement=place, retention_days=retention.log_days))
        self.storage = StorageAccount(
            "storage", StorageAccountArgs(placement=place, settings=settings.storage, network=network)
        )
        self.vault = KeyVault(
            "vault",
            KeyVaultArgs(
                placement=place,
                tenant_id=tenant,
                settings=settings.key_vault,
                soft_delete_days=retention.soft_delete_days,
                network=network,
                create_mode=check.vault_create_mode(self.group.name),
            ),
        )
        self.registry = ContainerRegistry(
            "registry", ContainerRegistryArgs(placement=place, settings=settings.registry, network=network)
        )
        self.identities = Identities("identity", IdentitiesArgs(placement=place, settings=settings.identities))
        access_args = AccessArgs(
            subscription_id=subscription,
            scopes={
                Scope.GROUP: self.group.id,
                Scope.STORAGE: self.storage.id,
                Scope.COLLECTED_DATA: self.storage.collected_data_id,
                Scope.VAULT: self.vault.id,
                Scope.REGISTRY: self.registry.id,
                Scope.INSIGHTS: self.monitoring.application_insights_id,
                Scope.CLUSTER_IDENTITY: self.identities.cluster.id,
                Scope.ENDPOINT_IDENTITY: self.identities.endpoint.id,
            },
            principals=self.identities.principals,
            deployer=program.deployer,
            settings=settings.access,
            network=network,
            storage=settings.storage,
        )
        self.access = Access("access", access_args)
        self.workspace = AzureMLWorkspace(
            "workspace",
            AzureMLWorkspaceArgs(
                placement=place,
                identity_id=self.identities.workspace.id,
                storage_account_id=self.storage.id,
                key_vault_id=self.vault.id,
                container_registry_id=self.registry.id,
                application_insights_id=self.monitoring.application_insights_id,
                image_build_compute=settings.compute[0].name,
                settings=settings.workspace,
                network=network,
                requires=self.access.workspace,
            ),
        )
        self.workspace_access = Access(
            "workspace-access", replace(access_args, scopes={Scope.WORKSPACE: self.workspace.id})
        )
        self.in_workspace = azureml.WorkspaceArgs(
            subscription_id=subscription,
            # Plain names, and not the resources' outputs: a preview can then ask Azure what the workspace has.
            resource_group=names.resource_group,
            name=names.workspace,
            owner=config.owner,
            adopt=settings.assets.adopt,
            location=location,
            retain=settings.assets.retain,
            config_keys=CONFIG_KEYS,
        )
        self.collected_data = azureml.Datastore(
            "datastore-collected-data",
            azureml.DatastoreArgs(
                workspace=self.in_workspace,
                name=naming.COLLECTED_DATASTORE,
                account_name=names.storage_account,
                container_name=naming.COLLECTED_DATA,
            ),
            pulumi.ResourceOptions(depends_on=[self.storage, self.workspace]),
        )
        managed_network = network.isolated and WorkspaceNetwork(
            "network",
            WorkspaceNetworkArgs(
                placement=place,
                workspace=self.workspace.resource,
                place=self.in_workspace,
                storage_account_id=self.storage.id,
                key_vault_id=self.vault.id,
                container_registry_id=self.registry.id,
                settings=network,
                requires=[*self.access.workspace, *self.workspace_access.workspace],
            ),
        )
        in_network = managed_network.ready if managed_network else []
        self.clusters = ComputeClusters(
            "compute",
            ComputeClustersArgs(
                placement=place,
                workspace_name=self.workspace.name,
                identity_id=self.identities.cluster.id,
                clusters=settings.compute,
                network=network,
                requires=[*self.access.cluster, *self.workspace_access.workspace, *in_network],
            ),
        )
        self.instances = (
            ComputeInstances(
                "instances",
                ComputeInstancesArgs(
                    placement=place,
                    workspace_name=self.workspace.name,
                    tenant_id=tenant,
                    instances=settings.instances,
                    network=network,
                    requires=[*self.workspace_access.workspace, *in_network],
                ),
            )
            if settings.instances
            else None
        )
        self.sharing = (
            Sharing(
                "sharing",
                SharingArgs(
                    placement=place,
                    subscription_id=subscription,
                    settings=settings.sharing,
                    network=network,
                    principals=self.identities.principals,
                ),
            )
            if settings.sharing.registry
            else None
        )

    @cached_property
    def images(self) -> dict[str, ContainerImage]:
        """The images of the planned environments that have a build context, by the environment's file."""
        if not self.program.settings.image.build:
            pulumi.info("image.build is off, so Azure Machine Learning builds the images from their build contexts.")
        return {
            asset.path: ContainerImage(
                f"image-{asset.name}",
                ContainerImageArgs(
                    plan=asset.build,
                    login_server=self.registry.login_server,
                    tenant_id=self.program.config.cloud.tenant_id,
                    requires=self.access.people,
                ),
            )
            for asset in self.program.plan.of("environment")
            if asset.build
        }

    def deploy(self, requires: Sequence[pulumi.Resource] = ()) -> azureml.Assets:
        """Declare the planned assets. `requires` has the program's own resources that the assets need."""
        settings, access = self.program.settings, self.access
        return azureml.Assets(
            "assets",
            azureml.AssetsArgs(
                plan=self.program.plan,
                workspace=self.in_workspace,
                images={path: image.reference for path, image in self.images.items()},
                endpoint_identity=self.identities.endpoint.id,
                rollout=settings.rollout.applied,
                autoscale=settings.rollout.autoscale,
                requires=[
                    self.workspace,
                    self.collected_data,
                    self.clusters,
                    *([self.instances] if self.instances else []),
                    *access.people,
                    *access.endpoint,
                    *self.workspace_access.endpoint,
                    *([self.sharing] if self.sharing else []),
                    *requires,
                ],
                runs=settings.assets.runs,
                publish=settings.sharing.publish,
                waiting_hint="`release train`, or `azureml-platform:models`",
            ),
            type_name="azureml-platform:infra:Assets",
        )

    def export(self, assets: azureml.Assets) -> None:
        """Export the stack outputs, which docs/stack-outputs.schema.json describes."""
        plan, settings = self.program.plan, self.program.settings
        training = next((each.path for each in plan.of("environment") if each.name == _TRAINING), None)
        image = self.images.get(training) if training else None
        schedules = outputs.schedules(plan, datetime.now(UTC))
        outputs.export(
            subscription_id=self.program.config.cloud.subscription_id,
            resource_group=self.group.name,
            workspace=self.workspace.name,
            workspace_id=self.workspace.id,
            container_registry=self.registry.name,
            login_server=self.registry.login_server,
            environment_image=image and image.reference,
            registry=self.sharing.registry if self.sharing else None,
            compute=self.clusters.names,
            assets=outputs.versions(plan),
            schedules={name: schedule.model_dump() for name, schedule in schedules.items()},
            endpoints=outputs.endpoints(plan, assets.resources),
            files=settings.assets.files,
            overrides=outputs.overrides(settings.overrides.planned),
            jobs=outputs.jobs(assets.resources),
            models={endpoint: model.model_dump(exclude_none=True) for endpoint, model in settings.models.items()},
        )
