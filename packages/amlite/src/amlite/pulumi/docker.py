"""The docker provider of the local stack: builds and pushes pulumi_docker's Image.

As with the vendor plugin, a changed file in the build context is a changed input (`build.contextDigest`), new
registry credentials are not a change, and deleting the resource does not delete the image.

Run with `python -m amlite.pulumi.docker --socket PATH`.
"""
# ruff: noqa: N802, D102 -- the protocol's methods: gRPC names them, its documentation describes them

from __future__ import annotations

import json
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import grpc
import pulumi_docker
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from amlite.control.client import ask
from amlite.core import built_images, runtime
from amlite.core.docker_build import Builder, BuildError, Plan, Say, split_tag, substitute_used
from amlite.pulumi import plugin, sdk_types, values
from amlite.pulumi.values import UNKNOWN
from amlite.services.containerregistry import loopback
from amlite.tools import base_image

IMAGE = "docker:index/image:Image"
_CREDENTIALS = frozenset({"registry.username", "registry.password"})


class Docker(plugin.Provider[plugin.Session]):
    """Pulumi's resource provider protocol over a Docker engine."""

    version = "5.2.0"

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        token, name = plugin.token_and_name(request.urn)
        if token != IMAGE:
            plugin.fail(context, f"{token} is not served by amlite: of the docker provider it has only {IMAGE}")
        inputs = values.plain(request.news)
        known = sdk_types.fields(pulumi_docker.ImageArgs)
        failures = [
            provider_pb2.CheckFailure(property=failure.path, reason=f"{name}: {failure.reason}")
            for failure in sdk_types.check(inputs, known)
        ]
        checked = provider_pb2.CheckResponse(inputs=request.news).inputs
        if not failures and not values.contains_unknown(inputs.get("build")):
            build = dict(inputs.get("build") or {})
            try:
                plan = Plan.of(build, self.session(context).project())
            except BuildError as error:
                return provider_pb2.CheckResponse(
                    failures=[provider_pb2.CheckFailure(property="build", reason=f"{name}: {error}")]
                )
            build.setdefault("context", ".")
            build.setdefault("dockerfile", f"{build['context']}/Dockerfile")
            build["contextDigest"] = plan.digest()
            secrets = values.secret_keys(request.news) & {"build"}
            checked.MergeFrom(values.struct({"build": build}, secrets))
        return provider_pb2.CheckResponse(inputs=checked, failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        found = values.differences(values.plain(request.old_inputs), values.plain(request.news))
        return plugin.diff_response({path: kind for path, kind in found.items() if path not in _CREDENTIALS})

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        inputs = values.plain(request.properties)
        outputs = self._make(context, request.urn, inputs, preview=request.preview)
        image_id = "" if request.preview else str(inputs["imageName"])
        return provider_pb2.CreateResponse(id=image_id, properties=values.struct(outputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        outputs = self._make(context, request.urn, values.plain(request.news), preview=request.preview)
        return provider_pb2.UpdateResponse(properties=values.struct(outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        # Like the vendor plugin: a pushed image is immutable, and its digest is already in the state.
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def _make(
        self, context: grpc.ServicerContext, urn: str, inputs: Mapping[str, Any], *, preview: bool
    ) -> dict[str, Any]:
        """Build and push the image. Values that a preview does not know are `UNKNOWN`."""
        build = inputs.get("build")
        build = build if isinstance(build, Mapping) else {}
        name = inputs["imageName"]
        outputs = {
            "baseImageName": name,
            "imageName": name,
            "context": build.get("context", UNKNOWN),
            "dockerfile": build.get("dockerfile", UNKNOWN),
            "registryServer": (inputs.get("registry") or {}).get("server", "docker.io"),
            "repoDigest": UNKNOWN,
        }
        if "platform" in build:
            outputs["platform"] = build["platform"]
        if preview or values.contains_unknown(inputs):
            return outputs
        session = self.session(context)

        def say(line: str) -> None:
            if session.cancelled.is_set():
                raise BuildError("cancelled")
            session.log(line, urn, passing=True)

        try:
            plan = Plan.of(build, session.project())
            outputs["repoDigest"] = _build_and_push(
                inputs, plan, say, lambda line: session.log(line, urn, warning=True)
            )
        except BuildError as error:
            plugin.fail(context, str(error))
        return outputs


def _build_and_push(inputs: Mapping[str, Any], plan: Plan, say: Say, warn: Say) -> str:
    """Return `repository@sha256:...` of the pushed image, or the image's id if it is not pushed."""
    name = str(inputs["imageName"])
    amlite = _ask("/docker")
    with Builder(amlite["host"], substitute=_substitute, host_network=amlite["private"]) as builder:
        if inputs.get("skipPush"):
            return builder.build(plan, name, say, warn)
        registry = inputs.get("registry") or {}
        credentials = (registry.get("username", ""), registry["password"]) if registry.get("password") else None
        address = loopback.reference(name, amlite["registryPort"])
        here = built_images.Repository(split_tag(address)[0], credentials) if credentials and address != name else None
        image = built_images.find(_key(plan))
        if here and image and here.publish(image, split_tag(name)[1]) and builder.take(name, image, here):
            say("it was built before, from the same files")
            digest, substituted = image.digest, image.substituted
            if substituted:
                warn(substitute_used(substituted))
        else:
            builder.build(plan, name, say, warn)
            digest, substituted = builder.push(name, address, credentials, say), builder.substituted(name)
            if here and (manifest := here.manifest(digest)):
                built_images.remember(_key(plan), built_images.BuiltImage(manifest, substituted))
    reference = f"{split_tag(name)[0]}@{digest}"
    _ask("/docker/images", {"name": name, "reference": reference, "substituteFor": substituted})
    return reference


def _key(plan: Plan) -> str:
    """Return the key of a build. The name of the substitute's archive is a hash of what is in it."""
    archive = base_image.find()
    return plan.key(Path(archive).name if archive else "")


def _substitute() -> Path:
    return Path(_ask("/docker/base-image")["path"])


def _ask(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a request to the running amlite."""
    running = runtime.read(runtime.state_folder())
    if running is None:
        raise BuildError("amlite is not running; start it with: amlite start")
    try:
        return ask(running, "POST", path, body)
    except urllib.error.HTTPError as error:
        told = json.load(error)["error"]
        raise BuildError(told["message"]) from error
    except urllib.error.URLError as error:
        raise BuildError(f"amlite does not answer: {error.reason}") from error


@click.command()
@click.option("--socket", required=True, type=click.Path(path_type=Path), help="The socket to listen on.")
def main(socket: Path) -> None:
    """Serve the docker provider until stopped."""
    plugin.serve(Docker(plugin.Session), socket)


if __name__ == "__main__":
    main()
