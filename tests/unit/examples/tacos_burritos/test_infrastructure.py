"""The cluster of the example, as the engine would see it: identities, roles, pools, objects, and the settings."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
import yaml
from pulumi import resource_hooks
from pulumi.runtime import set_all_config, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs
from pulumi.runtime.stack import run_pulumi_func

from infra.settings.configuration import ConfigurationError
from tests.unit.infra.deployed import Cloud, Deployment, Monitor, Registered, registered

EXAMPLE = Path(__file__).parents[4] / "examples" / "tacos-burritos"
STACK = yaml.safe_load((EXAMPLE / "Pulumi.dev.yaml").read_text("utf-8"))["config"]
KUBECONFIG = "kubeconfig of the cluster"
ISSUER = "https://westeurope.oic.prod-aks.azure.com/tenant/issuer/"


class Azure(Cloud):
    """A cloud that also has clusters."""

    def call(self, args: MockCallArgs) -> Any:
        if args.token == "azure-native:containerservice:listManagedClusterUserCredentials":
            return {"kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(KUBECONFIG.encode()).decode()}]}
        return super().call(args)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        identity, state = super().new_resource(args)
        if args.typ == "azure-native:managedidentity:UserAssignedIdentity":
            state["clientId"] = f"client-of-{args.name}"
        if args.typ == "azure-native:containerservice:ManagedCluster":
            state["oidcIssuerProfile"] = {"enabled": True, "issuerURL": ISSUER}
        return identity, state


def platform() -> SimpleNamespace:
    """Return what the cluster needs of a platform."""

    def part(name: str) -> SimpleNamespace:
        return SimpleNamespace(id=pulumi.Output.from_input(f"/{name}"), name=pulumi.Output.from_input(name))

    names = SimpleNamespace(workspace="mlw-mlops-tacos-dev-001")
    place = SimpleNamespace(
        resource_group="rg-mlops-tacos-dev-001", location="westeurope", tags={"stack": "dev"}, names=names
    )
    principals = SimpleNamespace(workspace=pulumi.Output.from_input("principal-of-workspace"))
    cloud = SimpleNamespace(subscription_id="s0000000-0000-4000-8000-000000000001")
    return SimpleNamespace(
        place=place,
        program=SimpleNamespace(config=SimpleNamespace(cloud=cloud)),
        identities=SimpleNamespace(endpoint=part("id-endpoint"), principals=principals),
        **{name: part(name) for name in ("registry", "storage", "workspace", "group")},
    )


def values(changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the configuration of the stack as the engine hands it over."""
    found = {key: value for key, value in {**STACK, **(changes or {})}.items() if value is not None}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def cluster() -> None:
    """Declare the cluster and its objects."""
    settings = importlib.import_module("cluster.settings").read()
    kubernetes = importlib.import_module("cluster.kubernetes")
    objects = importlib.import_module("cluster.objects")
    made = kubernetes.Cluster("cluster", kubernetes.ClusterArgs(platform=platform(), settings=settings))
    objects.Objects("objects", objects.ObjectsArgs(cluster=made, settings=settings))


def pipelines_without_images() -> None:
    """Declare the compiled pipeline of a stack that builds no images."""
    stored = importlib.import_module("stored.pipelines")
    given = platform()
    given.program.names = SimpleNamespace(storage_account="stmlops")
    given.program.plan = SimpleNamespace(of=lambda _kind: [])
    given.images, given.access, given.storage = (
        {},
        SimpleNamespace(people=[]),
        pulumi.ComponentResource("test:Storage", "storage"),
    )
    compiled = EXAMPLE / "kubeflow" / "tacos-burritos.yaml"
    claims = ["azure-managed-disk"]
    stored.Pipelines(
        "pipelines", stored.PipelinesArgs(platform=given, compiled=compiled, claims=claims, runs=[], recurring=[])
    )


def declare(changes: Mapping[str, Any] | None = None, main: Callable[[], None] = cluster) -> Deployment:
    """Run a part of the example's program."""
    deployment = Deployment()

    async def program() -> None:
        set_all_config(values(changes))
        mocks = Azure("tenant", "subscription", "user")
        monitor = Monitor(mocks, deployment)
        set_mocks(mocks, project="tacos-burritos", stack="dev", preview=False, monitor=monitor)
        await run_pulumi_func(main)

    def done(_hook: Any) -> asyncio.Future[None]:
        return registered(_hook)

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        patch.setattr(resource_hooks, "register_resource_hook", done)
        patch.setattr(resource_hooks, "register_error_hook", done)
        contextvars.Context().run(asyncio.run, program())
    return deployment


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return declare()


def inside(deployment: Deployment, kind: str) -> Registered:
    (only,) = [each for each in deployment.resources if each.type == f"kubernetes:{kind}"]
    return only


def roles(deployment: Deployment) -> dict[str, tuple[str, str]]:
    """Return the scope and the principal of each role assignment, by its name."""
    found = deployment.of("authorization:RoleAssignment")
    return {each.name: (each.inputs["scope"], each.inputs["principalId"]) for each in found}


def test_nodes_may_pull_and_the_control_plane_may_give_them_their_identity(deployment: Deployment) -> None:
    found = roles(deployment)
    identities = {each.name: each for each in deployment.of("managedidentity:UserAssignedIdentity")}
    assert set(identities) == {"cluster-control-plane", "cluster-nodes", "cluster-pipeline"}
    nodes = "/azure-native:managedidentity:UserAssignedIdentity/id-mlops-tacos-dev-001-aks-nodes"
    assert found["cluster-nodes-registry-acr-pull"] == ("/registry", "principal-of-cluster-nodes")
    assert found["cluster-control-plane-nodes-identity-managed-identity-operator"] == (
        nodes, "principal-of-cluster-control-plane"
    )  # fmt: skip
    cluster = deployment.one("containerservice:ManagedCluster")
    assert cluster.inputs["identityProfile"] == {"kubeletidentity": {"resourceId": nodes}}
    assert {each.partition("$")[2].rpartition("::")[2] for each in cluster.depends_on} >= {
        "cluster-nodes-registry-acr-pull",
        "cluster-control-plane-nodes-identity-managed-identity-operator",
    }
    assert cluster.error_hooks == {"cluster-waits-for-roles"}


def test_cluster_has_an_issuer_workload_identity_premium_disks_and_two_pools(deployment: Deployment) -> None:
    inputs = deployment.one("containerservice:ManagedCluster").inputs
    assert inputs["oidcIssuerProfile"] == {"enabled": True}
    assert inputs["securityProfile"] == {"workloadIdentity": {"enabled": True}}
    assert inputs["storageProfile"] == {"diskCSIDriver": {"enabled": True}}
    pools = [(pool["name"], pool["mode"], pool["vmSize"]) for pool in inputs["agentPoolProfiles"]]
    assert pools == [("system", "System", "Standard_D4s_v3"), ("user", "User", "Standard_D4s_v3")]


def test_pipeline_signs_in_with_the_token_of_its_service_account(deployment: Deployment) -> None:
    federation = deployment.one("managedidentity:FederatedIdentityCredential").inputs
    assert federation["issuer"] == ISSUER
    assert federation["subject"] == "system:serviceaccount:kubeflow:pipeline-runner"
    assert federation["audiences"] == ["api://AzureADTokenExchange"]
    account = inside(deployment, "core/v1:ServiceAccount").inputs["metadata"]
    assert account == {
        "name": "pipeline-runner",
        "namespace": "kubeflow",
        "annotations": {"azure.workload.identity/client-id": "client-of-cluster-pipeline"},
    }


def test_pipeline_may_do_what_its_steps_do_unless_the_stack_asks_for_contributor(deployment: Deployment) -> None:
    least = {name for name in roles(deployment) if name.startswith("cluster-pipeline-")}
    assert least == {
        "cluster-pipeline-workspace-azureml-data-scientist",
        "cluster-pipeline-storage-storage-blob-data-contributor",
        "cluster-pipeline-endpoint-identity-managed-identity-operator",
    }
    found = roles(declare({"tacos-burritos:pipeline": {"access": "Contributor"}}))
    assert {name for name in found if name.startswith("cluster-pipeline-")} == {
        "cluster-pipeline-group-contributor",
        "cluster-pipeline-storage-storage-blob-data-contributor",
    }
    assert found["cluster-pipeline-group-contributor"][0] == "/group"


def test_objects_are_made_with_the_credentials_of_the_cluster(deployment: Deployment) -> None:
    (provider,) = [each for each in deployment.resources if each.type == "pulumi:providers:kubernetes"]
    assert provider.inputs["kubeconfig"] == KUBECONFIG
    assert "kubeconfig" in provider.secret_inputs
    claim = inside(deployment, "core/v1:PersistentVolumeClaim").inputs
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "pipeline-premium",
        "resources": {"requests": {"storage": "5Gi"}},
    }
    storage = inside(deployment, "storage.k8s.io/v1:StorageClass").inputs
    assert (storage["provisioner"], storage["parameters"]) == ("disk.csi.azure.com", {"skuName": "Premium_LRS"})


def test_cluster_is_attached_after_its_extension_and_the_roles_of_the_workspace(deployment: Deployment) -> None:
    attached = deployment.one("machinelearningservices:Compute")
    assert attached.inputs["properties"]["computeType"] == "Kubernetes"
    assert attached.inputs["properties"]["properties"] == {"namespace": "kubeflow"}
    needed = {each.rpartition("::")[2] for each in attached.depends_on}
    assert needed >= {
        "cluster-machine-learning",
        "cluster-workspace-cluster-reader",
        "cluster-workspace-cluster-kubernetes-extension-contributor",
        "cluster-workspace-cluster-aks-cluster-admin",
    }


def test_without_images_the_stored_pipeline_keeps_its_placeholders() -> None:
    deployment = declare(main=pipelines_without_images)
    (document,) = (each for each in deployment.resources if "Document" in each.type)
    assert "image://train" in document.inputs["content"]


def test_kubeflow_is_installed_by_flux_only_where_the_stack_names_a_repository(deployment: Deployment) -> None:
    assert deployment.of("kubernetesconfiguration:FluxConfiguration") == []
    kubeflow = {"repository": "https://github.com/contoso/kubeflow-manifests", "tag": "2.5.0", "path": "./kubeflow"}
    found = declare({"tacos-burritos:kubeflow": kubeflow}).one("kubernetesconfiguration:FluxConfiguration")
    assert found.inputs["gitRepository"]["repositoryRef"] == {"tag": "2.5.0"}
    assert {each.rpartition("::")[2] for each in found.depends_on} >= {"objects-flux", "objects-namespace"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tacos-burritos:cluster": {"userPool": {"vmSize": "Standard_D4_v3"}}}, "cluster.userPool.vmSize"),
        ({"tacos-burritos:cluster": {"systemPool": {"minNodes": 0}}}, "a system pool is never empty"),
        ({"tacos-burritos:cluster": {"userPool": {"minNodes": 5, "maxNodes": 2}}}, "minNodes (5) must not exceed"),
        ({"tacos-burritos:volume": {"gigabytes": 5}}, "tacos-burritos:volume.gigabytes is not a setting"),
        ({"tacos-burritos:pipeline": {"access": "Owner"}}, "LeastPrivilege"),
    ],
    ids=["no premium storage", "empty system pool", "bounds", "unknown key", "unknown access"],
)
def test_wrong_setting_is_named_with_its_fix(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        declare(changes)
    assert problem in str(raised.value)
    assert "Pulumi.dev.yaml" in str(raised.value)
