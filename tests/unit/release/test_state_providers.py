"""The state runs no program of others: each provider in it is a class of this checkout."""

from __future__ import annotations

import base64
import json
import os
import pickle
import time
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


@pytest.mark.attack
def test_a_program_that_somebody_writes_later_is_refused(fake: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours can be between two runs of the engine in one command, as in a release that trains."""
    stack = PulumiStack("local")
    stack.up(print)
    stack.resources()
    fake.resources = [resource(pickled(Command(os.system, "true")))]
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    with pytest.raises(ReleaseError, match="has a provider for data-holidays that is not of this checkout"):
        stack.up(print)
    assert len(fake.messages) == 1


def plugin(package: str, **inputs: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::platform::pulumi:providers:{package}::default"
    return {"urn": urn, "type": f"pulumi:providers:{package}", "inputs": inputs, "outputs": inputs}


AKS = "https://flights-1a2b.hcp.westeurope.azmk8s.io:443"


def kubeconfig(server: str = AKS, cluster: dict[str, Any] | None = None, **user: Any) -> str:
    clusters = [{"name": "flights", "cluster": {"server": server, **(cluster or {})}}]
    users = [{"name": "me", "user": user}]
    return json.dumps({"apiVersion": "v1", "kind": "Config", "clusters": clusters, "users": users})


def signs_in(*args: str, **more: Any) -> dict[str, Any]:
    return {"command": "kubelogin", "args": ["get-token", *args], **more}


def typed(kind: str, **inputs: Any) -> dict[str, Any]:
    """Return a provider whose URN has another type than its type."""
    return {**plugin("docker", **inputs), "urn": f"urn:pulumi:dev::platform::pulumi:providers:{kind}::default"}


def test_the_plugins_of_installed_packages_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    resources = [plugin("azure-native", version="3.29.0", __internal={}), plugin("docker"), plugin("pulumi")]
    assert foreign({"resources": resources}, ROOT, {}) == []
    kept = {SECRET: "1b4", "plaintext": json.dumps(kubeconfig(token="t"))}
    converted = ("--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630")
    clusters = [kubeconfig(exec=signs_in(*converted)), "~/.kube/config", kept]
    clusters.append(kubeconfig("https://127.0.0.1:6443", **{"client-certificate": "me.crt", "client-key": "me.key"}))
    assert foreign({"resources": [plugin("kubernetes", kubeconfig=each) for each in clusters]}, ROOT, {}) == []
    hosts = [plugin("github", baseUrl="https://api.github.com/"), plugin("github", baseUrl="https://ghe.contoso.com/")]
    hosts.append(plugin("azuredevops", orgServiceUrl="https://dev.azure.com/contoso"))
    monkeypatch.setenv("GITHUB_BASE_URL", "https://ghe.contoso.com/")
    assert foreign({"resources": hosts}, ROOT, {}) == []
    configured = plugin("azure-native", metadataHost="management.contoso.com")
    known = {"azure-native:metadataHost": "management.contoso.com", "kubernetes:kubeconfig": "cluster.yaml"}
    assert foreign({"resources": [configured, plugin("kubernetes", kubeconfig="cluster.yaml")]}, ROOT, known) == []


def test_the_plugin_of_an_installed_package_with_parameters_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi, "__file__", str(tmp_path / "pulumi" / "__init__.py"))
    (tmp_path / "contoso").mkdir()
    parameter = {"name": "contoso", "version": "1.0.0", "value": "eyJ4IjoxfQ=="}
    described = {"name": "terraform-provider", "version": "0.9.0", "parameterization": parameter}
    (tmp_path / "contoso" / "pulumi-plugin.json").write_text(json.dumps(described))
    internal = {"name": "terraform-provider", "version": "0.9.0", "parameterization": "eyJ4IjoxfQ=="}
    kept = plugin("contoso", version="1.0.0", __internal=internal)
    assert foreign({"resources": [kept]}, ROOT, {}) == []
    other = plugin("contoso", __internal={**internal, "parameterization": "eyJ4IjoyfQ=="})
    assert foreign({"resources": [other]}, ROOT, {}) == [other["urn"]]


@pytest.mark.attack
@pytest.mark.parametrize(
    "hostile",
    [
        # A resource of it runs its command when an update deletes the resource.
        plugin("command"),
        plugin("azure-native", pluginDownloadURL="https://example.org/evil"),
        plugin("azure-native", __internal={"pluginDownloadURL": "https://example.org/evil"}),
        plugin("pulumi-python", pluginDownloadURL="https://example.org/evil"),
        # The engine starts the plugin that is named there, with these parameters and variables.
        plugin("docker", __internal={"name": "command"}),
        plugin("docker", name="command"),
        plugin("pulumi-python", __internal={"name": "command"}),
        plugin("docker", __internal={"name": "docker", "parameterization": "eyJyZW1vdGUiOnt9fQ=="}),
        plugin("docker", __internal={"envVarMappings": {"MINE": "LD_PRELOAD"}}),
        plugin("docker", __internal="command"),
        # It loads the plugin of the type in the URN.
        typed("command"),
        {**typed("docker"), "type": "azure-native:resources:ResourceGroup"},
        {**plugin("docker"), "urn": "urn:pulumi:dev::platform"},
        plugin("azure-native", metadataHost="example.org"),
        plugin("azure-native", oidcRequestUrl="https://example.org"),
        plugin("github", baseUrl="https://example.org/"),
        plugin("github", baseUrl="https://api.github.com.example.org/"),
        plugin("azuredevops", orgServiceUrl="https://example.org/contoso"),
        plugin("azuredevops", oidcRequestUrl="https://example.org/"),
        plugin("docker", host="ssh://-oProxyCommand=evil"),
        plugin("kubernetes", kubeconfig=kubeconfig(exec={"command": "/bin/sh", "args": ["-c", "evil"]})),
        plugin("kubernetes", kubeconfig={SECRET: "1b4", "plaintext": json.dumps(kubeconfig(exec={"command": "sh"}))}),
        plugin("kubernetes", kubeconfig=kubeconfig(**{"auth-provider": {"config": {"cmd-path": "/bin/sh"}}})),
        plugin("kubernetes", kubeconfig={SECRET: "1b4", "ciphertext": "v1:abc"}),
        plugin("kubernetes", kubeconfig="users: [1"),
        plugin("kubernetes", kubeconfig="ml/train/kubeconfig"),
        plugin("kubernetes", kubeconfig=kubeconfig(tokenFile="/home/me/.azure/tokens.json")),
        plugin("kubernetes", kubeconfig=kubeconfig("https://example.org", exec=signs_in())),
        plugin("kubernetes", kubeconfig=kubeconfig("https://x.azmk8s.io@example.org", exec=signs_in())),
        plugin("kubernetes", kubeconfig=kubeconfig(AKS.replace("https", "http"), exec=signs_in())),
        plugin("kubernetes", kubeconfig=kubeconfig(cluster={"proxy-url": "http://example.org"}, exec=signs_in())),
        plugin("kubernetes", kubeconfig=kubeconfig(cluster={"insecure-skip-tls-verify": True}, exec=signs_in())),
        plugin("kubernetes", kubeconfig=kubeconfig(exec=signs_in("--authority-host", "https://example.org"))),
        plugin("kubernetes", kubeconfig=kubeconfig(exec=signs_in("--authority-host=https://example.org"))),
        plugin("kubernetes", kubeconfig=kubeconfig(exec=signs_in("--server-id", "https://management.azure.com"))),
        plugin("kubernetes", kubeconfig=kubeconfig(exec=signs_in(env=[{"name": "AZURE_AUTHORITY_HOST"}]))),
    ],
)
def test_a_plugin_of_others_is_refused(hostile: dict[str, Any]) -> None:
    assert foreign({"resources": [plugin("docker"), hostile]}, ROOT, {}) == [hostile["urn"]]
