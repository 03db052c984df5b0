"""The kubernetes provider of the local stack: serves the real pulumi_kubernetes SDK by server-side apply.

Like the vendor plugin, a preview asks the API server for a dry run, a claim is waited for until it is bound, and
changes that the API server would refuse replace the object. The plugin's other parts (Helm, YAML files, patches) are
refused.

Run with `python -m amlite.pulumi.kubernetes --socket PATH`.
"""
# ruff: noqa: N802, D102 -- the protocol's methods: gRPC names them, its documentation describes them

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from amlite.pulumi import plugin, values
from amlite.pulumi.kubernetes_session import ApiError, KubernetesSession
from amlite.pulumi.values import UNKNOWN

_TOKEN = re.compile(r"kubernetes:(?P<api>[a-z0-9.]+/v\w+):(?P<kind>\w+)")
_CONFIGURATION = frozenset({"kubeconfig", "context", "namespace", "enableServerSideApply", "version"})
# Source: forceNew in pulumi-kubernetes' provider/pkg/provider/diff.go.
_REPLACING: Mapping[str, tuple[str, ...]] = {
    "PersistentVolumeClaim": (*("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),),
    "Secret": ("type",),
    "StorageClass": ("parameters", "provisioner"),
}
_IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
_AUTONAMED = "pulumi.com/autonamed"
_SKIP_AWAIT = "pulumi.com/skipAwait"
_SECONDS = 300.0
_POLL_SECONDS = 0.5


class Kubernetes(plugin.Provider[KubernetesSession]):
    """Pulumi's resource provider protocol over a Kubernetes API server."""

    version = "4.34.2"

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"amlite's provider has no setting '{name}'")
            for name in sorted(values.plain(request.news).keys() - _CONFIGURATION)
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old, new = values.plain(request.old_inputs), values.plain(request.news)
        return plugin.diff_response(values.differences(old, new))

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        token, name = plugin.token_and_name(request.urn)
        if _TOKEN.fullmatch(token) is None or token.endswith("Patch"):
            plugin.fail(context, f"{token} is not served by amlite: of this provider it has objects of the API only")
        inputs, before = values.plain(request.news), values.plain(request.olds)
        metadata = inputs.get("metadata") or {}
        if metadata is UNKNOWN or "name" in metadata:
            return provider_pb2.CheckResponse(inputs=request.news)
        # A name that the provider chooses stays until the object is replaced.
        chosen = (before.get("metadata") or {}).get("name")
        suffix = f"{random.Random(request.randomSeed).getrandbits(32):08x}"  # noqa: S311 - a name, not a secret
        annotations = {**(metadata.get("annotations") or {}), _AUTONAMED: "true"}
        named = {**metadata, "name": chosen or f"{name}-{suffix}", "annotations": annotations}
        checked = provider_pb2.CheckResponse(inputs=request.news).inputs
        checked.MergeFrom(values.struct({"metadata": named}))
        return provider_pb2.CheckResponse(inputs=checked)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old, new = values.plain(request.old_inputs), values.plain(request.news)
        found = values.differences(old, new)
        paths = (*_IDENTITY, *_REPLACING.get(str(new.get("kind")), ()))
        replacing = [path for path in found if any(path == each or path.startswith(f"{each}.") for each in paths)]
        replacing += [path for path in found if any(path.startswith(f"{each}[") for each in paths)]
        return plugin.diff_response(found, replacing)

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        inputs, secrets = values.plain(request.properties), values.secret_keys(request.properties)
        outputs = self._apply(context, request.urn, inputs, request.timeout, preview=request.preview)
        identity = "" if request.preview else _id(inputs)
        return provider_pb2.CreateResponse(id=identity, properties=values.struct(outputs, secrets))

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        inputs, secrets = values.plain(request.news), values.secret_keys(request.news)
        outputs = self._apply(context, request.urn, inputs, request.timeout, preview=request.preview)
        return provider_pb2.UpdateResponse(properties=values.struct(outputs, secrets))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        token, _ = plugin.token_and_name(request.urn)
        inputs, secrets = values.plain(request.inputs), values.secret_keys(request.inputs)
        if not inputs:
            found = _TOKEN.fullmatch(token)
            if found is None:
                plugin.fail(context, f"{token} is not an object of the API")
            namespace, _, name = request.id.rpartition("/")
            api = found["api"].removeprefix("core/")
            inputs = {"apiVersion": api, "kind": found["kind"], "metadata": {"name": name, "namespace": namespace}}
            inputs["metadata"] = {key: value for key, value in inputs["metadata"].items() if value}
        try:
            body = self.session(context).cluster.get(inputs)
        except ApiError as error:
            plugin.fail(context, str(error))
        if body is None:
            return provider_pb2.ReadResponse()
        observed = _observed(inputs, body)
        return provider_pb2.ReadResponse(
            id=request.id, properties=values.struct(body, secrets), inputs=values.struct(observed, secrets)
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        body = values.plain(request.properties)
        session = self.session(context)
        deadline = time.monotonic() + (request.timeout or _SECONDS)
        try:
            session.cluster.delete(body)
            while session.cluster.get(body) is not None:
                if time.monotonic() > deadline or session.cancelled.wait(_POLL_SECONDS):
                    plugin.fail(context, f"{body['kind']} {_id(body)} is not deleted yet")
        except ApiError as error:
            plugin.fail(context, str(error))
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        plugin.fail(context, f"{request.tok} is not served by amlite (amlite/pulumi/kubernetes.py)")

    def _apply(
        self, context: grpc.ServicerContext, urn: str, inputs: Mapping[str, Any], timeout: float, *, preview: bool
    ) -> dict[str, Any]:
        if values.contains_unknown(inputs):
            return _with_unknown(inputs)
        session = self.session(context)
        try:
            body = session.cluster.apply(inputs, dry=preview)
            if body is None:
                # The namespace is created in the same update, so that the server cannot say more in a preview.
                return _with_unknown(inputs)
            if preview:
                return _with_unknown(body)
            return self._wait(context, session, urn, body, timeout or _SECONDS)
        except ApiError as error:
            plugin.fail(context, str(error))

    def _wait(
        self, context: grpc.ServicerContext, session: KubernetesSession, urn: str, body: dict[str, Any], seconds: float
    ) -> dict[str, Any]:
        """Wait until a claim is bound. A claim whose storage class waits for a pod is bound later."""
        annotations = body["metadata"].get("annotations") or {}
        if body["kind"] != "PersistentVolumeClaim" or annotations.get(_SKIP_AWAIT) == "true":
            return body
        deadline = time.monotonic() + seconds
        while (body.get("status") or {}).get("phase") != "Bound" and not session.cluster.waits_for_pod(body):
            session.log("waiting until the claim is bound", urn, passing=True)
            if time.monotonic() > deadline or session.cancelled.wait(_POLL_SECONDS):
                name = body["spec"].get("storageClassName")
                plugin.fail(context, f"PersistentVolumeClaim {_id(body)} is not bound; its storage class is '{name}'")
            body = session.cluster.get(body) or body
        return body


def _id(body: Mapping[str, Any]) -> str:
    metadata = body["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def _with_unknown(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object in a preview: what the server sets later is unknown."""
    metadata = body.get("metadata")
    known = dict(metadata) if isinstance(metadata, Mapping) else {}
    for name in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        known[name] = UNKNOWN
    return {**body, "metadata": known, "status": UNKNOWN}


def _observed(given: Any, found: Any) -> Any:
    """Return the inputs with the values that the cluster has, without what the user did not give."""
    if isinstance(given, Mapping) and isinstance(found, Mapping):
        return {key: _observed(value, found[key]) for key, value in given.items() if key in found}
    return found


@click.command()
@click.option("--socket", required=True, type=click.Path(path_type=Path), help="The socket to listen on.")
def main(socket: Path) -> None:
    """Serve the kubernetes provider until stopped."""
    plugin.serve(Kubernetes(KubernetesSession), socket)


if __name__ == "__main__":
    main()
