"""The shell that the engine calls: what is a change, what is refused at preview, what is loaded."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from pulumi import dynamic
from pulumi.runtime.rpc import UNKNOWN

from azureml_fixtures.asset_project import Project
from pulumi_azureml import ConfigKeys
from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.errors import AGAIN, AssetError, OwnershipError
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.provider import AzureMLProvider
from pulumi_azureml.resources.places import WorkspaceArgs
from pulumi_azureml.resources.planned import Planned

WORKSPACE = WorkspaceArgs(
    subscription_id="10ca1000-0000-4000-9000-616d6c697465",
    resource_group="rg",
    name="ws",
    owner="azureml-platform/test",
)
OLD, NEW = "a" * 64, "b" * 64
MOVED = {"subscription_id": "00000000-0000-0000-0000-000000000001", "resource_group": "rg", "name": "other"}
STORED = {"type": "azure_blob", "account_name": "a", "container_name": "c"}


def inputs(**changes: Any) -> dict[str, Any]:
    planned = Planned(
        workspace=WORKSPACE,
        name="prep",
        version=OLD[:12],
        content_hash=OLD,
        definition={"command": "x"},
        path="ml/prep/component.yml",
    )
    return {**planned.props(), **changes}


@pytest.mark.parametrize("kind", ["component", "data", "environment", "model"])
def test_changed_content_under_a_pinned_version_is_refused_at_preview(kind: str) -> None:
    olds, news = inputs(version="3"), inputs(version="3", content_hash=NEW)
    (failure,) = AzureMLProvider(kind).check(olds, news).failures or []
    # With a property the engine would print the whole value of that input before the reason.
    assert failure.property == ""
    assert OLD[:12] in failure.reason
    assert NEW[:12] in failure.reason
    assert "in ml/prep/component.yml, increase `version:`" in failure.reason


@pytest.mark.parametrize(
    ("kind", "olds", "news"),
    [
        ("component", {}, inputs(version="3")),
        ("component", inputs(version="3"), inputs(version="3", metadata={"description": "new"})),
        ("component", inputs(version="3"), inputs(version="4", content_hash=NEW)),
        ("component", inputs(version="3"), inputs(version="3", content_hash=NEW, name="other")),
        ("component", inputs(version="3"), inputs(version="3", content_hash=NEW, workspace=MOVED)),
        ("datastore", inputs(definition=STORED), inputs(definition={**STORED, "account_name": "b"}, workspace=MOVED)),
        ("schedule", inputs(content_hash="changed outside of this project"), inputs()),
    ],
)
def test_other_changes_are_not_refused(kind: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
    result = AzureMLProvider(kind).check(olds, news)
    assert not result.failures
    assert result.inputs == news


@pytest.mark.parametrize(
    ("changes", "changed", "replaces"),
    [
        ({}, False, []),
        ({"content_hash": NEW, "version": NEW[:12]}, True, []),
        ({"metadata": {"description": "new"}}, True, []),
        ({"adopt": True}, False, []),
        ({"name": "other"}, True, ["name"]),
        ({"workspace": {"subscription_id": "s", "resource_group": "rg", "name": "ws"}}, True, ["workspace"]),
    ],
)
def test_diff_updates_new_content_and_replaces_only_what_is_something_else(
    changes: dict[str, Any], changed: bool, replaces: list[str]
) -> None:
    result = AzureMLProvider("component").diff("prep", inputs(), inputs(**changes))
    assert (result.changes, result.replaces) == (changed, replaces)


@pytest.mark.parametrize("kind", sorted(OPERATIONS))
def test_a_preview_is_an_update_for_new_content_and_nothing_for_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where: Any = SimpleNamespace(subscription_id="s", resource_group_name="rg", workspace_name="ws")
    project = Project(tmp_path, where, "t1")
    project.add_datastore()
    project.add_batch()
    project.add_template("shared")
    before = project.props(kind)
    same = AzureMLProvider(kind).diff("id", {**before, **dict.fromkeys(OPERATIONS[kind].outputs, "known")}, before)
    assert (same.changes, same.replaces) == (False, [])
    project.change(kind)
    after = project.props(kind)
    assert after["version"] != before["version"]
    other = AzureMLProvider(kind).diff("id", before, after)
    assert (other.changes, other.replaces) == (True, [])


def test_whole_numbers_reach_a_kind_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(OPERATIONS["component"], "check_inputs", lambda _olds, news: seen.append(news) or {})
    news = inputs(retain=2.0, definition={"resources": {"instance_count": 3.0}, "rate": 0.5, "steps": [10.0]})
    AzureMLProvider("component").check({}, news)
    (given,) = seen
    assert [given["retain"], given["definition"]] == [
        2,
        {"resources": {"instance_count": 3}, "rate": 0.5, "steps": [10]},
    ]
    assert isinstance(given["retain"], int)
    assert isinstance(given["definition"]["steps"][0], int)


def test_a_name_that_is_not_known_in_a_preview_replaces_nothing() -> None:
    """The workspace's outputs are unknown in the preview of any change to it."""
    olds = inputs()
    news = inputs(workspace={**olds["workspace"], "name": UNKNOWN}, image=UNKNOWN)
    result = AzureMLProvider("environment").diff("prep", {**olds, "image": "registry/image@sha256:0"}, news)
    assert (result.changes, result.replaces) == (False, [])


def test_metadata_has_the_form_in_which_azure_returns_it() -> None:
    metadata = {"description": "", "display_name": None, "tags": {"level": 3}}
    planned = Planned(workspace=WORKSPACE, name="prep", version="1", content_hash=OLD, definition={}, metadata=metadata)
    assert planned.props()["metadata"] == {"tags": {"level": "3"}}


def test_a_preview_loads_no_client() -> None:
    """azure.ai.ml costs a second and 100 MB; the shell, its kinds and the catalogue are loaded without it."""
    program = (
        "import sys\n"
        "import pulumi_azureml.provider\n"
        "from pulumi_azureml import *\n"
        "print([name for name in sys.modules if name.startswith('azure')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_uploads_show_no_progress_bar() -> None:
    """They are told to show progress, for without it they wait for ever for a file that could not be uploaded."""
    program = (
        "from pulumi_azureml.operations.connection import Workspace, connect\n"
        "print(connect(Workspace('s', 'rg', 'ws'))._operation_config.show_progress)\n"
        "from tqdm import tqdm\n"
        "print(tqdm(total=1).disable)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_configure_widens_the_pool_of_threads_that_called_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    request = dynamic.ConfigureRequest(dynamic.Config({}, "azureml-platform"))
    waiting, release = threading.Barrier(10 + 1, timeout=30), threading.Event()

    def busy() -> None:
        waiting.wait()
        release.wait(30)

    with ThreadPoolExecutor(max_workers=4) as pool:
        pool.submit(AzureMLProvider("component").configure, request).result()
        pool.submit(AzureMLProvider("data").configure, request).result()
        jobs = [pool.submit(busy) for _ in range(10)]
        waiting.wait()  # ten at once: with four threads this would never be passed
        release.set()
        for job in jobs:
            job.result()
    written = sys.stderr
    assert written.write("\x1b[39m\n") == 6


def test_the_stack_says_how_long_operations_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []
    monkeypatch.setattr("pulumi_azureml.provider.limit_operations", limits.append)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    grouped = {"my-project:assets": '{"adopt": false, "operationMinutes": 90}'}
    keys = ConfigKeys(operation_minutes="my-project:assets.operationMinutes")
    for provider, config in (
        (AzureMLProvider("data"), grouped),
        (AzureMLProvider("data", keys), {}),
        (AzureMLProvider("data", keys), grouped),
        (AzureMLProvider("data"), {"azureml:operationMinutes": "30"}),
    ):
        provider.configure(dynamic.ConfigureRequest(dynamic.Config(config, "my-project")))
    assert limits == [5400, 1800]


def test_an_error_names_the_options_as_the_program_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_ml: Any, props: dict[str, Any]) -> None:
        ownership.check("data 'prep'", {ownership.OWNER: "other/stack"}, props["owner"], adopt=False)

    monkeypatch.setattr("pulumi_azureml.provider.connect", lambda _place: None)
    monkeypatch.setattr(OPERATIONS["data"], "upsert", refuse)
    keys = ConfigKeys(adopt="my-project:assets.adopt")
    for provider, how in (
        (AzureMLProvider("data"), "`adopt=True` in WorkspaceArgs"),
        (AzureMLProvider("data", keys), "pulumi config set --path 'my-project:assets.adopt' true"),
    ):
        with pytest.raises(OwnershipError) as raised:
            provider.create(inputs())
        assert str(raised.value) == (
            "data 'prep' exists already and belongs to stack 'other/stack'. "
            f"Rename yours, or delete the existing one. To take it over: {how}"
        )


def test_each_phase_of_long_work_is_printed_for_the_engine_to_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("pulumi_azureml")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "level", log.level)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    request = dynamic.ConfigureRequest(dynamic.Config({}, "azureml-platform"))
    AzureMLProvider("online_endpoint").configure(request)
    AzureMLProvider("component").configure(request)
    logging.getLogger("pulumi_azureml.operations.rollout").info("endpoint %s: traffic: blue-2 10 %%", "flights")
    assert capsys.readouterr().out == "endpoint flights: traffic: blue-2 10 %\n"


def test_the_shell_is_small_and_knows_only_its_kind() -> None:
    provider = AzureMLProvider("component")
    assert vars(provider) == {"kind": "component"}
    keys = ConfigKeys(adopt="my-project:adopt", registry="my-project:registry")
    kept = {"adopt": "my-project:adopt", "deployer": "", "operation_minutes": "azureml:operationMinutes"}
    assert vars(AzureMLProvider("component", keys)) == {"kind": "component", "config_keys": kept}
    assert AzureMLProvider.serialize_as_secret_always is False
    assert (AzureMLProvider.__module__, AzureMLProvider.__qualname__) == ("pulumi_azureml.provider", "AzureMLProvider")
    assert isinstance(provider, dynamic.ResourceProvider)


@pytest.mark.parametrize(("status", "says"), [(503, True), (400, False)])
def test_an_error_that_can_pass_says_so(status: int, says: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise refused_with(status)

    operations = OPERATIONS["component"]
    monkeypatch.setattr(type(operations), "upsert", fail)
    monkeypatch.setattr("pulumi_azureml.provider.connect", lambda _: None)
    with pytest.raises((AssetError, HttpResponseError)) as failed:
        AzureMLProvider("component").create(inputs())
    assert str(failed.value).endswith(AGAIN) is says
    assert "stumbled" in str(failed.value)


def refused_with(status: int) -> HttpResponseError:
    error = HttpResponseError("the service stumbled")
    error.status_code = status
    return error
