"""The state runs no program of others: each provider in it is a class of this checkout."""

from __future__ import annotations

import base64
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import dynamic

from pulumi_azureml.provider import AzureMLProvider
from release.errors import ReleaseError
from release.stack import PulumiStack
from release.state_providers import foreign
from tests.unit.release.stacks import FakeStack, diagnostic

ROOT = Path(__file__).parents[3]
STATES = ROOT / "packages/pulumi-azureml/tests/engine/states"
URN = "urn:pulumi:dev::platform::pulumi-python:dynamic/azureml:DataAsset::data-holidays"
SECRET = "4dabf18193072939515e22adb298388d"


class Command:
    """Runs a command when it is loaded."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._calls = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._calls


def resource(provider: object) -> dict[str, Any]:
    return {"urn": URN, "inputs": {"__provider": provider}, "outputs": {}}


def pickled(value: object) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def named(module: str, name: str) -> str:
    """Return the pickle of an instance of a class that need not exist here."""
    text = f"c{module}\n{name}\n)\x81}}b."
    return base64.b64encode(b"\x80\x02" + text.encode("latin-1")).decode()


@pytest.mark.parametrize("state", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)
def test_the_states_of_all_versions_are_ours(state: Path) -> None:
    deployment = json.loads(state.read_text())
    deployment = deployment.get("deployment", deployment)
    assert sum("__provider" in (each.get("inputs") or {}) for each in deployment["resources"]) > 5
    assert foreign(deployment, ROOT, {}) == []


def test_a_provider_of_the_program_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "things.py").write_text(
        "from pulumi import dynamic\n\nclass ThingProvider(dynamic.ResourceProvider): ...\n\nclass Other: ...\n"
    )
    assert foreign({"resources": [resource(named("parts.things", "ThingProvider"))]}, tmp_path, {}) == []
    (tmp_path / "parts" / "more").mkdir()
    (tmp_path / "parts" / "more" / "__init__.py").write_text("class MoreProvider(ThingProvider): ...\n")
    assert foreign({"resources": [resource(named("parts.more", "MoreProvider"))]}, tmp_path, {}) == []
    kept = {SECRET: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(named("parts.things", "ThingProvider"))}
    assert foreign({"resources": [resource(kept)]}, tmp_path, {}) == []
    assert foreign({"resources": [resource(named("parts.things", "Other"))]}, tmp_path, {}) == [URN]
    assert foreign({"resources": [resource(named("parts.gone", "ThingProvider"))]}, tmp_path, {}) == [URN]


def test_a_provider_of_an_installed_package_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "__file__", str(tmp_path / "pulumi" / "__init__.py"))
    (tmp_path / "contoso").mkdir()
    (tmp_path / "contoso" / "things.py").write_text(
        "import pulumi\n\nclass Thing(pulumi.dynamic.ResourceProvider): ...\n\nclass Other(LockProvider): ...\n"
    )
    assert foreign({"resources": [resource(named("contoso.things", "Thing"))]}, tmp_path / "program", {}) == []
    assert foreign({"resources": [resource(named("contoso.things", "Other"))]}, tmp_path / "program", {}) == [URN]


@pytest.mark.attack
@pytest.mark.parametrize(
    "provider",
    [
        pickled(Command(os.system, "touch harmed")),
        pickled([AzureMLProvider("data"), Command(eval, "open('harmed', 'w')")]),
        pickled(Command(getattr, dynamic.ResourceProvider, "__init__")),
        named("bootstrap.processes", "run"),
        named("..release.stack", "PulumiStack"),
        {
            SECRET: "1b47061264138c4ac30d75fd1eb44270",
            "plaintext": json.dumps(pickled(Command(os.system, "touch harmed"))),
        },
        {SECRET: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"},
        "not a pickle",
        "",
        base64.b64encode(b"\x80\x04.").decode(),
        7,
    ],
)
def test_a_program_in_the_state_is_refused_and_not_run(
    provider: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert foreign({"resources": [resource(provider)]}, ROOT, {}) == [URN]
    pending = {
        "pending_operations": [{"resource": {"urn": URN, "outputs": {"__provider": provider}}, "type": "deleting"}]
    }
    assert foreign(pending, ROOT, {}) == [URN]
    assert not (tmp_path / "harmed").exists()


@pytest.mark.attack
@pytest.mark.parametrize("command", ["preview", "up", "refresh", "destroy"])
def test_no_command_runs_the_engine_on_such_a_state(fake: FakeStack, command: str) -> None:
    fake.resources = [resource(pickled(Command(os.system, "true")))]
    fake.events = [diagnostic("info", "the engine ran")]
    told: list[object] = []
    vars(fake).update(refresh=told.append, destroy=told.append)
    arguments: list[Any] = [[URN], told.append] if command == "refresh" else [told.append]
    with pytest.raises(ReleaseError, match="has a provider for data-holidays that is not of this checkout"):
        getattr(PulumiStack("local"), command)(*arguments)
    assert told == []


def plugin(package: str, **inputs: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::platform::pulumi:providers:{package}::default"
    return {"urn": urn, "type": f"pulumi:providers:{package}", "inputs": inputs, "outputs": inputs}


def kubeconfig(**user: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Config", "users": [{"name": "me", "user": user}]})


def test_the_plugins_of_installed_packages_are_known() -> None:
    resources = [plugin("azure-native", version="3.29.0", __internal={}), plugin("docker"), plugin("pulumi")]
    assert foreign({"resources": resources}, ROOT, {}) == []
    kept = {SECRET: "1b4", "plaintext": json.dumps(kubeconfig(token="t"))}
    clusters = [kubeconfig(exec={"command": "kubelogin", "args": ["get-token"]}), "~/.kube/config", kept]
    assert foreign({"resources": [plugin("kubernetes", kubeconfig=each) for each in clusters]}, ROOT, {}) == []
    configured = plugin("azure-native", metadataHost="management.contoso.com")
    known = {"azure-native:metadataHost": "management.contoso.com"}
    assert foreign({"resources": [configured]}, ROOT, known) == []


@pytest.mark.attack
@pytest.mark.parametrize(
    "hostile",
    [
        # A resource of it runs its command when an update deletes the resource.
        plugin("command"),
        plugin("azure-native", pluginDownloadURL="https://example.org/evil"),
        plugin("azure-native", __internal={"pluginDownloadURL": "https://example.org/evil"}),
        plugin("pulumi-python", pluginDownloadURL="https://example.org/evil"),
        plugin("azure-native", metadataHost="example.org"),
        plugin("azure-native", oidcRequestUrl="https://example.org"),
        plugin("docker", host="ssh://-oProxyCommand=evil"),
        plugin("kubernetes", kubeconfig=kubeconfig(exec={"command": "/bin/sh", "args": ["-c", "evil"]})),
        plugin("kubernetes", kubeconfig={SECRET: "1b4", "plaintext": json.dumps(kubeconfig(exec={"command": "sh"}))}),
        plugin("kubernetes", kubeconfig=kubeconfig(**{"auth-provider": {"config": {"cmd-path": "/bin/sh"}}})),
        plugin("kubernetes", kubeconfig={SECRET: "1b4", "ciphertext": "v1:abc"}),
        plugin("kubernetes", kubeconfig="users: [1"),
    ],
)
def test_a_plugin_of_others_is_refused(hostile: dict[str, Any]) -> None:
    assert foreign({"resources": [plugin("docker"), hostile]}, ROOT, {}) == [hostile["urn"]]
