from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from amlite.pulumi import plugin, values
from amlite.pulumi.docker import IMAGE, Docker
from amlite.pulumi.values import UNKNOWN

URN = f"urn:pulumi:local::program::{IMAGE}::image"
REGISTRY = {"server": "reg.azurecr.io", "username": "u", "password": "one"}


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "Dockerfile").write_text("FROM python:3.11\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMLITE_STATE", str(tmp_path / "state"))
    server = grpc.server(ThreadPoolExecutor(2))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Docker(plugin.Session), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    server.stop(None).wait()


def inputs(**changed: Any) -> dict[str, Any]:
    return {"imageName": "reg.azurecr.io/train:1", "build": {"context": "."}, "registry": REGISTRY} | changed


def check(stub: Any, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    answer = stub.Check(provider_pb2.CheckRequest(urn=URN, news=values.struct(given, frozenset({"registry"}))))
    return values.plain(answer.inputs), {failure.property: failure.reason for failure in answer.failures}


def changed_paths(stub: Any, old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    request = provider_pb2.DiffRequest(urn=URN, old_inputs=values.struct(old), news=values.struct(new))
    return set(stub.Diff(request).detailedDiff)


def test_check_adds_the_contexts_digest(stub: Any) -> None:
    checked, failures = check(stub, inputs())
    assert failures == {}
    digest = checked["build"].pop("contextDigest")
    assert checked["build"] == {"context": ".", "dockerfile": "./Dockerfile"}
    Path("new.txt").write_text("one more file")
    assert check(stub, inputs())[0]["build"]["contextDigest"] != digest


def test_check_refuses_what_the_sdk_does_not_type(stub: Any) -> None:
    given = inputs(build={"contex": "."}, skipPush="yes")
    del given["imageName"]
    assert check(stub, given)[1] == {
        "build.contex": "image: unknown property 'contex'; did you mean 'context'?",
        "imageName": "image: missing required property 'imageName'",
        "skipPush": "image: must be true or false, not 'yes'",
    }


def test_check_names_a_missing_context(stub: Any) -> None:
    failures = check(stub, inputs(build={"context": "nowhere"}))[1]
    assert "there is no folder" in failures["build"]


def test_other_credentials_are_no_change(stub: Any) -> None:
    old = inputs(build={"context": ".", "contextDigest": "a"})
    new = old | {"registry": REGISTRY | {"password": "two", "username": "v"}}
    assert changed_paths(stub, old, new) == set()
    assert changed_paths(stub, old, new | {"imageName": "reg.azurecr.io/train:2"}) == {"imageName"}
    assert changed_paths(stub, old, old | {"build": {"context": ".", "contextDigest": "b"}}) == {"build.contextDigest"}


def test_a_preview_does_not_know_the_digest(stub: Any) -> None:
    request = provider_pb2.CreateRequest(urn=URN, properties=values.struct(inputs(imageName=UNKNOWN)), preview=True)
    outputs = values.plain(stub.Create(request).properties)
    assert outputs["repoDigest"] is UNKNOWN
    assert outputs["imageName"] is UNKNOWN
    assert outputs["registryServer"] == "reg.azurecr.io"


def test_without_amlite_there_is_no_digest_but_an_error(stub: Any) -> None:
    with pytest.raises(grpc.RpcError, match="amlite is not running"):
        stub.Create(provider_pb2.CreateRequest(urn=URN, properties=values.struct(inputs())))


def test_no_password_is_in_the_outputs(stub: Any) -> None:
    request = provider_pb2.CreateRequest(urn=URN, properties=values.struct(inputs()), preview=True)
    assert "one" not in str(stub.Create(request).properties)
