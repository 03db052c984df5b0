"""An Azure Machine Learning platform as code. Settings, then the plan, then the resources, then the outputs."""

from datetime import UTC, datetime
from pathlib import Path

import pulumi

from infra import cloud, configuration, naming, outputs
from infra import plan as planning
from infra.access import Access, AccessArgs
from infra.compute import ComputeClusters, ComputeClustersArgs
from infra.container_registry import ContainerRegistry, ContainerRegistryArgs
from infra.identities import Identities, IdentitiesArgs
from infra.image import ContainerImage, ContainerImageArgs
from infra.key_vault import KeyVault, KeyVaultArgs
from infra.monitoring import Monitoring, MonitoringArgs
from infra.placement import Placement
from infra.resource_group import ResourceGroup, ResourceGroupArgs
from infra.sharing import Sharing, SharingArgs
from infra.storage import StorageAccount, StorageAccountArgs
from infra.workspace import Workspace, WorkspaceArgs
from pulumi_azureml.resources.assets import Assets
from pulumi_azureml.resources.resource import WorkspaceArgs as AssetWorkspaceArgs
from pulumi_azureml.resources.stack import Stack

# --- Settings: what the stack file says, and whether we are where it belongs -----------------------------------------
config = configuration.read()
settings = config.settings
names = naming.names(settings.naming, config.stack)
tags = naming.tags(settings.naming, config.stack, settings.tags)
deployer = cloud.signed_in_principal(config)

# --- Plan: every asset under ml/ and pipelines/, read, resolved, versioned and checked before anything is registered --
root = Path(__file__).parent
plan = planning.plan(root, config, names)

# --- Platform ---------------------------------------------------------------------------------------------------------
group = ResourceGroup(
    "platform", ResourceGroupArgs(names.resource_group, config.cloud.location, tags, protect=settings.protect)
)
placement = Placement(group.name, config.cloud.location, tags, protect=settings.protect)
monitoring = Monitoring(
    "monitoring",
    MonitoringArgs(placement, names.log_analytics, names.application_insights, settings.retention.log_days),
)
storage = StorageAccount(
    "storage", StorageAccountArgs(placement, names.storage_account, settings.storage, settings.network)
)
vault = KeyVault(
    "vault",
    KeyVaultArgs(
        placement,
        names.key_vault,
        config.cloud.tenant_id,
        settings.key_vault,
        settings.retention.soft_delete_days,
        settings.network,
    ),
)
registry = ContainerRegistry(
    "registry", ContainerRegistryArgs(placement, names.container_registry, settings.registry, settings.network)
)
identities = Identities(
    "identity",
    IdentitiesArgs(
        placement,
        names.workspace_identity,
        names.cluster_identity,
        names.endpoint_identity,
        names.ci_identity,
        settings.identities,
    ),
)
access = Access(
    "access",
    AccessArgs(
        subscription_id=config.cloud.subscription_id,
        resource_group_id=group.id,
        storage_account_id=storage.id,
        key_vault_id=vault.id,
        container_registry_id=registry.id,
        application_insights_id=monitoring.application_insights_id,
        workspace_principal=identities.workspace.principal_id,
        cluster_principal=identities.cluster.principal_id,
        endpoint_principal=identities.endpoint.principal_id,
        ci_principal=identities.ci_principal_id,
        deployer_principal=deployer,
        settings=settings.access,
    ),
)
workspace = Workspace(
    "workspace",
    WorkspaceArgs(
        placement,
        names.workspace,
        identity_id=identities.workspace.id,
        storage_account_id=storage.id,
        key_vault_id=vault.id,
        container_registry_id=registry.id,
        application_insights_id=monitoring.application_insights_id,
        image_build_compute=settings.compute[0].name,
        settings=settings.workspace,
        network=settings.network,
        requires=access.workspace,
    ),
)
clusters = ComputeClusters(
    "compute",
    ComputeClustersArgs(placement, workspace.name, identities.cluster.id, settings.compute, requires=access.cluster),
)
sharing = settings.sharing.registry and Sharing(
    "sharing",
    SharingArgs(
        placement,
        config.cloud.subscription_id,
        settings.sharing,
        settings.network,
        {
            "workspace": identities.workspace.principal_id,
            "cluster": identities.cluster.principal_id,
            "endpoint": identities.endpoint.principal_id,
            "ci": identities.ci_principal_id,
        },
    ),
)

# --- Image and assets -------------------------------------------------------------------------------------------------
images = {
    asset.path: ContainerImage(
        f"image-{asset.name}",
        ContainerImageArgs(asset.build, registry.login_server, config.cloud.tenant_id, requires=access.people),
    )
    for asset in plan.of("environment")
    if asset.build
}
training_image = images.get(planning.TRAINING_ENVIRONMENT)
if not settings.image.build:
    pulumi.info("image.build is off: Azure Machine Learning builds the training environment from its context itself.")
assets = Assets(
    "assets",
    Stack(
        plan,
        AssetWorkspaceArgs(
            config.cloud.subscription_id,
            group.name,
            workspace.name,
            config.owner,
            adopt=settings.assets.adopt,
            location=config.cloud.location,
            retain=settings.assets.retain,
        ),
        root,
        images={path: image.reference for path, image in images.items()},
        endpoint_identity=identities.endpoint.id,
        rollout=planning.rollout(settings.rollout),
        autoscale=planning.autoscale(settings.rollout),
        requires=[workspace, clusters, *access.people, *access.endpoint, *([sharing] if sharing else [])],
        runs=planning.runs(settings.assets),
        publish=settings.sharing.publish,
    ),
)

# --- Outputs: a contract, see docs/stack-outputs.schema.json ----------------------------------------------------------
outputs.export(
    subscription_id=config.cloud.subscription_id,
    resource_group=group.name,
    workspace=workspace.name,
    workspace_id=workspace.id,
    container_registry=registry.name,
    login_server=registry.login_server,
    environment_image=training_image and training_image.reference,
    registry=sharing.registry if sharing else None,
    compute=clusters.names,
    assets=planning.versions(plan),
    schedules={name: schedule.model_dump() for name, schedule in planning.schedules(plan, datetime.now(UTC)).items()},
    endpoints=planning.endpoints(plan, assets.resources),
    jobs=planning.jobs(assets.resources),
    models={endpoint: model.model_dump() for endpoint, model in settings.models.items()},
)
