"""What sharing says of differences, lineage and references, without a cloud."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from release.actor import actor
from release.assets import sharing
from release.assets.contents import Content
from release.assets.sharing import RegistrySharing, SharedVersion
from release.errors import ReleaseError

CONTENT = Content('{"command": "a", "type": "command"}', {"main.py": "1", "util.py": "2"})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (CONTENT, ""),
        (Content(CONTENT.definition, {"main.py": "3"}), "2 file(s) differ, such as main.py"),
        (Content('{"command": "b", "type": "command"}', CONTENT.files), "definition: command"),
        (
            Content('{"type": "command"}', {**CONTENT.files, "x": "4"}),
            "1 file(s) differ, such as x; definition: command",
        ),
    ],
)
def test_a_difference_names_files_and_keys(other: Content, said: str) -> None:
    assert CONTENT.difference(other) == said
    assert (CONTENT.sha256 == other.sha256) is (said == "")


def asset(**given: Any) -> Any:
    return SimpleNamespace(**{"tags": None, "properties": None, "job_name": None, **given})


@pytest.mark.parametrize(
    ("source", "lineage"),
    [
        (asset(), {}),
        (asset(tags={"git_sha": "a", "k": "v"}), {"git_sha": "a", "k": "v", "shared_from_commit": "a"}),
        (asset(properties={"azureml.git.commit": "b"}), {"shared_from_commit": "b"}),
        (
            asset(tags={"git_sha": "a"}, properties={"azureml.git.commit": "b"}),
            {"git_sha": "a", "shared_from_commit": "a"},
        ),
        (asset(job_name="job"), {"shared_from_job": "job"}),
        (asset(tags={"pipeline_job": "p"}, job_name="job"), {"pipeline_job": "p", "shared_from_job": "p"}),
        (
            asset(tags={"training_code_sha256": "c"}),
            {"training_code_sha256": "c", "shared_from_code": "c"},
        ),
        (asset(tags={"data": "d:1"}), {"data": "d:1", "shared_from_data": "d:1"}),
    ],
)
def test_lineage_is_read_from_what_the_version_says(source: Any, lineage: dict[str, str]) -> None:
    """User pain 17: where a model came from goes with it."""
    found = sharing._tags("/ws", source, CONTENT)
    assert found == {
        **lineage,
        "shared_from_workspace": "/ws",
        "shared_content_sha256": CONTENT.sha256,
        "shared_by": actor(),
    }


def sharer(monkeypatch: pytest.MonkeyPatch) -> tuple[RegistrySharing, list[tuple[str, str, str]]]:
    asked: list[tuple[str, str, str]] = []

    def share(_self: RegistrySharing, kind: str, name: str, version: str) -> SharedVersion:
        asked.append((kind, name, version))
        return SharedVersion(kind, name, version, f"shared {name}:{version}", True)

    monkeypatch.setattr(RegistrySharing, "share", share)
    nothing: Any = None
    return RegistrySharing(nothing, nothing, "models", "/ws", print), asked


@pytest.mark.parametrize(
    "reference",
    [
        "azureml:env:1",
        "env:1",
        "azureml:/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/environments/env/versions/1",
        "/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/environments/env/versions/1",
        SimpleNamespace(id="azureml://locations/x/workspaces/y/environments/env/versions/1"),
    ],
)
def test_what_is_referred_to_is_shared_under_its_own_name(monkeypatch: pytest.MonkeyPatch, reference: Any) -> None:
    target, asked = sharer(monkeypatch)
    assert target._reference("environment", reference) == "shared env:1"
    assert asked == [("environment", "env", "1")]


@pytest.mark.parametrize("prefix", ["", "azureml:"])
def test_what_is_in_a_registry_stays_there(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    target, asked = sharer(monkeypatch)
    there = "azureml://registries/azureml/environments/sklearn/versions/3"
    assert target._reference("environment", prefix + there) == there
    assert asked == []


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("azureml:CliV2AnonymousEnvironment:abc", "is anonymous"),
        ("/subscriptions/s/components/azureml_anonymous/versions/abc", "is anonymous"),
        ("azureml:env@latest", "does not name a version"),
        ("azureml:env", "does not name a version"),
    ],
)
def test_nothing_anonymous_is_shared(monkeypatch: pytest.MonkeyPatch, reference: str, reason: str) -> None:
    """User pains 5 and 6: an anonymous part of a registry is not the one that was meant."""
    target, _ = sharer(monkeypatch)
    with pytest.raises(ReleaseError, match=reason):
        target._reference("environment", reference)


def test_a_component_with_a_loop_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has no component of such a step, and cannot write the step."""
    nothing: Any = None
    source = asset(name="whole", version="1", jobs={"loop": SimpleNamespace(type="do_while")})
    components = SimpleNamespace(get=lambda _name, _version: source)
    target = RegistrySharing(SimpleNamespace(components=components), nothing, "models", "/ws", print)  # type: ignore[arg-type]
    with pytest.raises(ReleaseError, match="component whole:1 has a step of type do_while"):
        target.share("component", "whole", "1")
