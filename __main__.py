"""The Pulumi program of an Azure Machine Learning platform: settings, plan, platform, assets and outputs."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pulumi

import pulumi_azureml as azureml
from infra import availability, cloud, naming, outputs, renaming, replacement
from infra import plan as planning
from infra.components.access import Access, AccessArgs
from infra.components.alerts import Alerts, AlertsArgs
from infra.components.compute import ComputeClusters, ComputeClustersArgs
from infra.components.container_registry import ContainerRegistry, ContainerRegistryArgs
from infra.components.drift_events import QUEUE, DriftEvents, DriftEventsArgs
from infra.components.identities import Identities, IdentitiesArgs
from infra.components.image import ContainerImage, ContainerImageArgs
from infra.components.key_vault import KeyVault, KeyVaultArgs
from infra.components.monitoring import Monitoring, MonitoringArgs
from infra.components.network import WorkspaceNetwork, WorkspaceNetworkArgs
from infra.components.placement import Placement
from infra.components.resource_group import ResourceGroup, ResourceGroupArgs
from infra.components.retraining import Retraining, RetrainingArgs
from infra.components.sharing import Sharing, SharingArgs
from infra.components.storage import StorageAccount, StorageAccountArgs
from infra.components.workspace import AzureMLWorkspace, AzureMLWorkspaceArgs
from infra.roles.grants import Scope
from infra.settings import configuration
from infra.settings.assets import CONFIG_KEYS

# --- Settings: the stack's configuration, and a check of the signed-in tenant and subscription -----------------------
config = configuration.read()
settings = config.settings
names = naming.names(settings.naming, config.stack)
tags = naming.tags(settings.naming, config.stack, settings.tags)
deployer = cloud.signed_in(config, names.resource_group)

# --- Plan: all assets under ml/ and pipelines/, resolved, versioned and checked before anything is registered --------
root = Path(__file__).parent
plan = planning.plan(root, config, names)
renaming.check(config, names, plan)

# --- Platform ---------------------------------------------------------------------------------------------------------
pulumi.runtime.register_stack_transformation(replacement.delete_first)
subscription, tenant, location = config.cloud.subscription_id, config.cloud.tenant_id, config.cloud.location
protect, network, retention = settings.protect, settings.network, settings.retention

check = availability.NameCheck(config, names, tags)
group = ResourceGroup(
    "platform",
    ResourceGroupArgs(
        name=names.resource_group, location=location, tags=tags, before_create=check.hook, protect=protect
    ),
)
place = Placement(
    resource_group=group.name,
    location=location,
    tags=tags,
    names=names,
    before_create=check.hook,
    protect=protect,
)
monitoring = Monitoring("monitoring", MonitoringArgs(placement=place, retention_days=retention.log_days))
storage = StorageAccount("storage", StorageAccountArgs(placement=place, settings=settings.storage, network=network))
vault = KeyVault(
    "vault",
    KeyVaultArgs(
        placement=place,
        tenant_id=tenant,
        settings=settings.key_vault,
        soft_delete_days=retention.soft_delete_days,
        network=network,
        create_mode=check.vault_create_mode(group.name),
    ),
)
registry = ContainerRegistry(
    "registry", ContainerRegistryArgs(placement=place, settings=settings.registry, network=network)
)
identities = Identities("identity", IdentitiesArgs(placement=place, settings=settings.identities))
access_args = AccessArgs(
    subscription_id=subscription,
    scopes={
        Scope.GROUP: group.id,
        Scope.STORAGE: storage.id,
        Scope.COLLECTED_DATA: storage.collected_data_id,
        Scope.VAULT: vault.id,
        Scope.REGISTRY: registry.id,
        Scope.INSIGHTS: monitoring.application_insights_id,
        Scope.CLUSTER_IDENTITY: identities.cluster.id,
        Scope.ENDPOINT_IDENTITY: identities.endpoint.id,
    },
    principals=identities.principals,
    deployer=deployer,
    settings=settings.access,
    network=network,
    storage=settings.storage,
)
access = Access("access", access_args)
workspace = AzureMLWorkspace(
    "workspace",
    AzureMLWorkspaceArgs(
        placement=place,
        identity_id=identities.workspace.id,
        storage_account_id=storage.id,
        key_vault_id=vault.id,
        container_registry_id=registry.id,
        application_insights_id=monitoring.application_insights_id,
        image_build_compute=settings.compute[0].name,
        settings=settings.workspace,
        network=network,
        requires=access.workspace,
    ),
)
workspace_access = Access("workspace-access", replace(access_args, scopes={Scope.WORKSPACE: workspace.id}))
in_workspace = azureml.WorkspaceArgs(
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
collected_data = azureml.Datastore(
    "datastore-collected-data",
    azureml.DatastoreArgs(
        workspace=in_workspace,
        name=naming.COLLECTED_DATASTORE,
        account_name=names.storage_account,
        container_name=naming.COLLECTED_DATA,
    ),
    pulumi.ResourceOptions(depends_on=[storage, workspace]),
)
managed_network = network.isolated and WorkspaceNetwork(
    "network",
    WorkspaceNetworkArgs(
        placement=place,
        workspace=workspace.resource,
        place=in_workspace,
        storage_account_id=storage.id,
        key_vault_id=vault.id,
        container_registry_id=registry.id,
        settings=network,
        requires=[*access.workspace, *workspace_access.workspace],
    ),
)
in_network = managed_network.ready if managed_network else []
clusters = ComputeClusters(
    "compute",
    ComputeClustersArgs(
        placement=place,
        workspace_name=workspace.name,
        identity_id=identities.cluster.id,
        clusters=settings.compute,
        network=network,
        requires=[*access.cluster, *workspace_access.workspace, *in_network],
    ),
)
sharing = settings.sharing.registry and Sharing(
    "sharing",
    SharingArgs(
        placement=place,
        subscription_id=subscription,
        settings=settings.sharing,
        network=network,
        principals=identities.principals,
    ),
)

# --- Image and assets -------------------------------------------------------------------------------------------------
images = {
    asset.path: ContainerImage(
        f"image-{asset.name}",
        ContainerImageArgs(
            plan=asset.build, login_server=registry.login_server, tenant_id=tenant, requires=access.people
        ),
    )
    for asset in plan.of("environment")
    if asset.build
}
training_image = images.get("ml/environments/training/environment.yml")
if not settings.image.build:
    pulumi.info("image.build is off, so Azure Machine Learning builds the images from their build contexts.")
assets = azureml.Assets(
    "assets",
    azureml.AssetsArgs(
        plan=plan,
        workspace=in_workspace,
        images={path: image.reference for path, image in images.items()},
        endpoint_identity=identities.endpoint.id,
        rollout=settings.rollout.applied,
        autoscale=settings.rollout.autoscale,
        requires=[
            workspace,
            collected_data,
            clusters,
            *access.people,
            *access.endpoint,
            *workspace_access.endpoint,
            *([sharing] if sharing else []),
        ],
        runs=settings.assets.runs,
        publish=settings.sharing.publish,
        waiting_hint="`release train`, or `azureml-platform:models`",
    ),
    type_name="azureml-platform:infra:Assets",
)

# --- Monitoring: alerts, and retraining after drift ------------------------------------------------------------------
events = settings.monitoring.has_events and DriftEvents(
    "drift",
    DriftEventsArgs(
        placement=place,
        subscription_id=subscription,
        workspace_id=workspace.id,
        storage_account_id=storage.id,
        storage_account_name=storage.name,
    ),
)
if settings.monitoring.has_receivers:
    online = assets.resources.get("online_endpoint", {})
    Alerts(
        "alerts",
        AlertsArgs(
            placement=place,
            settings=settings.monitoring,
            workspace_id=workspace.id,
            endpoints={
                name: pulumi.Output.concat(workspace.id, "/onlineEndpoints/", endpoint.azure_name)
                for name, endpoint in online.items()
            },
            requires=list(online.values()),
            topic_id=events.topic_id if events else None,
            subscriptions=events.subscriptions if events else [],
        ),
    )
if settings.monitoring.retrain and events:
    Retraining(
        "retraining",
        RetrainingArgs(
            placement=place,
            subscription_id=subscription,
            settings=settings.monitoring.retrain,
            workspace_id=workspace.id,
            storage_account_name=storage.name,
            queue_id=events.queue_id,
            queue_name=QUEUE,
            requires=[assets.resources["schedule"][settings.monitoring.retrain.schedule]],
        ),
    )

# --- Outputs: docs/stack-outputs.schema.json describes them -----------------------------------------------------------
outputs.export(
    subscription_id=subscription,
    resource_group=group.name,
    workspace=workspace.name,
    workspace_id=workspace.id,
    container_registry=registry.name,
    login_server=registry.login_server,
    environment_image=training_image and training_image.reference,
    registry=sharing.registry if sharing else None,
    compute=clusters.names,
    assets=outputs.versions(plan),
    schedules={name: schedule.model_dump() for name, schedule in outputs.schedules(plan, datetime.now(UTC)).items()},
    endpoints=outputs.endpoints(plan, assets.resources),
    overrides=outputs.overrides(settings.overrides.planned),
    jobs=outputs.jobs(assets.resources),
    models={endpoint: model.model_dump(exclude_none=True) for endpoint, model in settings.models.items()},
)
