"""A registry as its clients see it: sign-in as at Azure, roles that count, and the loopback way in for Docker."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from amlite import TENANT_ID
from amlite.control.client import ask
from amlite.core import runtime
from amlite.services.containerregistry.tokens import NO_USER
from amlite.testing import LocalAzure
from amlite.tools import docker_engine

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ARM_SCOPE = "https://management.azure.com/.default"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def registry(amlite: Any) -> Iterator[tuple[str, str]]:
    """A registry's name and ARM id."""
    name = f"acr{uuid.uuid4().hex[:12]}"
    group = amlite.arm("GET", f"/subscriptions/{_subscription()}/resourceGroups", version="2021-04-01").json()
    arm_id = f"{group['value'][0]['id']}/providers/Microsoft.ContainerRegistry/registries/{name}"
    body = amlite.put(arm_id, {"location": "westeurope", "sku": {"name": "basic"}}, "2023-07-01")
    assert body["properties"]["loginServer"] == f"{name}.azurecr.io"
    assert body["sku"] == {"name": "Basic", "tier": "Basic"}
    yield name, arm_id
    amlite.remove(arm_id, "2023-07-01")


def _subscription() -> str:
    from amlite import SUBSCRIPTION_ID

    return SUBSCRIPTION_ID


def refresh_token(name: str, credential: TokenCredential) -> requests.Response:
    form = {
        "grant_type": "access_token",
        "service": f"{name}.azurecr.io",
        "tenant": TENANT_ID,
        "access_token": credential.get_token(ARM_SCOPE).token,
    }
    return requests.post(f"https://{name}.azurecr.io/oauth2/exchange", data=form, timeout=30)


def headers(name: str, credential: TokenCredential, scope: str) -> dict[str, str]:
    shown = refresh_token(name, credential).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "service": f"{name}.azurecr.io", "scope": scope, "refresh_token": shown}
    answer = requests.post(f"https://{name}.azurecr.io/oauth2/token", data=form, timeout=30)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def push(base: str, repository: str, signed: dict[str, str], tag: str = "1") -> requests.Response:
    """Push an image without layers: its configuration, then its manifest."""
    configuration = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
    digest = f"sha256:{hashlib.sha256(configuration.encode()).hexdigest()}"
    begun = requests.post(f"{base}/v2/{repository}/blobs/uploads/", headers=signed, timeout=30)
    if begun.status_code != 202:
        return begun
    location = begun.headers["Location"]
    assert f"/v2/{repository}/blobs/uploads/" in location
    target = location if location.startswith("http") else base + location
    stored = requests.put(f"{target}&digest={digest}", data=configuration, headers=signed, timeout=30)
    assert stored.status_code == 201, stored.text
    size = len(configuration)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []})
    where = f"{base}/v2/{repository}/manifests/{tag}"
    return requests.put(where, data=manifest, headers=signed | {"Content-Type": MANIFEST}, timeout=30)


def test_without_a_token_the_registry_says_where_to_get_one(registry: tuple[str, str]) -> None:
    server = f"{registry[0]}.azurecr.io"
    answer = requests.get(f"https://{server}/v2/", timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="https://{server}/oauth2/token",service="{server}"'


def test_an_expired_token_is_refused_with_the_place_for_another_one(amlite: Any, registry: tuple[str, str]) -> None:
    """A client of the distribution protocol signs in again by this header only."""
    name, server = registry[0], f"{registry[0]}.azurecr.io"
    signed = headers(name, amlite.credential, "repository:team/train:pull")
    amlite.command("fault", "add", "--match", f"GET {server}/v2/*", "--kind", "expired")
    answer = requests.get(f"https://{server}/v2/team/train/tags/list", headers=signed, timeout=30)
    scope = 'scope="repository:team/train:pull"'
    expected = f'Bearer realm="https://{server}/oauth2/token",service="{server}",{scope}'
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, expected)


def test_a_pushed_image_is_there_under_its_digest_and_on_both_ways_in(amlite: Any, registry: tuple[str, str]) -> None:
    name, _ = registry
    base = f"https://{name}.azurecr.io"
    signed = headers(name, amlite.credential, "repository:team/train:pull,push")
    pushed = push(base, "team/train", signed)
    assert pushed.status_code == 201, pushed.text
    digest = pushed.headers["Docker-Content-Digest"]
    by_tag = requests.get(f"{base}/v2/team/train/manifests/1", headers=signed | {"Accept": MANIFEST}, timeout=30)
    assert f"sha256:{hashlib.sha256(by_tag.content).hexdigest()}" == digest
    refused = requests.get(f"{base}/v2/_catalog", headers=signed, timeout=30)
    assert (refused.status_code, 'scope="registry:catalog:*"' in refused.headers["WWW-Authenticate"]) == (401, True)
    catalog = headers(name, amlite.credential, "registry:catalog:*")
    assert (
        requests.get(f"{base}/v2/_catalog", headers=catalog, timeout=30).json()["repositories"].count("team/train") == 1
    )
    assert requests.get(f"{base}/v2/team/train/tags/list", headers=signed, timeout=30).json()["tags"] == ["1"]


def test_a_token_is_for_its_scope_alone(amlite: Any, registry: tuple[str, str]) -> None:
    name, _ = registry
    base = f"https://{name}.azurecr.io"
    signed = headers(name, amlite.credential, "repository:mine:pull")
    assert push(base, "mine", signed).status_code == 401
    other = headers(name, amlite.credential, "repository:mine:pull,push")
    assert push(base, "theirs", other).status_code == 401


def test_tags_are_listed_in_pages_and_shown_as_azures_own_api_does(amlite: Any, registry: tuple[str, str]) -> None:
    """specification/containerregistry/data-plane, 2021-07-01: AcrTag_GetList and AcrTag_GetAttributes."""
    name, _ = registry
    signed = headers(name, amlite.credential, "repository:team/paged:pull,push")
    digests = [
        push(f"https://{name}.azurecr.io", "team/paged", signed, tag).headers["Docker-Content-Digest"] for tag in "ab"
    ]
    base = f"https://{name}.azurecr.io/acr/v1/team/paged/_tags"
    reads = headers(name, amlite.credential, "repository:team/paged:metadata_read")
    first = requests.get(f"{base}?n=1", headers=reads, timeout=30)
    assert first.headers["Link"].startswith("</acr/v1/team/paged/_tags?last=a&n=1")
    second = requests.get(f"{base}?n=1&last=a", headers=reads, timeout=30)
    assert "Link" not in second.headers
    body = first.json()
    assert (body["registry"], body["imageName"]) == (f"{name}.azurecr.io", "team/paged")
    assert [(each["name"], each["digest"]) for each in body["tags"] + second.json()["tags"]] == [
        ("a", digests[0]),
        ("b", digests[1]),
    ]
    newest = requests.get(f"{base}?orderby=timedesc", headers=reads, timeout=30).json()["tags"]
    assert [each["name"] for each in newest] == ["b", "a"]
    shown = requests.get(f"{base}/b", headers=reads, timeout=30).json()["tag"]
    assert shown["digest"] == digests[1]
    assert shown["changeableAttributes"]["deleteEnabled"]
    assert requests.get(f"{base}/c", headers=reads, timeout=30).status_code == 404


def test_azures_own_api_needs_a_token_for_the_repository_and_refuses_what_is_not_served(
    amlite: Any, registry: tuple[str, str]
) -> None:
    name, _ = registry
    base = f"https://{name}.azurecr.io/acr/v1"
    other = headers(name, amlite.credential, "repository:team/other:metadata_read")
    for given in ({}, other):
        assert requests.get(f"{base}/team/tagged/_tags", headers=given, timeout=30).status_code == 401
    own = headers(name, amlite.credential, "repository:team/tagged:pull,push")
    assert push(f"https://{name}.azurecr.io", "team/tagged", own).status_code == 201
    refused = requests.delete(f"{base}/team/tagged/_tags/a", headers=own, timeout=30)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (405, "UNSUPPORTED")
    assert requests.get(f"{base}/team/tagged/_tags?n=x", headers=own, timeout=30).status_code == 400


@pytest.mark.parametrize(
    ("role", "pulls", "pushes"),
    [("AcrPull", 200, 401), ("AcrPush", 200, 201), ("Reader", 200, 401), ("Storage Blob Data Reader", 401, 401)],
)
def test_roles_decide_who_pulls_and_who_pushes(
    amlite: Any, registry: tuple[str, str], role: str, pulls: int, pushes: int
) -> None:
    name, arm_id = registry
    base = f"https://{name}.azurecr.io"
    owner = headers(name, amlite.credential, "repository:shared:pull,push")
    assert push(base, "shared", owner).status_code == 201
    signed = headers(name, amlite.application((role, arm_id)), "repository:shared:pull,push")
    assert push(base, "shared", signed, tag=role.lower().replace(" ", "-")).status_code == pushes
    pulled = requests.get(f"{base}/v2/shared/manifests/1", headers=signed | {"Accept": MANIFEST}, timeout=30)
    assert pulled.status_code == pulls


def test_a_refresh_token_of_another_registry_is_refused(amlite: Any, registry: tuple[str, str]) -> None:
    name, arm_id = registry
    other_id = arm_id.replace(name, f"other{name}")
    amlite.put(other_id, {"location": "westeurope", "sku": {"name": "Basic"}}, "2023-07-01")
    shown = refresh_token(f"other{name}", amlite.credential).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "scope": "repository:a:pull", "refresh_token": shown}
    answer = requests.post(f"https://{name}.azurecr.io/oauth2/token", data=form, timeout=30)
    amlite.remove(other_id, "2023-07-01")
    assert answer.status_code == 401


@pytest.mark.attack
def test_a_token_opens_no_later_registry_with_its_name(amlite: Any, registry: tuple[str, str]) -> None:
    name, arm_id = f"again{registry[0]}", registry[1].replace(registry[0], f"again{registry[0]}")
    body = {"location": "westeurope", "sku": {"name": "Basic"}}
    amlite.put(arm_id, body, "2023-07-01")
    signed = headers(name, amlite.credential, "repository:a:pull,push")
    base = f"https://{name}.azurecr.io"
    amlite.put(arm_id, {**body, "tags": {"a": "b"}}, "2023-07-01")
    assert push(base, "a", signed).status_code == 201
    amlite.remove(arm_id, "2023-07-01")
    amlite.put(arm_id, body, "2023-07-01")
    try:
        assert push(base, "a", signed).status_code == 401
    finally:
        amlite.remove(arm_id, "2023-07-01")


def test_a_forged_identity_gets_no_refresh_token(registry: tuple[str, str]) -> None:
    class Forged:
        def get_token(self, *_: str) -> Any:
            return type("Token", (), {"token": "e30.e30.e30"})

    assert refresh_token(registry[0], Forged()).status_code == 401  # type: ignore[arg-type]


def test_an_unknown_registry_is_unknown(amlite: Any) -> None:
    assert refresh_token("nobodysregistry", amlite.credential).status_code == 404


@pytest.fixture
def docker(amlite: Any) -> dict[str, Any]:
    """The engine and the registries' loopback port, as amlite tells them to its docker provider."""
    if docker_engine.TOOL.find() is None:
        pytest.skip("no Docker engine here")
    running = runtime.read(amlite.state)
    assert running is not None
    return ask(running, "POST", "/docker")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /hello.txt\n")
    (tmp_path / "hello.txt").write_text(uuid.uuid4().hex)
    return tmp_path


def test_docker_pushes_by_the_loopback_name_and_the_digest_is_the_registrys(
    amlite: Any, registry: tuple[str, str], docker: dict[str, Any], context: Path
) -> None:
    from amlite.core.docker_build import Builder, BuildError, Plan
    from amlite.services.containerregistry import loopback

    name, _ = registry
    image = f"{name}.azurecr.io/built:1"
    password = refresh_token(name, amlite.credential).json()["refresh_token"]
    said: list[str] = []
    with Builder(docker["host"]) as builder:
        builder.build(Plan.of({"context": "."}, context), image, said.append, said.append)
        reached = loopback.reference(image, docker["registryPort"])
        with pytest.raises(BuildError, match="docker push"):
            builder.push(image, reached, (NO_USER, "wrong"), said.append)
        digest = builder.push(image, reached, (NO_USER, password), said.append)
    assert any("COPY hello.txt" in line for line in said)
    signed = headers(name, amlite.credential, "repository:built:pull")
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    url = f"https://{name}.azurecr.io/v2/built/manifests/1"
    assert requests.get(url, headers=signed | accept, timeout=30).headers["Docker-Content-Digest"] == digest


def test_a_command_pulls_by_the_registrys_own_name_through_the_door_of_the_private_daemon(
    amlite: Any, registry: tuple[str, str], docker: dict[str, Any], context: Path
) -> None:
    import docker as client
    from docker.errors import DockerException

    from amlite import environment
    from amlite.core.docker_build import Builder, Plan
    from amlite.services.containerregistry import loopback

    if not docker["private"]:
        pytest.skip("the machine's own engine does not use amlite's proxy")
    name, _ = registry
    image = f"{name}.azurecr.io/pulled:1"
    password = refresh_token(name, amlite.credential).json()["refresh_token"]
    silent: Callable[[str], None] = lambda _: None  # noqa: E731 -- nothing is to be said
    with Builder(docker["host"]) as builder:
        builder.build(Plan.of({"context": "."}, context), image, silent, silent)
        digest = builder.push(image, loopback.reference(image, docker["registryPort"]), (NO_USER, password), silent)
    running = runtime.read(amlite.state)
    assert running is not None
    variables = environment.added(running)
    assert variables["DOCKER_HOST"] != docker["host"]
    engine = client.from_env(environment=variables, timeout=60)
    try:
        engine.images.remove(image)
        reference = f"{name}.azurecr.io/pulled@{digest}"
        with pytest.raises(DockerException):
            engine.images.pull(reference, auth_config={"username": NO_USER, "password": "wrong"})
        pulled = engine.images.pull(reference, auth_config={"username": NO_USER, "password": password})
        assert reference in pulled.attrs["RepoDigests"]
    finally:
        engine.close()


def test_a_layer_that_this_machine_has_pushed_once_is_not_sent_again(
    amlite: Any, registry: tuple[str, str], docker: dict[str, Any], context: Path
) -> None:
    from amlite.core.docker_build import Builder, Plan
    from amlite.services.containerregistry import loopback

    name, arm_id = registry
    other = f"again{name}"
    amlite.put(arm_id.replace(name, other), {"location": "westeurope", "sku": {"name": "Basic"}}, "2023-07-01")
    digests: list[str] = []
    said: list[str] = []
    for server in (name, other):
        said = []
        image = f"{server}.azurecr.io/built:again"
        password = refresh_token(server, amlite.credential).json()["refresh_token"]
        with Builder(docker["host"]) as builder:
            builder.build(Plan.of({"context": "."}, context), image, said.append, said.append)
            reached = loopback.reference(image, docker["registryPort"])
            digests.append(builder.push(image, reached, (NO_USER, password), said.append))
    amlite.remove(arm_id.replace(name, other), "2023-07-01")
    assert digests[0] == digests[1]
    assert any("Layer already exists" in line or "Mounted from" in line for line in said)


def test_an_image_that_was_built_before_reaches_another_registry_and_engine_without_a_build(
    amlite: Any, registry: tuple[str, str], docker: dict[str, Any], context: Path
) -> None:
    import docker as client

    from amlite.core.built_images import BuiltImage, Repository
    from amlite.core.docker_build import Builder, Plan
    from amlite.services.containerregistry import loopback

    def repository(server: str, credential: TokenCredential) -> Repository:
        password = refresh_token(server, credential).json()["refresh_token"]
        address = loopback.reference(f"{server}.azurecr.io/before", docker["registryPort"])
        return Repository(address, (NO_USER, password))

    name, arm_id = registry
    other = f"before{name}"
    other_id = arm_id.replace(name, other)
    amlite.put(other_id, {"location": "westeurope", "sku": {"name": "Basic"}}, "2023-07-01")
    silent: Callable[[str], None] = lambda _: None  # noqa: E731 -- nothing is to be said
    image = f"{name}.azurecr.io/before:1"
    here, there = repository(name, amlite.credential), repository(other, amlite.credential)
    with contextlib.closing(client.DockerClient(docker["host"])) as engine, Builder(docker["host"]) as builder:
        builder.build(Plan.of({"context": "."}, context), image, silent, silent)
        digest = builder.push(image, f"{here.name}:1", here.credentials, silent)
        manifest = here.manifest(digest)
        assert manifest is not None
        built = BuiltImage(manifest, None)
        assert (built.digest, built.id) == (digest, engine.images.get(image).id)
        engine.images.remove(built.id, force=True)
        # As with a push, the role AcrPush decides.
        assert not repository(other, amlite.application(("AcrPull", other_id))).publish(built, "1")
        assert there.publish(built, "1")
        assert builder.take(f"{other}.azurecr.io/before:1", built, there)
        assert engine.images.get(f"{other}.azurecr.io/before:1").id == built.id
        assert not builder.take(f"{other}.azurecr.io/before:2", BuiltImage(manifest.replace("1", "2"), None), there)
    amlite.remove(other_id, "2023-07-01")


def test_who_may_only_pull_cannot_take_a_layer_of_another_repository(amlite: Any, registry: tuple[str, str]) -> None:
    name, arm_id = registry
    base = f"https://{name}.azurecr.io"
    owner = headers(name, amlite.credential, "repository:one:pull,push")
    push(base, "one", owner)
    manifest = requests.get(f"{base}/v2/one/manifests/1", headers=owner | {"Accept": MANIFEST}, timeout=30).json()
    url = f"{base}/v2/two/blobs/{manifest['config']['digest']}"
    reader = headers(name, amlite.application(("AcrPull", arm_id)), "repository:two:pull,push")
    assert requests.head(url, headers=reader, timeout=30).status_code == 404
    # Who may pull everything does not have to send what this machine has.
    pusher = headers(name, amlite.credential, "repository:two:pull,push")
    assert requests.head(url, headers=pusher, timeout=30).status_code == 200


def test_a_build_that_fails_says_why(docker: dict[str, Any], context: Path) -> None:
    from amlite.core.docker_build import Builder, BuildError, Plan

    (context / "Dockerfile").write_text("FROM scratch\nCOPY missing.txt /\n")
    silent: Callable[[str], None] = lambda _: None  # noqa: E731 -- nothing is to be said
    with Builder(docker["host"]) as builder, pytest.raises(BuildError, match=r"missing\.txt"):
        builder.build(Plan.of({"context": "."}, context), "fails:1", silent, silent)


def test_the_loopback_way_in_asks_for_a_token_too(registry: tuple[str, str], docker: dict[str, Any]) -> None:
    base = f"http://127.0.0.1:{docker['registryPort']}"
    answer = requests.get(f"{base}/v2/{registry[0]}/built/manifests/1", timeout=30)
    assert answer.status_code == 401
    wrong = base64.b64encode(f"{NO_USER}:wrong".encode()).decode()
    scope = f"repository:{registry[0]}/built:pull"
    signed_in = requests.get(
        f"{base}/oauth2/token", params={"scope": scope}, headers={"Authorization": f"Basic {wrong}"}, timeout=30
    )
    assert signed_in.status_code == 401


@pytest.mark.usefixtures("docker")
def test_a_killed_amlite_leaves_no_daemon_and_no_registry(amlite: Any) -> None:
    import psutil

    running = runtime.read(amlite.state)
    assert running is not None
    mark = str(amlite.state)
    psutil.Process(running.pid).kill()
    subprocess.run([sys.executable, "-m", "amlite.cli", "stop"], env=_environment(mark), check=True)
    left = [process.pid for process in psutil.process_iter() if _owned(process, mark)]
    subprocess.run([sys.executable, "-m", "amlite.cli", "start"], env=_environment(mark), check=True)
    assert left == []


def _owned(process: Any, mark: str) -> bool:
    import psutil

    try:
        return bool(process.environ().get("AMLITE_OWNER") == mark)
    except psutil.Error:
        return False


def _environment(state: str) -> dict[str, str]:
    import os

    return {**os.environ, runtime.VARIABLE: state}


def test_admin_user_signs_in_with_its_password_while_the_registry_has_one(
    amlite: Any, registry: tuple[str, str]
) -> None:
    name, arm_id = registry
    action = f"{arm_id}/listCredentials"
    refused = amlite.arm("POST", action, version="2023-07-01")
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "UnAuthorizedForCredentialOperations"
    assert "as admin user is disabled" in refused.json()["error"]["message"]
    body = {"location": "westeurope", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}
    amlite.put(arm_id, body, "2023-07-01")
    found = amlite.arm("POST", action, version="2023-07-01").json()
    assert found["username"] == name

    def sign_in(password: str) -> requests.Response:
        query = {"service": f"{name}.azurecr.io", "scope": "repository:by-admin:pull,push"}
        address = f"https://{name}.azurecr.io/oauth2/token"
        return requests.get(address, params=query, auth=(name, password), timeout=30)

    for password in (each["value"] for each in found["passwords"]):
        signed = {"Authorization": f"Bearer {sign_in(password).json()['access_token']}"}
        assert push(f"https://{name}.azurecr.io", "by-admin", signed).status_code == 201
    assert sign_in("wrong").status_code == 401
    amlite.put(arm_id, {**body, "properties": {"adminUserEnabled": False}}, "2023-07-01")
    assert sign_in(found["passwords"][0]["value"]).status_code == 401


@pytest.mark.attack
def test_no_spelling_of_a_path_reaches_another_registry(amlite: LocalAzure, registry: tuple[str, str]) -> None:
    """All registries are folders of one server, which decodes a path that it gets."""
    name, arm_id = registry
    owner = amlite.application(("AcrPush", arm_id))
    secret = push(f"https://{name}.azurecr.io", "secret", headers(name, owner, "repository:secret:pull,push"))
    assert secret.status_code == 201
    evil = f"evil{uuid.uuid4().hex[:12]}"
    evil_id = f"{arm_id.rpartition('/')[0]}/{evil}"
    amlite.put(evil_id, {"location": "westeurope", "sku": {"name": "basic"}}, "2023-07-01")
    thief = amlite.application(("AcrPush", evil_id))
    own = f"https://{evil}.azurecr.io"

    def send(method: str, path: str, repository: str) -> requests.Response:
        signed = headers(evil, thief, f"repository:{repository}:pull,push") | {"Accept": MANIFEST}
        prepared = amlite.session.prepare_request(requests.Request(method, own, headers=signed))
        prepared.url = f"{own}{path}"  # as it is written, without what a client makes of it
        return amlite.session.send(prepared, timeout=30, allow_redirects=False)

    theirs = f"{name}/secret"
    paths = ("/%762/{}/manifests/1", "/v2%2f{}/manifests/1", "//v2/{}/manifests/1", "/v2/x/../{}/manifests/1")
    for path in (*paths, "/v2/./{}/manifests/1"):
        for repository in (theirs, f"x/../{theirs}"):
            answer = send("GET", path.format(theirs), repository)
            assert answer.status_code >= 300, path
            assert "config" not in answer.text, path
    digest = json.loads(
        requests.get(f"https://{name}.azurecr.io/v2/secret/manifests/1", timeout=30,
                     headers=headers(name, owner, "repository:secret:pull") | {"Accept": MANIFEST}).text
    )["config"]["digest"]  # fmt: skip
    for key in ("from", "fr%6fm"):
        mounted = send("POST", f"/v2/mine/blobs/uploads/?mount={digest}&{key}={theirs}", "mine")
        assert mounted.status_code == 202, "it is an upload, and nothing is mounted"
    signed = headers(evil, thief, "repository:mine:pull,push")
    form = {"mount": digest, "from": theirs}
    mounted = requests.post(f"{own}/v2/mine/blobs/uploads/", data=form, headers=signed, timeout=30)
    assert mounted.status_code == 202
    assert send("GET", f"/v2/mine/blobs/{digest}", "mine").status_code == 404
    amlite.remove(evil_id, "2023-07-01")


@pytest.mark.attack
def test_a_layer_is_only_where_it_was_sent_or_mounted_from_what_its_pusher_may_pull(
    amlite: LocalAzure, registry: tuple[str, str]
) -> None:
    """Whoever knows the digest of a layer does not get its content by it."""
    name, arm_id = registry
    base = f"https://{name}.azurecr.io"
    owner = headers(name, amlite.credential, "repository:theirs:pull,push")
    assert push(base, "theirs", owner).status_code == 201
    manifest = requests.get(f"{base}/v2/theirs/manifests/1", headers=owner | {"Accept": MANIFEST}, timeout=30).json()
    digest = manifest["config"]["digest"]
    pusher = amlite.application(("AcrPush", arm_id))
    signed = headers(name, pusher, "repository:mine:pull,push")
    assert requests.head(f"{base}/v2/mine/blobs/{digest}", headers=signed, timeout=30).status_code == 404
    for query in (f"mount={digest}", f"mount={digest}&from=theirs"):
        begun = requests.post(f"{base}/v2/mine/blobs/uploads/?{query}", headers=signed, timeout=30)
        assert begun.status_code == 202, "it is an upload, and nothing is mounted"
    assert requests.get(f"{base}/v2/mine/blobs/{digest}", headers=signed, timeout=30).status_code == 404
    both = headers(name, pusher, "repository:mine:pull,push repository:theirs:pull")
    query = f"mount={digest}&from=theirs"
    assert requests.post(f"{base}/v2/mine/blobs/uploads/?{query}", headers=both, timeout=30).status_code == 201
    assert requests.get(f"{base}/v2/mine/blobs/{digest}", headers=signed, timeout=30).status_code == 200


@pytest.mark.attack
def test_the_loopback_way_in_refuses_the_heads_that_amlite_refuses(docker: dict[str, Any]) -> None:
    base = f"http://127.0.0.1:{docker['registryPort']}"
    for character in ("%0a", "%01"):
        answer = requests.get(f"{base}/v2/a{character}b/manifests/1", timeout=30)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidUri"), character
