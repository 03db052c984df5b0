"""What is missing in operations that amlite answers, where neither amlite's tables nor Microsoft's models show it.

Every entry was read out of amlite's source. A test holds that each names an operation that amlite answers, and that no
test succeeds with one that is always refused.
"""

from __future__ import annotations

from operation_coverage.operations import MACHINE_LEARNING, Operation

_ML = MACHINE_LEARNING

REFUSED = {
    f"{_ML}/BatchEndpoints.list_keys": "batch endpoints accept Entra tokens only, so there are no keys",
    "Microsoft.KubernetesConfiguration/FluxConfigurations.create_or_update": "no cluster runs Flux",
    "Microsoft.Insights/MetricDefinitions.list_at_subscription_scope": "only online endpoints have metrics",
    "Microsoft.Insights/Metrics.list_at_subscription_scope": "only online endpoints have metrics",
}

MISSING = {
    f"{_ML}/Compute.create_or_update": "kinds other than clusters, instances and attached "
    "Kubernetes are only kept; an instance has no notebooks, so only jobs keep it from being idle, and its jobs "
    "continue when it stops",
    f"{_ML}/Datastores.create_or_update": "jobs read and write blob containers and file systems, not file shares, "
    "Data Lake Gen1 or OneLake",
    f"{_ML}/DeploymentTemplates.create": "ends at once; keeps `acceleratorMaps` and `successThreshold` without effect; "
    "a deployment with a template serves the environment's image or build context at one port, is probed by HTTP GET, "
    "and may not set what the template sets",
    f"{_ML}/DeploymentTemplates.list": "returns each template as `get` does",
    f"{_ML}/Jobs.create_or_update": "the settings are in a table below; fine-tuning and labeling are refused; AutoML "
    "trains on tables only",
    f"{_ML}/OnlineDeployments.create_or_update": "instances are workers of one server; `successThreshold` of a probe "
    "has no effect; sends nothing to Application Insights; the data collector writes one record for each call and does "
    "not batch them",
    f"{_ML}/ManagedNetworkSettingsRule.create_or_update": "a rule for a host lets nodes reach every host",
    f"{_ML}/OnlineEndpoints.create_or_update": "on attached Kubernetes, the address is that of a managed endpoint",
    f"{_ML}/Registries.create_or_update": "accounts of your own and the removal of a region are refused",
    f"{_ML}/Schedules.create_or_update": "monitors compute data drift, prediction drift and data "
    "quality, on CSV and JSON lines, in place of Spark; imports of data fail when they run; endpoint invocations are "
    "refused",
    f"{_ML}/WorkspaceConnections.create": "jobs and image builds do not sign in by connections; code reads them",
    f"{_ML}/Workspaces.create_or_update": "hubs, projects and feature stores are refused; a soft-deleted one "
    "cannot be recovered, only purged",
    "Microsoft.Authorization/RoleAssignments.create": "conditions are refused",
    "Microsoft.ContainerRegistry/Registries.create": "network rules hold for nodes only; policies and other limits "
    "of the SKU have no effect",
    "Microsoft.ContainerRegistry/Registries.update": "network rules hold for nodes only; policies and other limits "
    "of the SKU have no effect",
    "Microsoft.ContainerService/AgentPools.create_or_update": "there are no nodes: sizes, labels and upgrades have no "
    "effect",
    "Microsoft.ContainerService/ManagedClusters.create_or_update": "the API server has namespaces, service accounts, "
    "secrets, storage classes and claims, and no nodes",
    "Microsoft.KubernetesConfiguration/Extensions.create": "the extension of machine learning only, which lets a "
    "cluster be attached",
    "Microsoft.DataFactory/Factories.create_or_update": "has a system-assigned identity only; repositories, global "
    "parameters and encryption are refused",
    "Microsoft.DataFactory/LinkedServices.create_or_update": "AzureDatabricks with managed identity only; others are "
    "refused",
    "Microsoft.DataFactory/Pipelines.create_or_update": "runs the activities DatabricksJob, Fail, IfCondition, "
    "SetVariable, Until, Wait and WebActivity, with some functions of the expression language; others are refused",
    "Microsoft.DataFactory/Pipelines.create_run": "runs from the beginning only, not from a failed activity",
    "Microsoft.DataFactory/Triggers.create_or_update": "schedules and blob events only; others are refused",
    "Microsoft.DataFactory/Triggers.start": "a trigger on blobs has no event subscription as a resource",
    "Microsoft.Databricks/AccessConnectors.create_or_update": "has a system-assigned identity only",
    "Microsoft.Databricks/Workspaces.create_or_update": "the managed resource group is empty, networks have no "
    "effect; the workspace's host has files, jobs with spark_python_task, storage credentials and external locations, "
    "and refuses everything else",
    "Microsoft.EventGrid/SystemTopicEventSubscriptions.create_or_update": "delivers to storage queues by the topic's "
    "identity and to webhooks on this machine, in Event Grid's schema; has the filters of text only",
    "Microsoft.EventGrid/SystemTopics.create_or_update": "topics of workspaces only, with the events RunStatusChanged "
    "and RunCompleted",
    "Microsoft.Insights/ActionGroups.create_or_update": "calls webhooks on this machine and sends no mail; other "
    "receivers are refused",
    "Microsoft.Insights/MetricAlerts.create_or_update": "rules of one workspace, system topic, online endpoint or "
    "deployment with static thresholds; others are refused",
    "Microsoft.Logic/Workflows.create_or_update": "one trigger and actions of the type Http, with managed identity and "
    "some functions; others are refused",
    "Microsoft.Insights/AutoscaleSettings.create_or_update": "applies the limits, but does not evaluate rules",
    "Microsoft.Insights/AutoscaleSettings.update": "applies the limits, but does not evaluate rules",
    "Microsoft.Insights/Components.create_or_update": "collects no telemetry",
    "Microsoft.Insights/MetricDefinitions.list": "only of online endpoints and their deployments",
    "Microsoft.Insights/Metrics.list": "only of online endpoints and their deployments",
    "Microsoft.KeyVault/Vaults.create_or_update": "holds secrets, but no keys or certificates",
    "Microsoft.KeyVault/Vaults.update": "holds secrets, but no keys or certificates",
    "Microsoft.OperationalInsights/Workspaces.create_or_update": "collects no logs",
    "Microsoft.OperationalInsights/Workspaces.delete": "always deletes for good",
    "Microsoft.OperationalInsights/Workspaces.update": "collects no logs",
    "Microsoft.Storage/StorageAccounts.create": "has blobs and data lakes, but no queues, tables or file shares; "
    "network rules hold for nodes only; encryption and replication have no effect",
    "Microsoft.Storage/StorageAccounts.update": "network rules hold for nodes only; encryption and replication have no "
    "effect",
}


def refused(operation: Operation) -> str:
    """Return why amlite refuses an operation that it knows; empty when it does not."""
    return REFUSED.get(operation.id, "")


def missing(operation: Operation) -> tuple[str, ...]:
    """Return what is missing in an operation."""
    return (MISSING[operation.id],) if operation.id in MISSING else ()
