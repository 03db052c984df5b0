import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.settings.compute import VmPriority
from infra.settings.configuration import ConfigurationError, parse
from infra.settings.group import fields, nested_group
from infra.settings.stack import CloudSettings, Settings
from pulumi_azureml import ModelChoice
from tests.unit.infra.stack_files import STACKS, filled_in, raw

NAMING = "azureml-platform:naming"
COMPUTE = "azureml-platform:compute"
GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
LAKE = {
    "resourceId": f"/subscriptions/{GUID}/resourceGroups/rg-data/providers/Microsoft.Storage/storageAccounts/lake",
    "subresource": "dfs",
}


def with_group(key: str, value: Any) -> dict[str, str]:
    return filled_in("dev") | {key: json.dumps(value)}


def changed(key: str, change: Callable[[Any], object]) -> dict[str, str]:
    values = filled_in("dev")
    group = json.loads(values[key])
    change(group)
    return values | {key: json.dumps(group)}


def refused(values: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        parse(values, "dev")
    return str(error.value)


@pytest.mark.parametrize("stack", STACKS)
def test_every_shipped_stack_file_is_valid_once_its_ids_are_filled_in(stack: str) -> None:
    read = parse(filled_in(stack), stack)
    assert read.stack == stack
    assert read.cloud.location == "westeurope"
    assert read.settings.compute[0].name == "cpu-cluster"


def test_the_stack_that_needs_no_filling_in_is_valid_as_shipped() -> None:
    assert parse(raw("local"), "local").settings.compute[0].min_nodes == 0


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_placeholders_are_refused_by_name(stack: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse(raw(stack), stack)
    message = str(error.value)
    for key in ("azure-native:tenantId", "azure-native:subscriptionId", "azureml-platform:access.owners[0]"):
        assert f"{key} is still the placeholder" in message
    assert f"pulumi config set --path 'azure-native:tenantId' <value> -s {stack}" in message


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_stacks_for_real_subscriptions_show_every_group_of_settings(stack: str) -> None:
    shown = {key.partition(":")[2] for key in raw(stack) if key.startswith("azureml-platform:")}
    # The release adds the promoted models, and only unusual sign-ins need a hint.
    assert shown == {field.alias for field in Settings.model_fields.values()} - {"models", "signIn"}


def test_only_production_is_protected() -> None:
    protected = {stack: parse(filled_in(stack), stack).settings.protect for stack in STACKS}
    assert protected == {"local": False, "dev": False, "staging": False, "prod": True}


def test_all_mistakes_are_told_at_once() -> None:
    values = changed(COMPUTE, lambda clusters: clusters[0].update(minNodes="zero", idleTime="15m"))
    values["azureml-platform:protect"] = "maybe"
    values["azureml-platform:namng"] = "{}"
    del values["azure-native:tenantId"]
    message = refused(values)
    assert message.startswith("5 settings are wrong in Pulumi.dev.yaml. Nothing was changed.")
    for key in (
        "azureml-platform:compute[0].minNodes must be a whole number",
        "azureml-platform:compute[0].idleTime must be an ISO 8601 duration",
        "azureml-platform:protect must be true or false",
        "azureml-platform:namng is not a setting; did you mean naming?",
        "azure-native:tenantId is missing",
    ):
        assert key in message
    assert message.count("fix: ") == 5


def test_a_misspelt_key_in_a_group_names_the_right_one_and_how_to_remove_it() -> None:
    message = refused(changed(NAMING, lambda naming: naming.update(postfx=naming["postfix"])))
    assert "azureml-platform:naming.postfx is not a setting; did you mean naming.postfix?" in message
    remove = "pulumi config rm --path 'azureml-platform:naming.postfx' -s dev"
    assert f"fix: rename it in Pulumi.dev.yaml, or {remove}" in message


def test_what_the_network_needs_of_others_is_said_once_each() -> None:
    network = {"publicAccess": True, "allowedIpRanges": ["203.0.113.0/24"], "outbound": {"hosts": ["a.contoso.com"]}}
    message = refused(filled_in("dev") | {"azureml-platform:network": json.dumps(network)})
    assert message.startswith("3 settings are wrong in Pulumi.dev.yaml. Nothing was changed.")
    assert "because nodes have changing public addresses" in message


def test_an_unknown_key_like_no_other_lists_what_is_allowed() -> None:
    message = refused(filled_in("dev") | {"azureml-platform:zzz": "1"})
    assert "azureml-platform:zzz is not a setting; allowed here: naming, tags, protect" in message


def test_keys_of_other_namespaces_are_not_ours() -> None:
    values = filled_in("dev") | {"azure-native:useOidc": "true", "pulumi:tags": "{}", "docker:host": "x"}
    assert parse(values, "dev").settings.naming.namespace == "mlops"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"priority": "Spot"}, "priority must be 'Dedicated' or 'LowPriority' (it is \"Spot\")"),
        ({"maxNodes": 0}, "maxNodes must be 1 or more (it is 0)"),
        ({"minNodes": True}, "minNodes must be a whole number (it is true)"),
        ({"minNodes": 9}, "compute[0].minNodes (9) must not exceed maxNodes (4)"),
        ({"name": "a b"}, 'name is not well-formed (it is "a b")'),
        ({"vmSize": "DS3"}, 'vmSize is not well-formed (it is "DS3")'),
        ({"idleTime": "PT"}, "idleTime must be an ISO 8601 duration"),
    ],
)
def test_a_wrong_cluster_is_explained(change: dict[str, Any], expected: str) -> None:
    assert expected in refused(changed(COMPUTE, lambda clusters: clusters[0].update(change)))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("image", True, "image must be a group of settings: build (it is true)"),
        ("compute", [], "compute must have at least 1 entry"),
        ("network", {"allowedIpRanges": ["10.1.0.0/16"]}, "allowedIpRanges[0] must be a public IPv4 address"),
        ("network", {"allowedIpRanges": ["203.0.113.7/32"]}, "allowedIpRanges[0] must be a public IPv4 address"),
        ("network", {"allowedIpRanges": ["2001:db8::1"]}, "allowedIpRanges[0] must be a public IPv4 address"),
        ("network", {"allowedIpRanges": ["nowhere"]}, "allowedIpRanges[0] must be a public IPv4 address"),
        ("network", {"allowedIpRanges": ["203.0.113.0/24"]}, "registry.sku must be Premium if network.publicAccess"),
        ("network", {"publicAccess": False}, "network.isolation must not be Disabled if network.publicAccess"),
        ("network", {"allowedIpRanges": ["203.0.113.0/24"]}, "network.isolation must not be Disabled if network.allow"),
        ("network", {"isolation": "AllowOnlyApprovedOutbound"}, "registry.sku must be Premium if network.publicAccess"),
        ("network", {"outbound": {"hosts": ["docs.contoso.com"]}}, "outbound.hosts is only valid if network.isolation"),
        ("network", {"outbound": {"serviceTags": [{"tag": "DataFactory"}]}}, "outbound.serviceTags is only valid if"),
        ("network", {"outbound": {"hosts": ["https://contoso.com"]}}, "hosts[0] must be a host name such as"),
        ("network", {"outbound": {"hosts": ["x.blob.core.windows.net"]}}, "use outbound.privateEndpoints"),
        ("network", {"outbound": {"hosts": ["contoso.com", "Contoso.com"]}}, "outbound.hosts has contoso.com twice"),
        ("network", {"outbound": {"serviceTags": [{"tag": "datafactory"}]}}, "did you mean DataFactory?"),
        (
            "network",
            {"outbound": {"serviceTags": [{"tag": "DataFactry.WestEurope"}]}},
            "did you mean DataFactory.WestEurope?",
        ),
        ("network", {"outbound": {"serviceTags": [{"tag": "Internet"}]}}, "set isolation to AllowInternetOutbound"),
        (
            "network",
            {"outbound": {"serviceTags": [{"tag": "DataFactory", "ports": "https"}]}},
            "ports is not well-form",
        ),
        ("network", {"outbound": {"privateEndpoints": [LAKE]}}, "outbound.privateEndpoints needs a managed network"),
        (
            "network",
            {"outbound": {"privateEndpoints": [LAKE | {"subresource": "lake"}]}},
            "privateEndpoints[0].subresource of a Microsoft.Storage/storageAccounts must be one of `blob`, `file`",
        ),
        (
            "network",
            {"outbound": {"privateEndpoints": [LAKE | {"resourceId": "lake"}]}},
            "privateEndpoints[0].resourceId must be the id of an Azure resource",
        ),
        (
            "network",
            {"outbound": {"privateEndpoints": [LAKE | {"resourceId": LAKE["resourceId"].replace("storageA", "a")}]}},
            "to which managed networks have no private endpoints; supported: Microsoft.ApiManagement/service",
        ),
        ("tags", {"Stack": "x"}, "tags.Stack is reserved, because the project sets this tag"),
        ("tags", {"Microsoft-team": "x"}, "tags.Microsoft-team begins with azure, microsoft or windows, which Azure"),
        ("tags", {"a<b": "x"}, "tags.a<b is not a valid tag"),
        ("models", {"flights": {"name": "m"}}, "models.flights.version is missing"),
        ("models", {"a.b": {"name": 3, "version": "1"}}, 'models["a.b"].name must be text (it is 3)'),
        ("models", {"flights": {"name": "m", "version": "@latest"}}, "models.flights.version is not well-formed"),
        ("models", {"flights": {"name": "m", "version": "latest"}}, "models.flights.version must name a version"),
        ("models", {"flights": "azureml:m@latest"}, "models.flights must name a version and not a label"),
        (
            "models",
            {"flights": "azureml://registries/mlops/models/m/labels/latest"},
            "models.flights must name a version and not a label such as @latest, because the same configuration must",
        ),
        (
            "models",
            {"flights": "m:3"},
            "models.flights must be a model version: azureml:NAME:VERSION, azureml://regist",
        ),
        ("models", {"flights": "azureml://registries/mlops/data/m/versions/3"}, "models.flights must be a model"),
        ("models", {"flights": 3}, "models.flights must be a group of settings: name, version, registry (it is 3)"),
        (
            "models",
            {"flights": {"name": "m", "version": "3", "registry": "mlops"}},
            "models.flights is in registry mlops, and sharing.registry is not set; set sharing.registry to mlops",
        ),
        (
            "overrides",
            {"endpoints": {"flights": {"deployments": {"blue": {"instanceCount": 0}}}}},
            "overrides.endpoints.flights.deployments.blue.instanceCount must be 1 or more (it is 0)",
        ),
        (
            "overrides",
            {"endpoints": {"flights": {"deployments": {"blue": {"instanceSize": "x"}}}}},
            "did you mean overrides.endpoints.flights.deployments.blue.instanceType?",
        ),
        (
            "overrides",
            {"endpoints": {"flights": {"exclude": True, "deployments": {"blue": {}}}}},
            "overrides.endpoints.flights.exclude must not be true if deployments is set",
        ),
        (
            "overrides",
            {"schedules": {"daily": {"exclude": True, "isEnabled": False}}},
            "overrides.schedules.daily.exclude must not be true if isEnabled is set",
        ),
        (
            "overrides",
            {"pipelines": {"training": {"inputs": {"days": ["a"]}}}},
            "overrides.pipelines.training.inputs.days must be text, a number, true or false",
        ),
        (
            "sharing",
            {"registry": "models", "subscriptionId": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"},
            "sharing.resourceGroup must be set if subscriptionId is set",
        ),
        (
            "sharing",
            {"create": True},
            "sharing.registry must be set if create, publish or resourceGroup is set",
        ),
        (
            "sharing",
            {"registry": "models", "create": True, "resourceGroup": "rg"},
            "sharing.resourceGroup must not be set if create is true",
        ),
        ("sharing", {"registry": "a b"}, 'sharing.registry is not well-formed (it is "a b")'),
        ("rollout", {"steps": [10, 50]}, "rollout.steps must rise and end with 100, such as [10, 50, 100]"),
        ("rollout", {"steps": [50, 10, 100]}, "rollout.steps must rise and end with 100"),
        ("rollout", {"steps": []}, "rollout.steps must have at least 1 entry"),
        ("rollout", {"bakeSeconds": -1}, "rollout.bakeSeconds must be 0 or more (it is -1)"),
        (
            "rollout",
            {"bakeSeconds": 60, "checks": {"maxErrorPercent": 1}},
            "rollout.bakeSeconds must be 300 or more where checks.maxErrorPercent or checks.maxLatencyMs is set",
        ),
        ("rollout", {"checks": {"whenQuiet": "maybe"}}, "rollout.checks.whenQuiet must be 'pass' or 'fail'"),
        ("rollout", {"checks": {"maxErrors": 1}}, "did you mean rollout.checks.maxErrorPercent?"),
        ("rollout", {"checks": {"command": "check.sh"}}, "rollout.checks.command must be a list"),
        ("rollout", {"steps": []}, "such as `steps: [10, 50, 100]`"),
        ("assets", {"run": "training"}, "such as `run: [training]`"),
        ("models", [], "models must be a map, with names as keys"),
        ("rollout", {"autoscale": {"flights": {"maxInstances": 3}}}, "needs cpuPercent, latencyMs or both"),
        (
            "rollout",
            {"autoscale": {"flights": {"minInstances": 4, "maxInstances": 3, "cpuPercent": 70}}},
            "rollout.autoscale.flights.minInstances (4) must not exceed maxInstances (3)",
        ),
        (
            "rollout",
            {"autoscale": {"flights": {"cpuPercent": 70}}},
            "rollout.autoscale.flights.maxInstances is missing",
        ),
        ("assets", {"adopt": "yes"}, 'assets.adopt must be true or false (it is "yes")'),
        ("retention", {"logDays": 7}, "retention.logDays must be 30 or more (it is 7)"),
        (
            "identities",
            {"github": [{"repository": "a/b"}]},
            "identities.github[0] needs exactly one of environment and branch",
        ),
        ("identities", {"github": [{"repository": "a/b", "branch": "m", "environment": "e"}]}, "needs exactly one of"),
        (
            "identities",
            {"github": [{"repository": "a/b", "branch": "m", "ownerId": 1}]},
            "needs both ownerId and repositoryId, or neither",
        ),
        (
            "identities",
            {"github": [{"repository": "a@1/b", "branch": "m"}]},
            "repository must contain both ids (owner@id/name@id) or none",
        ),
        (
            "identities",
            {"azureDevOps": [{"issuer": f"https://vstoken.dev.azure.com/{GUID}", "subject": "/eid1/c/pub/t/a/sc/b"}]},
            "issuer and subject belong to different forms of a service connection; copy both from its page",
        ),
        (
            "identities",
            {"azureDevOps": [{"issuer": f"https://login.microsoftonline.com/{GUID}", "subject": "/eid1/c/pub/t/a"}]},
            "identities.azureDevOps[0].issuer",
        ),
        ("attachedComputes", ["k8s", "a/b"], "attachedComputes[1]"),
    ],
)
def test_a_wrong_setting_is_explained(key: str, value: Any, expected: str) -> None:
    assert expected in refused(with_group(f"azureml-platform:{key}", value))


def test_two_computes_of_one_name_are_refused() -> None:
    expected = "compute, instances and attachedComputes have the same name twice: cpu-cluster"
    message = refused(changed(COMPUTE, lambda clusters: clusters.append(clusters[0] | {"name": "CPU-Cluster"})))
    assert expected in message
    instance = {"name": "cpu-cluster", "vmSize": "Standard_DS3_v2"}
    assert expected in refused(with_group("azureml-platform:instances", [instance]))
    assert expected in refused(with_group("azureml-platform:attachedComputes", ["cpu-cluster"]))


STOP = {"action": "stop", "cron": "0 18 * * *"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"idleTime": "PT5M"}, "instances[0].idleTime must be an ISO 8601 duration from 15 minutes to 3 days"),
        ({"idleTime": "an hour"}, "instances[0].idleTime"),
        ({"name": "ci"}, "instances[0].name"),
        ({"user": "anna@contoso.com"}, "instances[0].user"),
        ({"schedules": [STOP] * 5}, "instances[0].schedules"),
        ({"schedules": [STOP | {"action": "sleep"}]}, "instances[0].schedules[0].action"),
        ({"schedules": [STOP | {"cron": "at six"}]}, "bad cron expression 'at six'"),
        ({"schedules": [STOP | {"timeZone": "Europe/Nowhere"}]}, "unknown time zone 'Europe/Nowhere'"),
    ],
)
def test_a_wrong_compute_instance_is_explained(change: dict[str, Any], expected: str) -> None:
    instance = {"name": "ci-anna", "vmSize": "Standard_DS3_v2"}
    assert expected in refused(with_group("azureml-platform:instances", [instance | change]))


def test_an_existing_service_principal_excludes_federation() -> None:
    group = {"existingServicePrincipal": GUID, "github": [{"repository": "a/b", "branch": "main"}]}
    message = refused(with_group("azureml-platform:identities", group))
    assert "identities.existingServicePrincipal cannot be combined with github or azureDevOps" in message


def test_a_group_has_one_role() -> None:
    message = refused(with_group("azureml-platform:access", {"owners": [GUID], "readers": [GUID.upper()]}))
    assert f"access must list each group once, under one role; listed twice: {GUID}" in message


@pytest.mark.parametrize("region", ["West Europe", "westEurope", ""])
def test_a_region_is_given_in_its_short_form(region: str) -> None:
    assert "azure-native:location must be the short name of an Azure region" in refused(
        filled_in("dev") | {"azure-native:location": region}
    )


def test_values_set_by_the_command_line_are_read_like_those_in_the_file() -> None:
    # `pulumi config set azureml-platform:protect true` stores text, `--path` stores numbers as numbers.
    values = filled_in("dev") | {
        "azureml-platform:protect": "true",
        "azureml-platform:models": '{"flights": {"name": "delays", "version": 7}}',
    }
    settings = parse(values, "dev").settings
    assert settings.protect is True
    assert settings.models["flights"].version == "7"


@pytest.mark.parametrize(("written", "number"), [("0.1", 0.1), (0.1, 0.1), (1, 1.0), ("1", 1.0)])
def test_a_number_with_a_fraction_may_be_text_as_the_command_line_stores_it(written: Any, number: float) -> None:
    deployments = {"blue": {"samplingRate": written}}
    values = filled_in("dev") | {
        "azureml-platform:overrides": json.dumps({"endpoints": {"flights": {"deployments": deployments}}}),
        "azureml-platform:monitoring": json.dumps({"alerts": {"endpointErrors": written}}),
    }
    settings = parse(values, "dev").settings
    assert settings.overrides.endpoints["flights"].deployments["blue"].sampling_rate == number
    assert settings.monitoring.alerts.endpoint_errors == number


@pytest.mark.parametrize("written", ["a tenth", "0,1", "1e-1", "", ".nan", True])
def test_text_that_is_no_number_is_refused(written: Any) -> None:
    values = filled_in("dev") | {"azureml-platform:monitoring": json.dumps({"alerts": {"endpointErrors": written}})}
    assert "monitoring.alerts.endpointErrors must be a number" in refused(values)


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ({"name": "delays", "version": 7}, "azureml:delays:7"),
        ("azureml:delays:7", "azureml:delays:7"),
        (
            {"name": "delays", "version": "7", "registry": "mlops"},
            "azureml://registries/mlops/models/delays/versions/7",
        ),
        (
            "azureml://registries/mlops/models/delays/versions/7",
            "azureml://registries/mlops/models/delays/versions/7",
        ),
    ],
)
def test_a_promoted_model_is_a_version_of_the_workspace_or_of_a_registry(written: Any, reference: str) -> None:
    values = with_group("azureml-platform:models", {"flights": written})
    values["azureml-platform:sharing"] = '{"registry": "MLOps"}'
    model = parse(values, "dev").settings.models["flights"]
    assert ModelChoice(model.name, model.version, model.registry).reference == reference


def test_settings_left_out_take_their_documented_defaults() -> None:
    values = {key: value for key, value in filled_in("dev").items() if key.startswith("azure-native:")}
    values[NAMING] = '{"namespace": "ml", "workspace": "ws", "postfix": "1"}'
    values[COMPUTE] = '[{"name": "cpu", "vmSize": "Standard_DS3_v2"}]'
    settings = parse(values, "dev").settings
    assert not settings.protect
    assert settings.image.build
    assert not settings.storage.shared_key_access
    assert (settings.compute[0].min_nodes, settings.compute[0].idle_time) == (0, "PT15M")
    assert settings.compute[0].priority is VmPriority.DEDICATED


def test_every_setting_has_a_description() -> None:
    def undescribed(group: type[Any]) -> list[str]:
        missing = [f"{group.__name__}.{name}" for name, field in fields(group).items() if not field.description]
        inner = [nested_group(field.annotation) for field in fields(group).values()]
        return missing + [name for group in inner if group for name in undescribed(group)]

    assert undescribed(Settings) + undescribed(CloudSettings) == []


@pytest.mark.attack
def test_an_encrypted_value_is_refused_where_it_would_be_plain_text_in_the_state() -> None:
    """Pulumi does not know that a definition contains the value, so the state and the stack outputs would have it."""
    deployments = {"blue": {"environmentVariables": {"API_TOKEN": "canary"}}}
    values = with_group("azureml-platform:overrides", {"endpoints": {"flight-delay": {"deployments": deployments}}})
    parse(values, "dev")
    with pytest.raises(ConfigurationError) as error:
        parse(values, "dev", frozenset({"azureml-platform:overrides", "other:key"}))
    assert str(error.value).splitlines()[:2] == [
        "1 setting is wrong in Pulumi.dev.yaml. Nothing was changed.",
        "  azureml-platform:overrides has an encrypted value, which would be in plain text in the state and in Azure",
    ]
    assert "canary" not in str(error.value)


@pytest.mark.attack
def test_no_message_contains_an_encrypted_value() -> None:
    monitoring = "azureml-platform:monitoring"
    good = with_group(monitoring, {"webhooks": {"chat": "https://hooks.contoso.com/canary"}})
    assert parse(good, "dev", frozenset({monitoring})).settings.monitoring.webhooks
    wrong = with_group(monitoring, {"webhooks": {"chat": "hooks.contoso.com/canary"}})
    assert "canary" in refused(wrong)
    with pytest.raises(ConfigurationError) as error:
        parse(wrong, "dev", frozenset({monitoring}))
    assert f"{monitoring}.webhooks.chat must be a URL" in str(error.value)
    assert "canary" not in str(error.value)
