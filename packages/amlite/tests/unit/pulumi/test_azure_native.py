from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from amlite.pulumi import values
from amlite.pulumi.values import UNKNOWN

SUBSCRIPTION = "10ca1000-0000-4000-9000-616d6c697465"
GROUP = "azure-native:resources:ResourceGroup"
ACCOUNT = "azure-native:storage:StorageAccount"
WORKSPACE = "azure-native:machinelearningservices:Workspace"
COMPUTE = "azure-native:machinelearningservices:Compute"
PIPELINE = "azure-native:datafactory:Pipeline"
ROLE = "azure-native:authorization:RoleAssignment"
GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
ACCOUNT_ID = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/st"

ACCOUNT_INPUTS: dict[str, Any] = {
    "accountName": "st",
    "resourceGroupName": "rg",
    "location": "westeurope",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
}


def failures(response: Any) -> dict[str, str]:
    return {failure.property: failure.reason for failure in response.failures}


def properties(response: Any) -> dict[str, Any]:
    return values.plain(response.properties)


def test_check_fills_the_location_and_keeps_what_was_given(engine: Any) -> None:
    given = {name: value for name, value in ACCOUNT_INPUTS.items() if name != "location"}
    response = engine.check(ACCOUNT, "data", given)
    assert failures(response) == {}
    assert values.plain(response.inputs) == ACCOUNT_INPUTS


def test_check_names_a_resource_that_the_program_does_not_name(engine: Any) -> None:
    given = {name: value for name, value in ACCOUNT_INPUTS.items() if name != "accountName"}
    named = values.plain(engine.check(ACCOUNT, "my-data", given).inputs)["accountName"]
    assert named.startswith("mydata")
    assert named != "mydata"
    assert values.plain(engine.check(ACCOUNT, "my-data", given, accountName="kept").inputs)["accountName"] == "kept"


def test_check_refuses_the_activities_that_amlite_does_not_run(engine: Any) -> None:
    wait = {"name": "pause", "type": "Wait", "waitTimeInSeconds": 1}
    each = {"name": "each", "type": "ForEach", "items": {"type": "Expression", "value": "@x"}, "activities": [wait]}
    notebook = {"name": "clean", "type": "DatabricksNotebook", "notebookPath": "/clean"}
    whether = {
        "name": "whether",
        "type": "IfCondition",
        "expression": {"type": "Expression", "value": "@equals(1, 1)"},
        "ifTrueActivities": [notebook],
    }
    given = {"resourceGroupName": "rg", "factoryName": "adf", "pipelineName": "daily", "activities": [wait, each]}
    reason = failures(engine.check(PIPELINE, "daily", given))[""]
    assert "daily: the activity 'each' has the type 'ForEach', which amlite does not run. It runs " in reason
    given["activities"] = [wait, whether]
    assert "'clean' has the type 'DatabricksNotebook'" in failures(engine.check(PIPELINE, "daily", given))[""]
    given["activities"] = [wait, UNKNOWN]
    assert failures(engine.check(PIPELINE, "daily", given)) == {}


def test_check_refuses_every_property_that_the_sdk_does_not_type(engine: Any) -> None:
    given = {
        "resourceGroupName": "rg",
        "workspaceNme": "ws",
        "properties": {
            "computeType": "AmlCompute",
            "properties": {"vmPriority": "LowPrio", "scaleSettings": {"maxNodeCount": "four"}, "size": 1},
        },
    }
    found = failures(engine.check(COMPUTE, "cluster", given))
    assert found == {
        "workspaceNme": "cluster: unknown property 'workspaceNme'; did you mean 'workspaceName'?",
        "workspaceName": "cluster: missing required property 'workspaceName'",
        "properties.properties.size": "cluster: unknown property 'size'; did you mean 'vmSize'?",
        "properties.properties.vmPriority": (
            "cluster: must be one of 'Dedicated', 'LowPriority', not 'LowPrio'; did you mean 'LowPriority'?"
        ),
        "properties.properties.scaleSettings.maxNodeCount": "cluster: must be a whole number, not 'four'",
    }


def test_check_refuses_an_unknown_kind_of_a_polymorphic_property(engine: Any) -> None:
    given = {"resourceGroupName": "rg", "workspaceName": "ws", "properties": {"computeType": "AmlComputer"}}
    (reason,) = failures(engine.check(COMPUTE, "cluster", given)).values()
    assert "'AmlCompute'" in reason


def test_check_lets_unknown_values_and_secrets_through(engine: Any) -> None:
    given = values.struct(ACCOUNT_INPUTS | {"resourceGroupName": UNKNOWN}, frozenset({"sku"}))
    response = engine.check(ACCOUNT, "data", given)
    assert failures(response) == {}
    assert response.inputs == given


def test_check_refuses_a_type_outside_the_table(engine: Any) -> None:
    with pytest.raises(grpc.RpcError, match="azure-native:sql:Server is not in amlite's table"):
        engine.check("azure-native:sql:Server", "db", {})


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({}, []),
        ({"location": "West Europe"}, []),
        ({"sku": {"name": "Standard_GRS"}}, []),
        ({"tags": {"owner": "me"}}, []),
        ({"resourceGroupName": UNKNOWN}, ["resourceGroupName"]),
        ({"accountName": "other"}, ["accountName"]),
    ],
)
def test_diff_replaces_only_what_identifies_the_resource(
    engine: Any, change: dict[str, Any], replaces: list[str]
) -> None:
    response = engine.diff(ACCOUNT, ACCOUNT_INPUTS, ACCOUNT_INPUTS | change)
    same = change in ({}, {"location": "West Europe"})
    expected = provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
    assert response.changes == expected
    assert list(response.replaces) == replaces


def test_diff_names_the_property_inside(engine: Any) -> None:
    response = engine.diff(ACCOUNT, ACCOUNT_INPUTS, ACCOUNT_INPUTS | {"sku": {"name": "Standard_GRS"}})
    assert set(response.detailedDiff) == {"sku.name"}
    assert response.detailedDiff["sku.name"].kind == provider_pb2.PropertyDiff.UPDATE


def test_create_sends_arms_body_and_returns_flat_outputs(engine: Any, arm: Any) -> None:
    inputs = ACCOUNT_INPUTS | {
        "enableHttpsTrafficOnly": True,
        "networkRuleSet": {"defaultAction": "Deny", "ipRules": [{"iPAddressOrRange": "10.0.0.0/8"}]},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": ["/subscriptions/x"]},
    }
    created = engine.create(ACCOUNT, inputs)
    assert arm.requests == [("GET", ACCOUNT_ID, "2024-01-01"), ("PUT", ACCOUNT_ID, "2024-01-01")]
    assert arm.bodies == [
        {
            "location": "westeurope",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/subscriptions/x": {}}},
            "properties": {
                "supportsHttpsTrafficOnly": True,
                "networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "10.0.0.0/8"}]},
            },
        }
    ]
    assert created.id == ACCOUNT_ID
    outputs = properties(created)
    assert outputs["name"] == "st"
    assert outputs["enableHttpsTrafficOnly"] is True
    assert outputs["networkRuleSet"] == inputs["networkRuleSet"]
    assert outputs["provisioningState"] == "Succeeded"
    assert outputs["azureApiVersion"] == "2024-01-01"
    assert "resourceGroupName" not in outputs


def test_create_refuses_a_resource_that_exists(engine: Any, arm: Any) -> None:
    arm.put(GROUP_ID, {"location": "westeurope"})
    with pytest.raises(grpc.RpcError, match="cannot create already existing resource"):
        engine.create(GROUP, {"resourceGroupName": "rg", "location": "westeurope"})
    assert [method for method, _, _ in arm.requests] == ["GET"]


def test_create_polls_the_operation_to_its_end(engine: Any, arm: Any) -> None:
    arm.operation, arm.polls_left = {"status": "Succeeded"}, 2
    created = engine.create(ACCOUNT, ACCOUNT_INPUTS)
    assert [path for _, path, _ in arm.requests].count("/operation") == 3
    assert properties(created)["provisioningState"] == "Succeeded"


def test_create_reports_arms_code_and_message(engine: Any, arm: Any) -> None:
    arm.answer_with = (409, {"error": {"code": "StorageAccountAlreadyTaken", "message": "The name st is taken."}})
    with pytest.raises(grpc.RpcError) as caught:
        engine.create(ACCOUNT, ACCOUNT_INPUTS)
    assert caught.value.details() == "StorageAccountAlreadyTaken: The name st is taken."


def test_a_failed_operation_leaves_the_half_made_resource_in_the_engines_state(engine: Any, arm: Any) -> None:
    arm.operation = {"status": "Failed", "error": {"code": "QuotaExceeded", "message": "No cores left."}}
    with pytest.raises(grpc.RpcError) as caught:
        engine.create(ACCOUNT, ACCOUNT_INPUTS)
    assert caught.value.details() == "QuotaExceeded: No cores left."
    metadata = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    packed: any_pb2.Any = status.details[0]
    assert packed.Unpack(detail)
    assert detail.id == ACCOUNT_ID
    assert list(detail.reasons) == ["QuotaExceeded: No cores left."]


def test_cancel_ends_the_wait_and_a_new_engine_starts_afresh(engine: Any, arm: Any) -> None:
    arm.operation, arm.polls_left = {"status": "Succeeded"}, 10**9
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(engine.create, ACCOUNT, ACCOUNT_INPUTS)
        assert arm.polled.wait(30)
        engine.stub.Cancel(empty_pb2.Empty())
        with pytest.raises(grpc.RpcError, match="cancelled; the operation continues in Azure"):
            creating.result()
    engine.stub.Handshake(provider_pb2.ProviderHandshakeRequest())
    engine.configure()
    arm.polls_left = 0
    assert engine.update(ACCOUNT, ACCOUNT_ID, {}, ACCOUNT_INPUTS).properties.fields["name"].string_value == "st"


def test_preview_knows_inputs_and_nothing_else(engine: Any, arm: Any) -> None:
    created = engine.create(ACCOUNT, ACCOUNT_INPUTS | {"resourceGroupName": UNKNOWN}, preview=True)
    outputs = properties(created)
    assert outputs["name"] == "st"
    assert outputs["sku"] == {"name": "Standard_LRS", "tier": UNKNOWN}
    assert outputs["primaryEndpoints"] is UNKNOWN
    assert created.id == ""
    assert arm.requests == []


def test_preview_of_an_update_keeps_what_is_known(engine: Any) -> None:
    old = ACCOUNT_INPUTS | {"name": "st", "primaryEndpoints": {"blob": "https://st.blob.core.windows.net/"}}
    new = ACCOUNT_INPUTS | {"tags": {"a": "b"}}
    outputs = properties(engine.update(ACCOUNT, ACCOUNT_ID, old, new, preview=True))
    assert outputs["primaryEndpoints"] == {"blob": "https://st.blob.core.windows.net/"}
    assert outputs["tags"] == {"a": "b"}


def test_secret_inputs_stay_secret(engine: Any) -> None:
    created = engine.create(ACCOUNT, ACCOUNT_INPUTS | {"tags": {"token": "s3cret"}}, secrets="tags")
    assert values.secret_keys(created.properties) == {"tags"}


def test_read_of_a_deleted_resource_is_empty(engine: Any) -> None:
    assert engine.read(GROUP, GROUP_ID, {"resourceGroupName": "rg"}).id == ""


def test_read_returns_drift_as_inputs(engine: Any, arm: Any) -> None:
    engine.create(ACCOUNT, ACCOUNT_INPUTS | {"allowSharedKeyAccess": False})
    changed = arm.resources[ACCOUNT_ID.lower()]
    changed["properties"] |= {"allowSharedKeyAccess": True, "minimumTlsVersion": "TLS1_0"}
    changed["tags"] = {"by": "hand"}
    changed["sku"]["tier"] = "Standard"
    response = engine.read(ACCOUNT, ACCOUNT_ID, ACCOUNT_INPUTS | {"allowSharedKeyAccess": False})
    expected = ACCOUNT_INPUTS | {"allowSharedKeyAccess": True, "tags": {"by": "hand"}}
    assert values.plain(response.inputs) == expected
    assert properties(response)["minimumTlsVersion"] == "TLS1_0"


def test_import_finds_the_inputs_in_the_id_and_the_answer(engine: Any, arm: Any) -> None:
    arm.put(
        ACCOUNT_ID,
        {
            "location": "westeurope",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS", "tier": "Standard"},
            "properties": {"networkAcls": {"defaultAction": "Allow"}, "primaryLocation": "westeurope"},
        },
    )
    response = engine.read(ACCOUNT, ACCOUNT_ID)
    assert values.plain(response.inputs) == ACCOUNT_INPUTS | {"networkRuleSet": {"defaultAction": "Allow"}}


def test_read_refuses_the_id_of_another_type(engine: Any) -> None:
    with pytest.raises(grpc.RpcError, match="is not an id of azure-native:storage:StorageAccount"):
        engine.read(ACCOUNT, GROUP_ID)


def test_update_puts_and_delete_deletes(engine: Any, arm: Any) -> None:
    engine.create(GROUP, {"resourceGroupName": "rg", "location": "westeurope"})
    new = {"resourceGroupName": "rg", "location": "westeurope", "tags": {"a": "b"}}
    updated = engine.update(GROUP, GROUP_ID, {}, new)
    assert properties(updated)["tags"] == {"a": "b"}
    engine.delete(GROUP, GROUP_ID)
    assert arm.resources == {}
    engine.delete(GROUP, GROUP_ID)


def test_role_assignments_live_under_their_scope(engine: Any, arm: Any) -> None:
    inputs = {
        "scope": GROUP_ID,
        "roleAssignmentName": "9f9e5a7a-0c2c-4f58-9f3a-1c5f0e9f0001",
        "principalId": "p",
        "principalType": "ServicePrincipal",
        "roleDefinitionId": "r",
    }
    created = engine.create(ROLE, inputs)
    path = f"{GROUP_ID}/providers/Microsoft.Authorization/roleAssignments/{inputs['roleAssignmentName']}"
    assert created.id == path
    assert arm.bodies[0] == {
        "properties": {"principalId": "p", "principalType": "ServicePrincipal", "roleDefinitionId": "r"}
    }
    assert values.plain(engine.read(ROLE, path).inputs)["scope"] == GROUP_ID


def test_a_missing_subscription_names_the_key(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"):
        monkeypatch.delenv(name, raising=False)
    engine.stub.Configure(provider_pb2.ConfigureRequest(args=values.struct({})))
    with pytest.raises(grpc.RpcError, match="azure-native:subscriptionId is not set"):
        engine.create(GROUP, {"resourceGroupName": "rg", "location": "westeurope"})
