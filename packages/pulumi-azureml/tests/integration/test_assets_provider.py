"""The contract of every kind of resource: the real client, a real amlite, and what the provider makes of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from amlite_fixtures.azure import REGISTRY
from azureml_fixtures.asset_project import OWNER, STRANGER, Project
from pulumi_azureml.operations import ownership, retry
from pulumi_azureml.operations.errors import AssetError, OwnershipError
from pulumi_azureml.operations.kinds import OPERATIONS, batch_deployment

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import Workspace

Props = dict[str, Any]
# Those of a registry alone are in test_shared_assets.py and in test_deployment_templates.py.
ALL = sorted(name for name, each in OPERATIONS.items() if not each.planned.only_shared)
VERSIONED = [name for name in ALL if OPERATIONS[name].planned.versioned]


@pytest.fixture(autouse=True)
def believing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there is looked for three times all the same, but not seconds apart."""
    monkeypatch.setattr(retry, "_LOOK_SECONDS", 0.0)


@pytest.fixture
def writes(azureml_workspace: Workspace) -> Callable[[], list[str]]:
    """Return a function that says which resources of Azure ML were written since it was last asked."""
    seen = [len(azureml_workspace.azure.requests())]

    def since() -> list[str]:
        new = azureml_workspace.azure.requests()[seen[0] :]
        seen[0] += len(new)
        return [
            f"{each['method']} {each['path']}"
            for each in new
            if each["method"] != "GET" and "MachineLearningServices" in each["path"]
        ]

    return since


def all_tags(body: Props) -> list[Props]:
    """Return a resource's tags: an endpoint's are its own, a component's are in its specification too."""
    properties = body["properties"]
    holders = (body, properties, properties.get("componentSpec", {}))
    return [holder["tags"] for holder in holders if holder.get("tags")]


def job_name(props: Props) -> str:
    return f"{props['name']}-{props['version']}"


def there(ml: MLClient, kind: str, props: Props) -> Any:
    """Read an asset by the client alone."""
    if kind == "schedule":
        return ml.schedules.get(props["name"])
    if kind == "online_endpoint":
        return ml.online_endpoints.get(props["name"])
    if kind == "batch_endpoint":
        return ml.batch_endpoints.get(props["name"])
    if kind == "batch_deployment":
        endpoint = props["name"].partition("/")[0]
        return ml.batch_deployments.get(batch_deployment.live_name(props), endpoint)
    if kind == "datastore":
        return ml.datastores.get(props["name"])
    if kind == "pipeline_job":
        return ml.jobs.get(job_name(props))
    return getattr(ml, {"data": "data"}.get(kind, f"{kind}s")).get(props["name"], version=props["version"])


@pytest.mark.parametrize("kind", ALL)
def test_upsert_creates_and_again_makes_nothing_new(
    kind: str, project: Project, azureml_workspace: Workspace, ml_client: MLClient
) -> None:
    project.needs(kind)
    project.edit_metadata(kind, description="what it is", tags={"team": "flights"})
    props = project.props(kind)
    first = OPERATIONS[kind].upsert(ml_client, props)
    made = there(ml_client, kind, props)
    assert azureml_workspace.azure.arm("GET", first["resource_id"]).json()["name"] in (
        props["name"],
        props["version"],
        first.get("live"),
        first.get("job"),
    )
    assert made.description == "what it is"
    assert ownership.user_tags(made.tags) == {"team": "flights"}
    # An orphan of an attempt that never came to the state is the same case: the owner's tag says so.
    assert OPERATIONS[kind].upsert(ml_client, props) == first
    if kind in VERSIONED:
        listed = getattr(ml_client, OPERATIONS[kind].collection).list(name=props["name"])  # type: ignore[attr-defined]
        assert [str(each.version) for each in listed] == [props["version"]]


@pytest.mark.parametrize("kind", VERSIONED)
def test_retention_archives_the_oldest_versions_of_this_stack_alone(
    kind: str, project: Project, ml_client: MLClient
) -> None:
    project.needs(kind)
    operations = getattr(ml_client, OPERATIONS[kind].collection)  # type: ignore[attr-defined]
    versions = [f"{number}-{project.tag}" for number in range(4)]
    for version in versions:
        project.edit(project.asset(kind).path, version=version)
        owner = STRANGER if version == versions[0] else OWNER
        OPERATIONS[kind].upsert(ml_client, {**project.props(kind, owner), "retain": 2})
    listed = {str(each.version) for each in operations.list(name=project.asset(kind).name)}
    assert listed == {versions[0], *versions[2:]}


@pytest.mark.parametrize("kind", ALL)
def test_observe_equals_the_inputs_and_writes_nothing(
    kind: str, project: Project, ml_client: MLClient, writes: Callable[[], list[str]]
) -> None:
    project.needs(kind)
    project.edit_metadata(kind, description="what it is", tags={"team": "flights", "level": "3"})
    props = project.props(kind)
    OPERATIONS[kind].upsert(ml_client, props)
    writes()
    assert OPERATIONS[kind].observe(ml_client, props) == props
    assert writes() == []


@pytest.mark.parametrize("kind", VERSIONED)
def test_a_version_that_others_archived_shows_and_comes_back(kind: str, project: Project, ml_client: MLClient) -> None:
    project.needs(kind)
    props = project.props(kind)
    OPERATIONS[kind].upsert(ml_client, props)
    operations = getattr(ml_client, OPERATIONS[kind].collection)  # type: ignore[attr-defined]
    operations.archive(name=props["name"], version=props["version"])
    seen = OPERATIONS[kind].observe(ml_client, props)
    assert seen is not None
    assert seen["metadata"] == {**props["metadata"], "archived": True}
    OPERATIONS[kind].upsert(ml_client, props)
    assert OPERATIONS[kind].observe(ml_client, props) == props
    assert [str(each.version) for each in operations.list(name=props["name"])] == [props["version"]]


@pytest.mark.parametrize("kind", ALL)
def test_somebody_elses_is_refused_with_the_way_to_adopt_it(
    kind: str, project: Project, ml_client: MLClient, writes: Callable[[], list[str]]
) -> None:
    project.needs(kind)
    OPERATIONS[kind].upsert(ml_client, project.props(kind, STRANGER))
    writes()
    with pytest.raises(OwnershipError, match=f"belongs to stack '{STRANGER}'.*adopt=True"):
        OPERATIONS[kind].upsert(ml_client, project.props(kind))
    assert writes() == []
    OPERATIONS[kind].remove(ml_client, project.props(kind))
    assert ownership.is_ours(there(ml_client, kind, project.props(kind)).tags, STRANGER)
    OPERATIONS[kind].upsert(ml_client, project.props(kind, adopt=True))
    assert ownership.is_ours(there(ml_client, kind, project.props(kind)).tags, OWNER)
    assert OPERATIONS[kind].observe(ml_client, project.props(kind)) == project.props(kind)


@pytest.mark.parametrize("kind", ALL)
def test_metadata_changes_in_place(kind: str, project: Project, ml_client: MLClient) -> None:
    project.needs(kind)
    project.edit_metadata(kind, description="old", tags={"a": "1", "b": "2"})
    before = project.props(kind)
    OPERATIONS[kind].upsert(ml_client, before)
    project.edit_metadata(kind, description="new", tags={"a": "9"})
    after = project.props(kind)
    assert (after["version"], after["content_hash"]) == (before["version"], before["content_hash"])
    OPERATIONS[kind].upsert(ml_client, after)
    assert there(ml_client, kind, after).description == "new"
    assert OPERATIONS[kind].observe(ml_client, after) == after


# Where a datastore points never changes under its name.
@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "datastore"])
def test_new_content_is_an_update_and_going_back_finds_the_old_version(
    kind: str, project: Project, ml_client: MLClient
) -> None:
    project.needs(kind)
    before = project.props(kind)
    first = OPERATIONS[kind].upsert(ml_client, before)
    project.change(kind)
    after = project.props(kind)
    assert (after["name"], after["content_hash"] != before["content_hash"]) == (before["name"], True)
    OPERATIONS[kind].upsert(ml_client, after)
    assert OPERATIONS[kind].observe(ml_client, after) == after
    if kind in VERSIONED:
        listed = getattr(ml_client, OPERATIONS[kind].collection).list(name=before["name"])  # type: ignore[attr-defined]
        assert {str(each.version) for each in listed} == {before["version"], after["version"]}
    project.take_back()
    assert OPERATIONS[kind].upsert(ml_client, before) == first
    assert OPERATIONS[kind].observe(ml_client, before) == before


@pytest.mark.parametrize("kind", ALL)
def test_what_others_change_shows_and_is_repaired(
    kind: str, project: Project, azureml_workspace: Workspace, ml_client: MLClient
) -> None:
    project.needs(kind)
    project.edit_metadata(kind, tags={"team": "flights"})
    props = project.props(kind)
    made = OPERATIONS[kind].upsert(ml_client, props)
    body = azureml_workspace.azure.arm("GET", made["resource_id"]).json()
    for tags in all_tags(body):
        tags["team"] = "somebody"
    azureml_workspace.azure.put(made["resource_id"], body)
    seen = OPERATIONS[kind].observe(ml_client, props)
    assert seen is not None
    assert seen["metadata"]["tags"] == {"team": "somebody"}
    OPERATIONS[kind].upsert(ml_client, props)
    assert OPERATIONS[kind].observe(ml_client, props) == props


@pytest.mark.parametrize("kind", ALL)
def test_removal_can_be_repeated_and_undone(kind: str, project: Project, ml_client: MLClient) -> None:
    project.needs(kind)
    props = project.props(kind)
    OPERATIONS[kind].remove(ml_client, props)  # nothing there yet
    OPERATIONS[kind].upsert(ml_client, props)
    OPERATIONS[kind].remove(ml_client, props)
    OPERATIONS[kind].remove(ml_client, props)
    if kind in VERSIONED:
        operations = getattr(ml_client, OPERATIONS[kind].collection)  # type: ignore[attr-defined]
        assert list(operations.list(name=props["name"])) == []
        OPERATIONS[kind].upsert(ml_client, props)
        assert [str(each.version) for each in operations.list(name=props["name"])] == [props["version"]]
    else:
        assert OPERATIONS[kind].observe(ml_client, props) is None
        OPERATIONS[kind].upsert(ml_client, props)
    assert OPERATIONS[kind].observe(ml_client, props) == props


@pytest.mark.parametrize("kind", ALL)
def test_what_lost_its_tags_is_still_removed(
    kind: str, project: Project, azureml_workspace: Workspace, ml_client: MLClient
) -> None:
    project.needs(kind)
    props = project.props(kind)
    made = OPERATIONS[kind].upsert(ml_client, props)
    body = azureml_workspace.azure.arm("GET", made["resource_id"]).json()
    for tags in all_tags(body):
        tags.clear()
    azureml_workspace.azure.put(made["resource_id"], body)
    OPERATIONS[kind].remove(ml_client, props)
    if kind in VERSIONED:
        assert list(getattr(ml_client, OPERATIONS[kind].collection).list(name=props["name"])) == []  # type: ignore[attr-defined]
    else:
        assert OPERATIONS[kind].observe(ml_client, props) is None


@pytest.mark.parametrize("kind", VERSIONED)
def test_what_never_was_shows_as_gone(kind: str, project: Project, ml_client: MLClient) -> None:
    assert OPERATIONS[kind].observe(ml_client, project.props(kind)) is None


@pytest.mark.parametrize("kind", VERSIONED)
def test_other_content_under_a_pinned_version_is_refused(kind: str, project: Project, ml_client: MLClient) -> None:
    project.needs(kind)
    project.edit_metadata(kind, version="7")
    OPERATIONS[kind].upsert(ml_client, project.props(kind))
    props = {**project.props(kind), "content_hash": "0" * 64}
    with pytest.raises(AssetError, match=r"version 7 exists with other content.*increase `version:`"):
        OPERATIONS[kind].upsert(ml_client, props)


@pytest.mark.parametrize(
    ("kind", "changes"), [("environment", {"image": "python:3.12"}), ("component", {"command": "python other.py"})]
)
def test_adopting_other_content_is_refused(
    kind: str, changes: Props, project: Project, azureml_workspace: Workspace, ml_client: MLClient
) -> None:
    """What was made by hand carries no content hash: Azure itself has to say whether it is the same."""
    project.needs(kind)
    project.edit_metadata(kind, version="7")
    props = project.props(kind)
    made = OPERATIONS[kind].upsert(ml_client, props)
    body = azureml_workspace.azure.arm("GET", made["resource_id"]).json()
    for tags in all_tags(body):
        tags.clear()
    azureml_workspace.azure.put(made["resource_id"], body)
    with pytest.raises(OwnershipError, match="was not created by this program"):
        OPERATIONS[kind].upsert(ml_client, props)
    project.edit_metadata(kind, **changes)
    with pytest.raises(AssetError, match="cannot be adopted, because its content differs"):
        OPERATIONS[kind].upsert(ml_client, project.props(kind, adopt=True))
    OPERATIONS[kind].upsert(ml_client, {**props, "adopt": True})
    assert OPERATIONS[kind].observe(ml_client, props) == props


def test_a_paused_or_moved_schedule_shows_and_is_repaired(project: Project, ml_client: MLClient) -> None:
    project.needs("schedule")
    props = project.props("schedule")
    kind = OPERATIONS["schedule"]
    kind.upsert(ml_client, props)
    ml_client.schedules.begin_disable(props["name"]).result()
    seen = kind.observe(ml_client, props)
    assert seen is not None
    assert seen["definition"]["is_enabled"] is False
    kind.upsert(ml_client, props)
    entity = ml_client.schedules.get(props["name"])
    entity.trigger.expression = "0 9 * * *"
    ml_client.schedules.begin_create_or_update(entity).result()
    seen = kind.observe(ml_client, props)
    assert seen is not None
    assert seen["definition"]["trigger"]["expression"] == "0 9 * * *"
    assert seen["content_hash"] == ownership.CHANGED
    kind.upsert(ml_client, props)
    assert kind.observe(ml_client, props) == props


def test_a_schedule_that_the_yaml_pauses_is_no_drift(project: Project, ml_client: MLClient) -> None:
    project.needs("schedule")
    project.edit("pipelines/schedules/daily.yml", is_enabled=False)
    props = project.props("schedule")
    OPERATIONS["schedule"].upsert(ml_client, props)
    assert ml_client.schedules.get(props["name"]).is_enabled is False
    assert OPERATIONS["schedule"].observe(ml_client, props) == props


def test_a_weekly_schedule_reads_back_as_it_was_written(project: Project, ml_client: MLClient) -> None:
    project.needs("schedule")
    pattern = {"hours": 4, "minutes": [0, 30], "week_days": ["monday", "friday"]}
    trigger = {"type": "recurrence", "frequency": "week", "interval": 1, "schedule": pattern, "time_zone": "UTC"}
    project.edit("pipelines/schedules/daily.yml", trigger=trigger)
    props = project.props("schedule")
    OPERATIONS["schedule"].upsert(ml_client, props)
    assert OPERATIONS["schedule"].observe(ml_client, props) == props


def test_only_what_was_hashed_is_uploaded_and_only_once(
    project: Project, azureml_workspace: Workspace, ml_client: MLClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pains 9 and 10: a .gitignore above the code's folder counts, and the same code is not uploaded again."""
    project.needs("component")
    project.write("ml/step/src/inner/part.py", "x = 1\n")
    project.write("ml/step/src/scratch.tmp", "ignored by the project's .gitignore")
    project.write("ml/step/src/__pycache__/main.cpython-311.pyc", "ignored")
    props = project.props("component")
    OPERATIONS["component"].upsert(ml_client, props)
    code = ml_client.components.get(props["name"], props["version"]).code
    uploaded = sorted(path for path in blobs(azureml_workspace, code))
    assert uploaded == ["inner/part.py", "main.py"]
    before = len(azureml_workspace.azure.requests("blob.core.windows.net"))
    project.edit("ml/step/component.yml", command="python main.py --again")
    OPERATIONS["component"].upsert(ml_client, project.props("component"))
    again = azureml_workspace.azure.requests("blob.core.windows.net")[before:]
    assert [each for each in again if each["method"] == "PUT"] == []


def test_a_datastore_never_points_elsewhere_under_its_name(project: Project, ml_client: MLClient) -> None:
    kind = OPERATIONS["datastore"]
    before = project.props("datastore")
    kind.upsert(ml_client, before)
    project.edit("ml/store/datastore.yml", filesystem="other")
    after = project.props("datastore")
    assert "filesystem lake → other" in kind.check_inputs(before, after)["definition"]
    with pytest.raises(AssetError, match=r"exists and refers to other storage \(filesystem lake\).*Use another name"):
        kind.upsert(ml_client, after)
    assert ml_client.datastores.get(before["name"]).filesystem == "lake"


def test_a_datastore_that_was_given_a_key_shows_and_is_repaired(project: Project, ml_client: MLClient) -> None:
    from azure.ai.ml.entities import AccountKeyConfiguration

    definition = {"name": f"store_{project.tag}", "type": "azure_blob", "account_name": "stlake"}
    project.write("ml/store/datastore.yml", {**definition, "container_name": "lake"})
    props = project.props("datastore")
    kind = OPERATIONS["datastore"]
    kind.upsert(ml_client, props)
    there_is = ml_client.datastores.get(props["name"])
    there_is.credentials = AccountKeyConfiguration(account_key="a2V5")
    ml_client.datastores.create_or_update(there_is)
    seen = kind.observe(ml_client, props)
    assert seen is not None
    assert seen["content_hash"] == ownership.CHANGED
    assert "a2V5" not in str(seen)
    kind.upsert(ml_client, props)
    assert kind.observe(ml_client, props) == props


def test_a_model_of_a_registry_becomes_one_of_the_workspace(
    project: Project, registry: MLClient, ml_client: MLClient, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import Model

    weights = tmp_path / "shared-weights"
    weights.mkdir()
    (weights / "weights.json").write_text(f'"{project.tag}"', "utf-8")
    shared = registry.models.create_or_update(Model(name=f"shared-{project.tag}", version="1", path=str(weights)))
    path = f"azureml://registries/{REGISTRY}/models/{shared.name}/versions/1"
    project.write("ml/model/model.yml", {"name": f"model-{project.tag}", "type": "custom_model", "path": path})
    props = project.props("model")
    OPERATIONS["model"].upsert(ml_client, props)
    assert ml_client.models.get(props["name"], props["version"]).path == path
    assert OPERATIONS["model"].observe(ml_client, props) == props


def blobs(workspace: Workspace, code: str) -> list[str]:
    """Return the names, inside it, of the blobs of a code version."""
    from azure.storage.blob import ContainerClient

    uri = str(workspace.azure.arm("GET", code.removeprefix("azureml:")).json()["properties"]["codeUri"])
    container, _, prefix = uri.partition(".blob.core.windows.net/")[2].partition("/")
    account = (
        f"{workspace.id.partition('/providers/')[0]}/providers/Microsoft.Storage/storageAccounts/{workspace.account}"
    )
    keys = workspace.azure.arm("POST", f"{account}/listKeys", version="2024-01-01").json()["keys"]
    url = f"https://{workspace.account}.blob.core.windows.net"
    with ContainerClient(url, container, keys[0]["value"]) as client:
        return [name.removeprefix(prefix).lstrip("/") for name in client.list_blob_names(name_starts_with=prefix)]


def test_files_that_change_after_the_plan_are_not_uploaded(project: Project, ml_client: MLClient) -> None:
    project.needs("component")
    props = project.props("component")
    project.write("ml/step/src/main.py", "print('other')\n")
    with pytest.raises(AssetError, match="ml/step/src changed after it was planned"):
        OPERATIONS["component"].upsert(ml_client, props)
