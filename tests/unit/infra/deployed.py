"""Runs the whole program against Pulumi's mocks and records what it registered."""

import asyncio
import atexit
import contextvars
import runpy
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pulumi
import pytest
from pulumi import resource_hooks
from pulumi.runtime import set_all_config, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from infra.components import image
from tests.unit.infra.stack_files import ROOT, filled_in

DEPLOYER = "d0000000-0000-4000-8000-000000000001"
DIGEST = f"sha256:{'5' * 64}"
# The catalogue remembers here what it has checked already; it goes when the interpreter does.
_CACHE = tempfile.mkdtemp(prefix="azureml-platform-test-")
atexit.register(shutil.rmtree, _CACHE)
_TYPE_PREFIX = "azure-native:"


@dataclass(frozen=True)
class Registered:
    """One resource that the program registered: what was asked of the engine."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    protect: bool
    depends_on: frozenset[str]
    error_hooks: frozenset[str]
    delete_before_replace: bool
    replace_on_changes: tuple[str, ...]
    secret_inputs: frozenset[str]
    before_create: tuple[str, ...]


@dataclass
class Deployment:
    """What one run of the program did."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)

    def of(self, kind: str) -> list[Registered]:
        """All resources of a type such as `storage:StorageAccount`."""
        return [resource for resource in self.resources if resource.type == f"{_TYPE_PREFIX}{kind}"]

    def one(self, kind: str) -> Registered:
        """The only resource of a type."""
        (only,) = self.of(kind)
        return only


class Cloud(Mocks):
    """Answers like a cloud in which every create succeeds: the id is the resource's ARM path in short."""

    def __init__(
        self, tenant_id: str, subscription_id: str, deployer: str, before: Mapping[str, Any] | None = None
    ) -> None:
        claims = {"idtyp": deployer, "oid": DEPLOYER}
        self._token = jwt.encode(claims, "a key that nobody checks the signature by", algorithm="HS256")
        self._before = before or {}
        self._client = {
            "clientId": "c0000000-0000-4000-8000-000000000001",
            "objectId": DEPLOYER,
            "tenantId": tenant_id,
            "subscriptionId": subscription_id,
        }

    def call(self, args: MockCallArgs) -> Any:
        match args.token:
            case "azure-native:authorization:getClientConfig":
                return self._client
            case "azure-native:authorization:getClientToken":
                return {"token": self._token}
            case "pulumi:pulumi:readStackOutputs":
                return {"outputs": self._before.get(args.args.get("name"), {})}
        return {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        state = {"name": _physical_name(args), **args.inputs}
        identity = args.inputs.get("identity")
        if identity and "userAssignedIdentities" in identity:
            state["identity"] = {
                **identity,
                "userAssignedIdentities": {key: {} for key in identity["userAssignedIdentities"]},
            }
        if identity and "principalId" not in identity and "SystemAssigned" in identity.get("type", ""):
            state["identity"] = {**identity, "principalId": f"principal-of-{args.name}"}
        match args.typ:
            case "azure-native:managedidentity:UserAssignedIdentity":
                state["principalId"] = f"principal-of-{args.name}"
            case "azure-native:containerregistry:Registry":
                state["loginServer"] = f"{args.inputs['registryName']}.azurecr.io"
            case "docker:index/image:Image":
                state["repoDigest"] = f"{args.inputs['imageName'].rpartition(':')[0]}@{DIGEST}"
            case "pulumi-python:dynamic/azureml:OnlineEndpoint":
                state["scoring_uri"] = f"https://{args.inputs['name']}.westeurope.inference.ml.azure.com/score"
            case "pulumi-python:dynamic/azureml:BatchEndpoint":
                state["scoring_uri"] = f"https://{args.inputs['name']}.westeurope.inference.ml.azure.com/jobs"
            case "azure-native:databricks:Workspace":
                state["workspaceUrl"] = "adb-7.1.azuredatabricks.net"
            case "pulumi-python:dynamic:Resource":
                state["number"] = "7"  # of a Databricks job
            case "pulumi-python:dynamic/azureml:PipelineJob":
                state |= {
                    "job": f"{args.inputs['name']}-1",
                    "status": "Completed",
                    "studio_url": "https://ml.azure.com",
                }
                state |= {"metrics": {"evaluate.auc": 0.9}, "outputs": {}, "model": ""}
        return f"/{args.typ}/{state['name']}", state


def _physical_name(args: MockResourceArgs) -> str:
    kind = args.typ.rpartition(":")[2]
    keys = {
        "Workspace": "workspaceName",
        "ResourceGroup": "resourceGroupName",
        "StorageAccount": "accountName",
        "Vault": "vaultName",
        "Registry": "registryName",
        "Compute": "computeName",
        "RoleAssignment": "roleAssignmentName",
        "RoleDefinition": "roleDefinitionId",
        "FederatedIdentityCredential": "federatedIdentityCredentialResourceName",
    }
    return str(args.inputs.get(keys.get(kind, "resourceName"), args.name))


class Monitor(MockMonitor):
    """The mock engine, which also notes the options that mocks are not told of."""

    def __init__(self, mocks: Mocks, deployment: Deployment) -> None:
        super().__init__(mocks)
        self._deployment = deployment

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        info = super().GetDeploymentInfo(request)  # type: ignore[no-untyped-call]
        info.supportedFeatures.append(resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS)
        return info

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        with own_event_loop():
            return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        with own_event_loop():
            response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        inputs = pulumi.runtime.rpc.deserialize_properties(request.object)
        secret = {key for key, value in inputs.items() if pulumi.runtime.rpc.is_rpc_secret(value)}
        self._deployment.resources.append(
            Registered(
                urn=response.urn,
                type=request.type,
                name=request.name,
                inputs={key: pulumi.runtime.rpc.unwrap_rpc_secret(value) for key, value in inputs.items()},
                protect=request.protect,
                depends_on=frozenset(request.dependencies),
                error_hooks=frozenset(request.hooks.on_error),
                delete_before_replace=request.deleteBeforeReplace,
                replace_on_changes=tuple(request.replaceOnChanges),
                secret_inputs=frozenset(secret),
                before_create=tuple(request.hooks.before_create),
            )
        )
        return response


def _done() -> asyncio.Future[None]:
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


@contextmanager
def own_event_loop() -> Iterator[None]:
    """The mock engine opens an event loop in the calling worker thread and leaves it open; close it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def deploy(
    stack: str,
    changes: Mapping[str, str | None] | None = None,
    *,
    preview: bool = False,
    signed_in: tuple[str, str] | None = None,
    deployer: str = "user",
    project: str = "azureml-platform",
    before: Mapping[str, Any] | None = None,
    folder: Path = ROOT,
) -> Deployment:
    """Run `__main__.py` for a shipped stack.

    Args:
        stack: name of the stack file.
        changes: configuration values to add or replace (None: remove), as the engine would hand them over.
        preview: whether the engine only previews.
        signed_in: tenant and subscription of the credentials in use; by default the stack's own.
        deployer: what Entra ID says of the identity that runs the program: `user` or `app`.
        project: name of the project in Pulumi.yaml.
        before: outputs of the last update, by the stack's full name.
        folder: the folder of the program and its stack files.
    """
    values = filled_in(stack, folder) | {key: value for key, value in (changes or {}).items() if value is not None}
    values = {key: value for key, value in values.items() if not (changes and changes.get(key, "") is None)}
    deployment = Deployment()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "refresh_token", lambda *_: "short-lived")
        # The mock engine says that it has resource hooks, and has no way to call one.
        patch.setattr(resource_hooks, "register_resource_hook", lambda _hook: _done())
        patch.setenv("XDG_CACHE_HOME", _CACHE)
        # The mock engine calls no hook.
        patch.setattr("pulumi.resource_hooks.register_error_hook", registered)
        mocks = Cloud(*(signed_in or _cloud_of(values)), deployer, before)
        patch.syspath_prepend(str(folder))
        contextvars.Context().run(_run, folder, project, stack, values, preview, mocks, deployment)
    return deployment


def registered(_hook: pulumi.ErrorHook) -> asyncio.Future[None]:
    """Register a hook nowhere, in place of the SDK's function."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _cloud_of(values: Mapping[str, str]) -> tuple[str, str]:
    return values.get("azure-native:tenantId", ""), values.get("azure-native:subscriptionId", "")


def _run(
    folder: Path,
    project: str,
    stack: str,
    values: dict[str, str],
    preview: bool,
    mocks: Cloud,
    deployment: Deployment,
) -> None:
    async def program() -> None:
        set_all_config(values)
        set_mocks(
            mocks,
            project=project,
            organization="organization",
            stack=stack,
            preview=preview,
            monitor=Monitor(mocks, deployment),
        )
        root = pulumi.runtime.get_root_resource()

        def main() -> None:
            runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

        await run_pulumi_func(main)
        assert isinstance(root, pulumi.runtime.stack.Stack)
        for name, value in root.outputs.items():
            output = pulumi.Output.from_input(value)
            deployment.outputs[name] = await output.future()
            if await output.is_secret():
                deployment.secret_outputs.add(name)

    asyncio.run(program())
