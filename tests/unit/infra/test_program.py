"""The whole program, for every shipped stack, as the engine would see it."""

import json
import re
from typing import Any

import pytest

from infra.outputs import parse
from infra.settings.configuration import ConfigurationError
from tests.unit.infra.deployed import DIGEST, Deployment, Registered, deploy
from tests.unit.infra.stack_files import ROOT, STACKS

HOLDS_DATA = {
    "azure-native:resources:ResourceGroup",
    "azure-native:operationalinsights:Workspace",
    "azure-native:storage:StorageAccount",
    "azure-native:keyvault:Vault",
    "azure-native:containerregistry:Registry",
    "azure-native:machinelearningservices:Workspace",
    "azure-native:storage:BlobContainer",
}
CANNOT_CARRY_TAGS = {
    "azure-native:authorization:RoleDefinition",
    "azure-native:authorization:RoleAssignment",
    "azure-native:managedidentity:FederatedIdentityCredential",
    "azure-native:machinelearningservices:ManagedNetworkSettingsRule",
    "azure-native:storage:BlobContainer",
}
# The property that holds each resource's name in Azure. Where it is left out, the engine makes up a random name, and a
# resource could be replaced by its twin without anybody having asked for it.
PHYSICAL_NAME = {
    "resources:ResourceGroup": "resourceGroupName",
    "operationalinsights:Workspace": "workspaceName",
    "applicationinsights:Component": "resourceName",
    "storage:StorageAccount": "accountName",
    "storage:BlobContainer": "containerName",
    "keyvault:Vault": "vaultName",
    "containerregistry:Registry": "registryName",
    "managedidentity:UserAssignedIdentity": "resourceName",
    "managedidentity:FederatedIdentityCredential": "federatedIdentityCredentialResourceName",
    "machinelearningservices:Workspace": "workspaceName",
    "machinelearningservices:Compute": "computeName",
    "machinelearningservices:ManagedNetworkSettingsRule": "ruleName",
    "machinelearningservices:Registry": "registryName",
    "eventgrid:SystemTopic": "systemTopicName",
    "eventgrid:SystemTopicEventSubscription": "eventSubscriptionName",
    "logic:Workflow": "workflowName",
    "monitor:ActionGroup": "actionGroupName",
    "monitor:MetricAlert": "ruleName",
    "storage:Queue": "queueName",
    "authorization:RoleAssignment": "roleAssignmentName",
    "authorization:RoleDefinition": "roleDefinitionId",
}


def azure_native(deployment: Deployment) -> list[Registered]:
    return [resource for resource in deployment.resources if resource.type.startswith("azure-native:")]


def test_the_engine_deletes_before_it_creates_a_replacement_of_the_same_id(deployment: Deployment) -> None:
    fixed = [each for each in deployment.resources if each.type.startswith(("azure-native:", "pulumi-python:dynamic"))]
    assert [each.name for each in fixed if not each.delete_before_replace] == []


def test_another_size_priority_or_network_replaces_a_cluster(deployment: Deployment) -> None:
    """Azure accepts the former two for an existing cluster, and applies neither. Isolated clusters are created anew."""
    fixed = tuple(f"properties.properties.{name}" for name in ("vmSize", "vmPriority", "enableNodePublicIp"))
    for cluster in deployment.of("machinelearningservices:Compute"):
        assert cluster.replace_on_changes == fixed


def test_every_resource_has_its_name_from_the_configuration(deployment: Deployment) -> None:
    unnamed = [
        resource.name
        for resource in azure_native(deployment)
        if not resource.inputs.get(PHYSICAL_NAME[resource.type.removeprefix("azure-native:")])
    ]
    assert unnamed == []


def test_every_resource_that_can_carries_the_tags(deployment: Deployment) -> None:
    tagged = [resource for resource in azure_native(deployment) if resource.type not in CANNOT_CARRY_TAGS]
    assert len(tagged) >= 12
    for resource in tagged:
        assert resource.inputs["tags"]["project"] == "azureml-platform", resource.name
        assert resource.inputs["tags"]["stack"] in STACKS


def test_every_resource_is_in_the_configured_region(deployment: Deployment) -> None:
    regions = {resource.inputs.get("location") for resource in azure_native(deployment)} - {None}
    assert regions == {"westeurope"}


def test_what_holds_data_is_protected_in_production_alone(deployments: dict[str, Deployment]) -> None:
    protected = {
        stack: {resource.type for resource in deployment.resources if resource.protect}
        for stack, deployment in deployments.items()
    }
    assert protected == {"local": set(), "dev": set(), "staging": set(), "prod": HOLDS_DATA}


def test_a_registrys_model_is_what_the_endpoint_deploys() -> None:
    reference = "azureml://registries/mlops-models/models/flight-delay/versions/7"
    deployment = deploy(
        "prod",
        {
            "azureml-platform:sharing": json.dumps({"registry": "mlops-models"}),
            "azureml-platform:models": json.dumps({"flight-delay": reference}),
        },
    )
    (endpoint,) = (each for each in deployment.resources if each.name == "endpoint-flight-delay")
    assert endpoint.inputs["deployment"]["definition"]["model"] == reference
    promoted = parse(deployment.outputs).models["flight-delay"]
    assert (promoted.name, promoted.version, promoted.registry) == ("flight-delay", "7", "mlops-models")


def test_the_outputs_say_how_the_job_of_a_pipeline_ended_that_the_stack_runs(deployment: Deployment) -> None:
    assert parse(deployment.outputs).jobs == {}
    ran = deploy("prod", {"azureml-platform:assets": json.dumps({"run": ["training"]})})
    (job,) = parse(ran.outputs).jobs.values()
    assert (job.name, job.status, job.metrics, job.model) == ("training-1", "Completed", {"evaluate.auc": 0.9}, None)


def test_storage_is_private_and_encrypted_in_transit(deployment: Deployment) -> None:
    account = deployment.one("storage:StorageAccount").inputs
    assert account["minimumTlsVersion"] == "TLS1_2"
    assert account["enableHttpsTrafficOnly"] is True
    assert account["allowBlobPublicAccess"] is False


def test_purge_protection_is_on_or_absent(deployments: dict[str, Deployment]) -> None:
    vaults = {stack: d.one("keyvault:Vault").inputs["properties"] for stack, d in deployments.items()}
    assert vaults["prod"]["enablePurgeProtection"] is True
    assert "enablePurgeProtection" not in vaults["dev"], "Azure refuses an explicit false"


def test_a_cluster_scales_from_zero_as_configured(deployments: dict[str, Deployment]) -> None:
    properties = deployments["prod"].one("machinelearningservices:Compute").inputs["properties"]["properties"]
    assert properties["vmSize"] == "Standard_DS4_v2"
    assert properties["vmPriority"] == "Dedicated"
    assert properties["scaleSettings"] == {
        "minNodeCount": 0,
        "maxNodeCount": 8,
        "nodeIdleTimeBeforeScaleDown": "PT5M",
    }


INSTANCE = {
    "name": "ci-anna",
    "vmSize": "Standard_DS3_v2",
    "user": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "schedules": [{"action": "stop", "cron": "0 18 * * 1-5", "timeZone": "W. Europe Standard Time"}],
}


def instance_of(stack: str, **settings: Any) -> Registered:
    values = {"instances": [INSTANCE], **settings}
    deployed = deploy(stack, {f"azureml-platform:{key}": json.dumps(value) for key, value in values.items()})
    (found,) = (each for each in deployed.of("machinelearningservices:Compute") if each.name == "instances-ci-anna")
    return found


def test_a_compute_instance_is_one_users_and_stops_by_itself() -> None:
    """Source: how-to-create-compute-instance. With an identity, it would not stop when it is idle."""
    instance = instance_of("dev")
    assert "identity" not in instance.inputs
    properties = instance.inputs["properties"]["properties"]
    assert properties["personalComputeInstanceSettings"]["assignedUser"]["objectId"] == INSTANCE["user"]
    assert properties["idleTimeBeforeShutdown"] == "PT1H"
    cron = {"expression": "0 18 * * 1-5", "timeZone": "W. Europe Standard Time"}
    stop = {"action": "Stop", "status": "Enabled", "triggerType": "Cron", "cron": cron}
    assert properties["schedules"] == {"computeStartStop": [stop]}
    assert properties["sshSettings"] == {"sshPublicAccess": "Disabled"}


def test_what_azure_sets_only_at_its_creation_replaces_a_compute_instance() -> None:
    fixed = {each.rpartition(".")[2] for each in instance_of("dev").replace_on_changes}
    assert {"vmSize", "idleTimeBeforeShutdown", "schedules", "enableNodePublicIp"} <= fixed


@pytest.mark.parametrize(("isolation", "public"), [("Disabled", True), ("AllowInternetOutbound", False)])
def test_a_compute_instance_in_a_managed_network_has_no_public_address(isolation: str, public: bool) -> None:
    instance = instance_of("dev", network={"isolation": isolation})
    assert instance.inputs["properties"]["properties"]["enableNodePublicIp"] is public


@pytest.mark.parametrize(
    ("key", "change", "touched"),
    [
        ("compute", [{"name": "cpu-cluster", "vmSize": "Standard_DS3_v2", "maxNodes": 9}], {"compute-cpu-cluster"}),
        ("retention", {"logDays": 60}, {"monitoring-logs"}),
        ("workspace", {"description": "other"}, {"workspace"}),
    ],
)
def test_a_setting_touches_only_its_own_resource_and_never_its_identity(
    key: str, change: Any, touched: set[str], deployments: dict[str, Deployment]
) -> None:
    before = {resource.urn: resource for resource in deployments["dev"].resources}
    after = {r.urn: r for r in deploy("dev", {f"azureml-platform:{key}": json.dumps(change)}).resources}
    assert set(before) == set(after), "a setting must not add or remove resources"
    differing = {after[urn].name for urn in before if before[urn].inputs != after[urn].inputs}
    assert differing == touched
    for urn, resource in before.items():
        identity = ("location", "resourceGroupName", PHYSICAL_NAME.get(resource.type.removeprefix("azure-native:"), ""))
        assert [resource.inputs.get(part) for part in identity] == [after[urn].inputs.get(part) for part in identity]


def test_a_closed_network_closes_everything() -> None:
    network = {
        "publicAccess": False,
        "allowedIpRanges": ["203.0.113.0/24"],
        "isolation": "AllowOnlyApprovedOutbound",
        "outbound": {"hosts": ["packages.contoso.com"]},
    }
    deployment = deploy("prod", {"azureml-platform:network": json.dumps(network)})
    workspace = deployment.one("machinelearningservices:Workspace").inputs
    storage = deployment.one("storage:StorageAccount").inputs
    registry = deployment.one("containerregistry:Registry").inputs
    vault = deployment.one("keyvault:Vault").inputs["properties"]
    exposed = [holder["publicNetworkAccess"] for holder in (workspace, storage, registry, vault)]
    assert exposed == ["Disabled"] * 4
    assert storage["networkRuleSet"]["defaultAction"] == "Deny"
    assert storage["networkRuleSet"]["ipRules"][0]["iPAddressOrRange"] == "203.0.113.0/24"
    assert registry["networkRuleSet"]["defaultAction"] == "Deny"
    assert vault["networkAcls"]["defaultAction"] == "Deny"
    assert workspace["managedNetwork"]["isolationMode"] == "AllowOnlyApprovedOutbound"
    assert workspace["imageBuildCompute"] == "cpu-cluster", "Azure's own builders cannot reach a closed registry"


def test_only_a_premium_registry_is_given_a_firewall(deployments: dict[str, Deployment]) -> None:
    assert "networkRuleSet" not in deployments["dev"].one("containerregistry:Registry").inputs
    assert deployments["prod"].one("containerregistry:Registry").inputs["networkRuleSet"]["defaultAction"] == "Allow"


def test_the_outputs_keep_their_contract_and_hold_no_secret(deployment: Deployment) -> None:
    outputs = parse(deployment.outputs)
    assert outputs.workspace_id.endswith(outputs.workspace)
    assert outputs.compute == ["cpu-cluster"]
    assert deployment.secret_outputs == set()


def test_the_training_image_is_built_and_known_by_digest(deployments: dict[str, Deployment]) -> None:
    outputs = parse(deployments["dev"].outputs)
    assert outputs.environment_image is not None
    assert re.fullmatch(rf"{outputs.login_server}/[a-z/]+@{DIGEST}", outputs.environment_image)


def test_where_the_stack_builds_no_image_there_is_none() -> None:
    deployment = deploy("dev", {"azureml-platform:image": '{"build": false}'})
    assert not [resource for resource in deployment.resources if resource.type.startswith("docker:")]
    assert parse(deployment.outputs).environment_image is None


def test_the_outputs_name_every_planned_asset(deployments: dict[str, Deployment]) -> None:
    outputs = parse(deployments["dev"].outputs)
    assert {"environment", "data", "component"} <= set(outputs.assets)
    assert {"prep", "train", "evaluate", "register", "monitoring"} <= set(outputs.assets["component"])
    assert set(outputs.schedules) == {"flight-delay-daily", "flight-delay-monitoring"}
    assert [len(schedule.trigger.split()) for schedule in outputs.schedules.values()] == [5, 5]


def test_the_endpoint_gets_the_configured_rollout() -> None:
    rules = {"minInstances": 2, "maxInstances": 4, "latencyMs": 200}
    checks = {"maxErrorPercent": 1, "command": ["./check"]}
    rollout = {"steps": [10, 100], "bakeSeconds": 600, "checks": checks, "autoscale": {"flight-delay": rules}}
    deployment = deploy("dev", {"azureml-platform:rollout": json.dumps(rollout)})
    (endpoint,) = [each for each in deployment.resources if each.name == "endpoint-flight-delay"]
    assert endpoint.inputs["autoscale"] == {"min_instances": 2, "max_instances": 4, "latency_ms": 200}
    how = endpoint.inputs["rollout"]
    assert (how["steps"], how["bake_seconds"], how["checks"]["command"]) == ([10, 100], 600, ["./check"])
    assert (how["checks"]["max_error_percent"], how["checks"]["when_quiet"]) == (1, "fail")


def test_an_endpoint_has_a_name_of_its_own_in_the_region(deployments: dict[str, Deployment]) -> None:
    """The key in files, resource names and outputs is the name in the YAML. Azure has the name by the rule."""
    for stack, deployment in deployments.items():
        (endpoint,) = [each for each in deployment.resources if each.name == "endpoint-flight-delay"]
        name = endpoint.inputs["name"]
        assert re.fullmatch(rf"flight-delay-{stack}-[a-z2-7]{{5}}", name)
        assert endpoint.inputs["definition"]["name"] == "flight-delay"
        assert parse(deployment.outputs).endpoints["flight-delay"].name == name


def test_a_stack_of_an_earlier_version_keeps_the_names_of_its_endpoints() -> None:
    naming = {"namespace": "mlops", "workspace": "flights", "postfix": "001"}
    kept = naming | {"endpoints": {"flight-delay": "flight-delay"}}
    deployment = deploy("dev", {"azureml-platform:naming": json.dumps(kept)})
    assert parse(deployment.outputs).endpoints["flight-delay"].name == "flight-delay"
    with pytest.raises(ConfigurationError, match="did you mean flight-delay"):
        deploy("dev", {"azureml-platform:naming": json.dumps(naming | {"endpoints": {"flight-dely": "flights"}})})


@pytest.mark.parametrize("name", ["ab", "flight_delay", "flight-delay-", "f" * 33])
def test_a_preview_refuses_a_name_that_no_endpoint_can_have(name: str) -> None:
    naming = {"namespace": "mlops", "workspace": "flights", "postfix": "001", "endpoints": {"flight-delay": name}}
    with pytest.raises(ConfigurationError) as error:
        deploy("dev", {"azureml-platform:naming": json.dumps(naming)})
    assert "azureml-platform:naming.endpoints.flight-delay is not a valid endpoint name; use 3 to 32" in str(
        error.value
    )


def test_the_promoted_model_is_an_output() -> None:
    models = {"flight-delay": {"name": "flight-delay", "version": 7}}
    deployment = deploy("dev", {"azureml-platform:models": json.dumps(models)})
    assert parse(deployment.outputs).models["flight-delay"].version == "7"


def test_a_preview_stops_at_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="azureml-platform:protct is not a setting; did you mean protect"):
        deploy("dev", {"azureml-platform:protct": "true"}, preview=True)


def test_a_preview_registers_what_an_update_does(deployments: dict[str, Deployment]) -> None:
    preview = {resource.urn for resource in deploy("dev", preview=True).resources}
    assert preview == {resource.urn for resource in deployments["dev"].resources}


def test_the_program_knows_no_cloud_but_azure() -> None:
    forbidden = re.compile(r"amlite|localhost|127\.0\.0\.1|emulator|azurite", re.IGNORECASE)
    files = [ROOT / "__main__.py", *(path for path in ROOT.glob("Pulumi*.yaml") if path.name != "Pulumi.local.yaml")]
    for folder in ("infra", "ml", "pipelines", "release"):
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".yml", ".yaml", ".json"}]
    assert len(files) > 40
    assert [str(path) for path in files if forbidden.search(path.read_text(encoding="utf-8"))] == []
