"""The project in examples/hosts, under Pulumi's mocks: what it declares, and that the providers' SDKs have it."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import inspect
import json
import runpy
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.stack import run_pulumi_func

from tests.unit.infra.deployed import own_event_loop

HOSTS = Path(__file__).resolve().parents[3] / "examples" / "hosts"
SDKS = {"github": "pulumi_github", "azuredevops": "pulumi_azuredevops"}
STACKS = ("github", "azure-devops")
GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c330"


class Declared(typing.NamedTuple):
    """A resource that the program declares."""

    type: str
    name: str
    inputs: dict[str, Any]
    protect: bool


class Cloud(mocks.Mocks):
    """The hosts: they answer with the inputs, and with an id from the name."""

    def __init__(self) -> None:
        self.declared: list[Declared] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        id = "7" if args.typ.endswith("BuildDefinition") else f"{args.name}-id"
        outputs = {"repoId": 42, "nodeId": "R_1", "workloadIdentityFederationSubject": f"subject of {args.name}"}
        return id, {**args.inputs, **outputs, "workloadIdentityFederationIssuer": "issuer"}

    def call(self, args: mocks.MockCallArgs) -> Any:
        name = args.args["name"]
        return {"id": f"group {name}", "originId": f"origin {name}", "subjectDescriptor": f"descriptor {name}"}

    def of(self, type: str) -> dict[str, dict[str, Any]]:
        """Return the inputs of the resources of a type, by name."""
        return {each.name: each.inputs for each in self.declared if each.type.endswith(f":{type}")}


class Monitor(mocks.MockMonitor):
    """The mock engine, which also notes what is declared and protected."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._cloud = cloud

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        with own_event_loop():
            return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        with own_event_loop():
            response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.custom:
            inputs = pulumi.runtime.rpc.deserialize_properties(request.object)
            self._cloud.declared.append(Declared(request.type, request.name, inputs, request.protect))
        return response


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the project's modules on the path, as Pulumi does."""
    monkeypatch.syspath_prepend(str(HOSTS))
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] == "hosts"]:
        del sys.modules[name]


def shipped(stack: str) -> dict[str, Any]:
    """Return a stack file's configuration with ids in place of the zeros."""
    config = yaml.safe_load((HOSTS / f"Pulumi.{stack}.yaml").read_text())["config"]
    for number, environment in enumerate(config["azureml-hosts:environments"]):
        environment["clientId"] = GUID + str(number)
        environment["previewClientId"] = GUID + str(number + 5)
        environment["subscription"] |= {"tenantId": GUID + "a", "subscriptionId": GUID + "b"}
        if stack == "github" and "approvers" in environment:
            environment["approvers"] = ["4711"]
    return dict(config)


def run(stack: str, config: Mapping[str, Any]) -> Cloud:
    """Run the program with a configuration."""
    cloud = Cloud()

    async def program() -> None:
        pulumi.runtime.set_all_config({key: json.dumps(value) for key, value in config.items()})
        mocks.set_mocks(cloud, project="azureml-hosts", stack=stack, monitor=Monitor(cloud))

        def main() -> None:
            runpy.run_path(str(HOSTS / "__main__.py"))

        await run_pulumi_func(main)

    contextvars.Context().run(asyncio.run, program())
    return cloud


@pytest.fixture
def github() -> Cloud:
    """What the stack `github` declares."""
    return run("github", shipped("github"))


@pytest.fixture
def azure_devops() -> Cloud:
    """What the stack `azure-devops` declares."""
    return run("azure-devops", shipped("azure-devops"))


def sdk_class(type: str) -> type[Any]:
    package, module, name = type.split(":")
    found: type[Any] = getattr(importlib.import_module(SDKS[package]), name)
    assert module.partition("/")[0] == "index"
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_every_input_is_in_the_schema_of_the_sdk(stack: str) -> None:
    """The SDKs are generated from the providers' schemas: their parameters are its inputs, with types."""
    declared = run(stack, shipped(stack)).declared
    assert declared
    for each in declared:
        args = importlib.import_module(sdk_class(each.type).__module__).__dict__[f"{sdk_class(each.type).__name__}Args"]
        parameters = inspect.signature(args).parameters
        known = {name.replace("_", "").lower(): value for name, value in parameters.items()}
        given = {key.replace("_", "").lower() for key, value in each.inputs.items() if value is not None}
        assert given <= known.keys(), each
        required = {key for key, value in known.items() if value.default is inspect.Parameter.empty}
        assert required <= given, each
        for key, value in each.inputs.items():
            annotation = str(known[key.replace("_", "").lower()].annotation)
            if isinstance(value, bool):
                assert "bool" in annotation, (each.type, key)
            elif isinstance(value, int | float):
                assert "int" in annotation, (each.type, key)
            elif isinstance(value, str):
                assert "str" in annotation, (each.type, key)


@pytest.mark.parametrize("stack", STACKS)
def test_the_shipped_zeros_are_refused_each_with_its_key(stack: str) -> None:
    config = yaml.safe_load((HOSTS / f"Pulumi.{stack}.yaml").read_text())["config"]
    with pytest.raises(pulumi.RunError) as refused:
        run(stack, config)
    lines = str(refused.value).splitlines()
    assert lines[0] == f"Pulumi.{stack}.yaml has mistakes:"
    assert len([line for line in lines if "is still the placeholder" in line]) == 12
    assert "  azureml-hosts:environments[0].clientId: is still the placeholder; replace it with the real GUID" in lines


@pytest.mark.parametrize(
    ("stack", "change", "said"),
    [
        ("github", lambda c: c["azureml-hosts:environments"][2].update(approvers=["approvers"]), "ids of teams"),
        ("github", lambda c: c["azureml-hosts:environments"][0].update(name="prod"), "different names"),
        ("github", lambda c: c.pop("azureml-hosts:github"), "github or azureDevOps is missing"),
        ("github", lambda c: c["azureml-hosts:github"].update(visibility="secret"), "azureml-hosts:github.visibility"),
        ("github", lambda c: c["azureml-hosts:github"].update(teams=[]), "azureml-hosts:github.teams"),
        (
            "azure-devops",
            lambda c: c["azureml-hosts:environments"][0]["subscription"].pop("subscriptionName"),
            "environments dev: Azure DevOps needs subscription.subscriptionName",
        ),
        ("github", lambda c: c["azureml-hosts:environments"][0].update(backendUrl="file://x"), "backend that jobs"),
        (
            "azure-devops",
            lambda c: c["azureml-hosts:environments"][0].update(previewClientId=GUID + "0"),
            "previewClientId must differ",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_key(stack: str, change: Any, said: str) -> None:
    config = shipped(stack)
    change(config)
    with pytest.raises(pulumi.RunError, match="has mistakes") as refused:
        run(stack, config)
    (line,) = str(refused.value).splitlines()[1:]
    assert said in line


def test_a_deployment_on_github_comes_from_main_and_is_approved_by_somebody_else(github: Cloud) -> None:
    environments = github.of("RepositoryEnvironment")
    assert set(environments) == {f"{stack}{kind}" for stack in ("dev", "staging", "prod") for kind in ("", "-preview")}
    assert environments["prod"]["reviewers"] == [{"teams": [4711]}]
    assert environments["prod"]["preventSelfReview"] is True
    assert environments["prod"]["canAdminsBypass"] is False
    policies = github.of("RepositoryEnvironmentDeploymentPolicy").values()
    assert {(each["environment"], each["branchPattern"]) for each in policies} == {
        ("dev", "main"), ("staging", "main"), ("prod", "main")
    }  # fmt: skip


def test_a_pull_request_on_github_gets_the_identity_that_only_reads(github: Cloud) -> None:
    ids = {
        name.removesuffix("-AZURE_CLIENT_ID"): each["value"]
        for name, each in github.of("ActionsEnvironmentVariable").items()
        if name.endswith("AZURE_CLIENT_ID")
    }
    assert (ids["prod"], ids["prod-preview"]) == (GUID + "2", GUID + "7")
    assert not github.of("ActionsSecret")
    assert not github.of("ActionsEnvironmentSecret")


def test_the_workflows_get_only_what_the_repository_allows(github: Cloud) -> None:
    (token,) = github.of("WorkflowRepositoryPermissions").values()
    assert (token["defaultWorkflowPermissions"], token["canApprovePullRequestReviews"]) == ("read", True)
    (rule,) = github.of("BranchProtection").values()
    (reviews,) = rule["requiredPullRequestReviews"]
    assert reviews["requireCodeOwnerReviews"] is True
    (actions,) = github.of("ActionsRepositoryPermissions").values()
    assert (actions["allowedActions"], actions["shaPinningRequired"]) == ("selected", True)


def test_main_on_github_needs_the_jobs_of_the_workflow(github: Cloud) -> None:
    (rule,) = github.of("BranchProtection").values()
    (checks,) = rule["requiredStatusChecks"]
    workflow = yaml.safe_load((HOSTS.parents[1] / ".github" / "workflows" / "pull-request.yml").read_text())
    assert set(checks["contexts"]) <= {each["name"] for each in workflow["jobs"].values()}
    assert rule["enforceAdmins"] is True


def test_a_connection_of_azure_devops_has_no_secret_and_works_for_main_only(azure_devops: Cloud) -> None:
    connections = azure_devops.of("ServiceEndpointAzureRM")
    assert len(connections) == 6
    for each in connections.values():
        assert each["serviceEndpointAuthenticationScheme"] == "WorkloadIdentityFederation"
        assert each["credentials"].keys() == {"serviceprincipalid"}
    guarded = {
        each["targetResourceId"]: each["allowedBranches"] for each in azure_devops.of("CheckBranchControl").values()
    }
    deploying = {f"azure-{stack}-id" for stack in ("dev", "staging", "prod")}
    assert guarded == dict.fromkeys(deploying | {"dev-id", "staging-id", "prod-id"}, "refs/heads/main")


def test_only_this_repositorys_pipelines_use_what_is_guarded(azure_devops: Cloud) -> None:
    uses = azure_devops.of("PipelineAuthorization").values()
    assert {each["pipelineId"] for each in uses} == {7}
    assert {each["type"] for each in uses} == {"endpoint", "environment", "variablegroup"}
    assert all(each["allowAccess"] is False for each in azure_devops.of("VariableGroup").values())


def test_a_deployment_on_azure_devops_is_approved_and_runs_alone(azure_devops: Cloud) -> None:
    (approval,) = azure_devops.of("CheckApproval").values()
    assert approval["approvers"] == ["origin Release Approvers"]
    assert approval["requesterCanApprove"] is False
    assert len(azure_devops.of("CheckExclusiveLock")) == 3


def test_only_the_named_groups_edit_pipelines(azure_devops: Cloud) -> None:
    edits = {
        (each["principal"], each["permissions"]["EditBuildDefinition"])
        for each in azure_devops.of("BuildDefinitionPermissions").values()
    }
    assert edits == {("group Contributors", "Deny"), ("group Project Administrators", "Allow")}


def test_the_build_service_may_propose_versions_and_nothing_that_goes_around_the_policies(azure_devops: Cloud) -> None:
    """docs/releases.md names the permissions of `release propose`, and docs/pull-requests.md that of the comment."""
    granted = azure_devops.of("GitPermissions")
    assert {each["principal"] for each in granted.values()} == {"descriptor flights Build Service (contoso)"}
    allow = dict.fromkeys(("GenericContribute", "CreateBranch", "PullRequestContribute"), "Allow")
    assert granted["build-service"]["permissions"] == allow
    assert granted["build-service-branch"]["permissions"] == {"ForcePush": "Allow"}
    assert granted["build-service-branch"]["branchName"] == "refs/heads/release/models"


def test_each_pipeline_of_azure_devops_has_its_file(azure_devops: Cloud) -> None:
    for each in azure_devops.of("BuildDefinition").values():
        assert (HOSTS.parents[1] / each["repository"]["ymlPath"]).is_file()


@pytest.mark.parametrize("stack", STACKS)
def test_code_is_never_destroyed(stack: str) -> None:
    holding = {"Repository", "Project", "Git"}
    declared = run(stack, shipped(stack)).declared
    assert {each.protect for each in declared if each.type.rpartition(":")[2] in holding} == {True}
