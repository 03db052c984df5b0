"""The azure-native provider of the local stack: serves the real pulumi_azure_native SDK by calling ARM.

A resource's Pulumi id is its ARM id. Inputs are checked against the SDK's own types, bodies are shaped by
`resource_types.TYPES`, and everything else is what ARM answers.

Run with `python -m amlite.pulumi.azure_native --socket PATH`.
"""
# ruff: noqa: N802, D102 -- the protocol's methods: gRPC names them, its documentation describes them

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click
import grpc
import jwt
from azure.core.exceptions import AzureError
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from amlite.arm_client import SCOPE, ArmError, OperationInterruptedError
from amlite.pulumi import plugin, sdk_types, values
from amlite.pulumi.azure_session import AzureSession, ConfigurationError
from amlite.pulumi.resource_types import TYPES, ResourceType, preview_outputs

_CREDENTIALS = {
    "azure-native:containerservice:listManagedClusterAdminCredentials": "listClusterAdminCredential",
    "azure-native:containerservice:listManagedClusterUserCredentials": "listClusterUserCredential",
}
"""The functions of the SDK that are actions of a managed cluster."""


def _resource_type(token: str) -> ResourceType:
    if token not in TYPES:
        raise sdk_types.UnknownTypeError(f"{token} is not in amlite's table (amlite/pulumi/resource_types.py)")
    return TYPES[token]


def _random_name(form: str, urn_name: str, seed: bytes) -> str:
    source = random.Random(seed)  # noqa: S311 -- a name, not a secret: the same seed gives the same one
    if form == "uuid":
        return str(uuid.UUID(int=source.getrandbits(128), version=4))
    suffix = f"{source.getrandbits(32):08x}"
    if form == "alphanumeric":
        return "".join(letter for letter in urn_name.lower() if letter.isalnum()) + suffix
    return urn_name + suffix


def _same_place(one: Any, other: Any) -> bool:
    return str(one).replace(" ", "").lower() == str(other).replace(" ", "").lower()


def _observed(given: Any, found: Any) -> Any:
    """Return the given inputs, with values that differ replaced by those found in Azure.

    Properties that were not given are Azure's defaults, not drift. Properties that Azure never returns stay as given.
    """
    if found is None:
        return given
    if isinstance(given, Mapping) and isinstance(found, Mapping):
        return {key: _observed(value, found.get(key)) for key, value in given.items()}
    if isinstance(given, list) and isinstance(found, list):
        if len(given) == len(found):
            return [_observed(one, other) for one, other in zip(given, found, strict=True)]
        return found
    if isinstance(given, str) and isinstance(found, str) and given.lower() == found.lower():
        return given
    return found


class AzureNative(plugin.Provider[AzureSession]):
    """Pulumi's resource provider protocol over ARM."""

    version = "3.29.0"

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        token, name = plugin.token_and_name(request.urn)
        try:
            resource, sdk = _resource_type(token), sdk_types.load(token)
            inputs, before = values.plain(request.news), values.plain(request.olds)
        except (sdk_types.UnknownTypeError, values.UnsupportedValueError) as error:
            plugin.fail(context, str(error))
        defaults: dict[str, Any] = {}
        if resource.name_input not in inputs:
            defaults[resource.name_input] = before.get(resource.name_input) or _random_name(
                resource.random_name, name, request.randomSeed
            )
        if "location" in sdk.inputs and "location" not in inputs:
            location = before.get("location") or self.session(context).setting("location")
            if location is None:
                reason = "missing: give the resource a location, or set azure-native:location in the stack's file"
                return provider_pb2.CheckResponse(
                    failures=[provider_pb2.CheckFailure(property="location", reason=f"{name}: {reason}")]
                )
            defaults["location"] = location
        found = [(failure.path, failure.reason) for failure in sdk_types.check(inputs | defaults, sdk.inputs)]
        if not found:
            found = [("", reason) for reason in resource.refusals(resource.body(inputs | defaults))]
        checked = provider_pb2.CheckResponse(inputs=request.news).inputs
        checked.MergeFrom(values.struct(defaults))
        failures = [provider_pb2.CheckFailure(property=path, reason=f"{name}: {reason}") for path, reason in found]
        return provider_pb2.CheckResponse(inputs=checked, failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        resource = TYPES[plugin.token_and_name(request.urn)[0]]
        old, new = values.plain(request.old_inputs), values.plain(request.news)
        if "location" in old and _same_place(old["location"], new.get("location")):
            old["location"] = new["location"]
        return plugin.diff_response(values.differences(old, new), resource.path_inputs)

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        session, token = self.session(context), plugin.token_and_name(request.urn)[0]
        resource, sdk = TYPES[token], sdk_types.load(token)
        inputs, secrets = values.plain(request.properties), values.secret_keys(request.properties)
        if request.preview or values.contains_unknown(inputs):
            before = {"name": inputs.get(resource.name_input), "azureApiVersion": sdk.api_version}
            return provider_pb2.CreateResponse(
                properties=values.struct(preview_outputs(inputs, sdk.outputs, before), secrets)
            )
        try:
            path = resource.arm_path(session.required("subscriptionId"), inputs)
        except ConfigurationError as error:
            plugin.fail(context, str(error))
        try:
            if session.arm.get(path, sdk.api_version) is not None:
                plugin.fail(
                    context,
                    f"cannot create already existing resource '{path}': import it (pulumi import {token} NAME {path}) "
                    "or delete it",
                )
            body = session.arm.put(path, sdk.api_version, resource.body(inputs), request.timeout or None)
        except (ArmError, OperationInterruptedError) as error:
            self._fail_create(context, request, path, str(error))
        return provider_pb2.CreateResponse(
            id=body.get("id", path), properties=values.struct(_outputs(resource, sdk, body), secrets)
        )

    def _fail_create(
        self, context: grpc.ServicerContext, request: provider_pb2.CreateRequest, path: str, reason: str
    ) -> NoReturn:
        """Fail. If ARM keeps the failed resource, pass it to the engine's state, so that an update can repair it."""
        token, _ = plugin.token_and_name(request.urn)
        resource, sdk = TYPES[token], sdk_types.load(token)
        try:
            left = self.session(context).arm.get(path, sdk.api_version)
        except ArmError:
            left = None
        if left is None:
            plugin.fail(context, reason)
        secrets = values.secret_keys(request.properties)
        plugin.fail(
            context,
            reason,
            provider_pb2.ErrorResourceInitFailed(
                id=left.get("id", path),
                properties=values.struct(_outputs(resource, sdk, left), secrets),
                inputs=request.properties,
                reasons=[reason],
            ),
        )

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        session, token = self.session(context), plugin.token_and_name(request.urn)[0]
        try:
            resource, sdk = _resource_type(token), sdk_types.load(token)
            identity = resource.path_values(request.id)
            if identity is None:
                plugin.fail(context, f"'{request.id}' is not an id of {token}; use the form {resource.path}")
            body = session.arm.get(request.id, sdk.api_version)
        except (ArmError, sdk_types.UnknownTypeError) as error:
            plugin.fail(context, str(error))
        if body is None:
            return provider_pb2.ReadResponse()
        found = resource.as_inputs(resource.flatten(body, sdk.inputs))
        given = values.plain(request.inputs)
        if given:
            inputs = {name: _observed(value, found.get(name)) for name, value in given.items()}
            # Only the user sets tags, so an added tag is drift.
            if "tags" in found and found["tags"] != given.get("tags", {}):
                inputs["tags"] = found["tags"]
            if "location" in given and _same_place(given["location"], inputs.get("location")):
                inputs["location"] = given["location"]
        else:
            inputs = identity | _writable(found, sdk.inputs)
        secrets = values.secret_keys(request.inputs)
        return provider_pb2.ReadResponse(
            id=body.get("id", request.id),
            properties=values.struct(_outputs(resource, sdk, body), secrets),
            inputs=values.struct(inputs, secrets),
        )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        session, token = self.session(context), plugin.token_and_name(request.urn)[0]
        resource, sdk = TYPES[token], sdk_types.load(token)
        inputs, secrets = values.plain(request.news), values.secret_keys(request.news)
        if request.preview or values.contains_unknown(inputs):
            expected = preview_outputs(inputs, sdk.outputs, values.plain(request.olds))
            return provider_pb2.UpdateResponse(properties=values.struct(expected, secrets))
        try:
            body = session.arm.put(request.id, sdk.api_version, resource.body(inputs), request.timeout or None)
        except (ArmError, OperationInterruptedError) as error:
            plugin.fail(context, str(error))
        return provider_pb2.UpdateResponse(properties=values.struct(_outputs(resource, sdk, body), secrets))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        session, token = self.session(context), plugin.token_and_name(request.urn)[0]
        try:
            session.arm.delete(request.id, sdk_types.load(token).api_version, request.timeout or None)
        except (ArmError, OperationInterruptedError) as error:
            plugin.fail(context, str(error))
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        session = self.session(context)
        secrets: frozenset[str] = frozenset()
        try:
            token = session.credential.get_token(SCOPE).token
            if request.tok == "azure-native:authorization:getClientToken":
                returned, secrets = {"token": token}, frozenset({"token"})
            elif request.tok == "azure-native:authorization:getClientConfig":
                # Only read. ARM checks the signature at each request.
                claims = jwt.decode(token, options={"verify_signature": False})
                returned = {
                    "clientId": claims.get("appid") or claims.get("azp", ""),
                    "objectId": claims.get("oid", ""),
                    "subscriptionId": session.required("subscriptionId"),
                    "tenantId": claims.get("tid") or session.required("tenantId"),
                }
            elif request.tok == "azure-native:resources:getResourceGroup":
                group = sdk_types.load("azure-native:resources:ResourceGroup")
                subscription = session.required("subscriptionId")
                name = values.plain(request.args)["resourceGroupName"]
                path = f"/subscriptions/{subscription}/resourceGroups/{name}"
                returned = session.arm.read(path, group.api_version) | {"azureApiVersion": group.api_version}
            elif request.tok in _CREDENTIALS:
                returned, secrets = _credentials(session, request), frozenset({"kubeconfigs"})
            else:
                plugin.fail(context, f"amlite does not serve {request.tok} (amlite/pulumi/azure_native.py)")
        except (AzureError, ArmError, ConfigurationError) as error:
            plugin.fail(context, str(error))
        return provider_pb2.InvokeResponse(**{"return": values.struct(returned, secrets)})


def _credentials(session: AzureSession, request: provider_pb2.InvokeRequest) -> dict[str, Any]:
    """Return the kubeconfigs of a managed cluster, as the action of ARM does."""
    cluster = "azure-native:containerservice:ManagedCluster"
    arguments = values.plain(request.args)
    path = TYPES[cluster].arm_path(session.required("subscriptionId"), arguments)
    return session.arm.post(f"{path}/{_CREDENTIALS[request.tok]}", sdk_types.load(cluster).api_version)


def _outputs(resource: ResourceType, sdk: sdk_types.SdkType, body: Mapping[str, Any]) -> dict[str, Any]:
    return resource.flatten(body, sdk.outputs) | {"azureApiVersion": sdk.api_version}


def _writable(found: Mapping[str, Any], known: Mapping[str, sdk_types.Field]) -> dict[str, Any]:
    """Return the properties of a response that can be inputs. The others are read-only."""
    return {name: sdk_types.keep_known(found[name], known[name].members) for name in found if name in known}


@click.command()
@click.option("--socket", required=True, type=click.Path(path_type=Path), help="The socket to listen on.")
def main(socket: Path) -> None:
    """Serve the azure-native provider until stopped."""
    plugin.serve(AzureNative(AzureSession), socket)


if __name__ == "__main__":
    main()
