"""A stack's own file and the engine's errors, without an engine."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pulumi import automation
from pulumi.automation import events

from infra import REFUSE_RENAMES, RENAMES, ROLL_OUT_AT_ONCE
from infra import naming as naming_rule
from infra.outputs import ModelOutput
from infra.settings.naming import NamingSettings
from release import sign_in
from release import stack as stack_module
from release.doctor.subject import Subject
from release.errors import ExistingError, PassingError, ReleaseError, RenamedError
from release.stack import CWD_VARIABLE, PulumiStack


class FakeStack:
    """The Automation API's stack: keeps configuration, and sends the given events before it fails or not."""

    def __init__(self) -> None:
        self.config: dict[str, str] = {}
        self.written: dict[str, str] = {}
        self.removed: list[str] = []
        self.events: list[events.EngineEvent] = []
        self.resources: list[dict[str, Any]] = []
        self.fails = ""
        self.error: type[automation.CommandError] = automation.CommandError
        self.messages: list[str | None] = []
        self.workspace = SimpleNamespace(env_vars={})
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1
        self.fails = ""

    def export_stack(self) -> automation.Deployment:
        return automation.Deployment(version=3, deployment={"resources": self.resources})

    def set_all_config(self, values: dict[str, automation.ConfigValue], *, path: bool) -> None:
        assert path
        self.written = {key: each.value for key, each in values.items()}

    def get_all_config(self) -> dict[str, automation.ConfigValue]:
        if self.fails:
            raise automation.CommandError(automation.CommandResult(stdout="", stderr=self.fails, code=1))
        return {key: automation.ConfigValue(value) for key, value in self.config.items()}

    def remove_config(self, key: str, *, path: bool) -> None:
        assert path
        self.removed.append(key)

    def preview(self, on_event: Any, parallel: int, color: str, refresh: bool) -> None:
        assert not refresh

    def up(
        self, on_event: Any, parallel: int, color: str, message: str | None, continue_on_error: bool = False
    ) -> None:
        assert parallel == 32
        self.messages.append(message)
        assert color in ("auto", "never")
        for each in self.events:
            on_event(each)
        if self.fails:
            raise self.error(automation.CommandResult(stdout="", stderr=self.fails, code=255))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    made = FakeStack()
    monkeypatch.setattr(automation, "select_stack", lambda _name, work_dir: made)
    monkeypatch.setattr(sign_in, "check", lambda _name, _file: "")
    monkeypatch.setenv(CWD_VARIABLE, str(tmp_path))
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    return made


def diagnostic(severity: str, message: str) -> events.EngineEvent:
    said = {"severity": severity, "message": message, "color": "never"}
    return events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": said})


@pytest.mark.parametrize(
    "before", [None, {"name": "other", "version": 6}, {"name": "flight-delay", "version": "7", "registry": "mlops"}]
)
def test_promotion_writes_the_version_that_the_program_reads(fake: FakeStack, before: Any) -> None:
    if before is not None:
        fake.config["azureml-platform:models"] = json.dumps({"flight-delay": before})
    PulumiStack("local").promote("flight-delay", ModelOutput(name="flight-delay", version="7"))
    key = 'azureml-platform:models["flight-delay"]'
    assert fake.written == {f"{key}.name": "flight-delay", f"{key}.version": "7"}
    # A registry or a reference would stay beside the new name and version.
    assert fake.removed == ([key] if before is not None and "registry" in before else [])


def test_promotion_takes_the_place_of_a_reference(fake: FakeStack) -> None:
    fake.config["azureml-platform:models"] = json.dumps({"flight-delay": "azureml:flight-delay:6"})
    PulumiStack("local").promote("flight-delay", ModelOutput(name="flight-delay", version="7", registry="mlops"))
    key = 'azureml-platform:models["flight-delay"]'
    assert fake.removed == [key]
    assert fake.written[f"{key}.registry"] == "mlops"


def test_the_configuration_has_groups_as_maps_and_the_rest_as_text(fake: FakeStack) -> None:
    fake.config = {"azureml-platform:sharing": '{"registry": "mlops"}', "azureml-platform:protect": "true"}
    assert PulumiStack("local").config() == {
        "azureml-platform:sharing": {"registry": "mlops"},
        "azureml-platform:protect": "true",
    }


def test_a_stack_without_a_file_is_refused_with_those_there_are(fake: FakeStack) -> None:
    with pytest.raises(ReleaseError, match=r"no file Pulumi\.staging\.yaml; stacks of this project: dev, local"):
        PulumiStack("staging")


def test_a_failed_update_says_each_of_the_engines_errors_once(fake: FakeStack) -> None:
    problem = (
        "2 problems in the catalogue:\nml/prep/component.yml:3: unknown key 'comand'\n    fix: did you mean command?"
    )
    fake.events = [
        diagnostic("error", problem),
        diagnostic("info", "hello"),
        diagnostic("error", problem),
        diagnostic("error", "an unhandled error occurred: the program ended with exit code 1"),
        diagnostic("error", "update failed"),
    ]
    fake.fails = "Traceback (most recent call last):\n  everything that pulumi printed"
    with pytest.raises(ReleaseError) as raised:
        PulumiStack("local").up(lambda _event: None)
    assert raised.value.message == f"stack 'local': {problem}"


def test_what_grpc_says_before_a_provider_s_error_is_left_out(fake: FakeStack) -> None:
    fake.events = [diagnostic("error", "Exception calling application: deployment 'blue-2' failed its checks")]
    fake.fails = "update failed"
    with pytest.raises(ReleaseError, match=r"^stack 'local': deployment 'blue-2' failed its checks$"):
        PulumiStack("local").up(lambda _event: None)


def test_what_the_engine_says_before_the_error_of_a_hook_is_left_out(fake: FakeStack) -> None:
    said = 'Preview failed: before hook "names" failed: Azure does not let this stack have the names.\n  first'
    fake.events = [diagnostic("error", said)]
    fake.fails = "preview failed"
    with pytest.raises(ReleaseError, match=r"^stack 'local': Azure does not let this stack have the names\.\n  first$"):
        PulumiStack("local").up(lambda _event: None)


@pytest.mark.parametrize(("naming", "stack"), [({}, "local"), ({"stack": "dev"}, "dev")])
def test_tags_are_those_of_the_program(fake: FakeStack, naming: dict[str, str], stack: str) -> None:
    naming = {"namespace": "mlops", "workspace": "flights", "postfix": "001", **naming}
    fake.config = {"azureml-platform:naming": json.dumps(naming)}
    own = naming_rule.tags(NamingSettings.model_validate(naming), "local", {})
    assert own.items() >= PulumiStack("local").tags().items()
    assert PulumiStack("local").tags()["stack"] == stack


def test_a_recovered_vault_is_seen_in_the_state(fake: FakeStack) -> None:
    vault = {"urn": "urn::vault", "type": "azure-native:keyvault:Vault", "inputs": {"properties": {}}}
    fake.resources = [vault]
    assert not PulumiStack("local").recovered()
    vault["inputs"] = {"properties": {"createMode": "recover"}}
    assert PulumiStack("local").recovered()


def test_a_stack_file_that_is_no_yaml_is_one_error(fake: FakeStack) -> None:
    fake.fails = "error: invalid YAML file: yaml: line 32: mapping values are not allowed in this context"
    with pytest.raises(ReleaseError, match=r"^stack 'local': invalid YAML file: yaml: line 32"):
        PulumiStack("local").config()


def test_a_failure_without_an_event_says_the_lines_of_the_error(fake: FakeStack) -> None:
    fake.fails = "Updating (local)\nerror: the stack is currently locked by 1 lock(s)\nsomething else"
    with pytest.raises(ReleaseError, match=r"^stack 'local': the stack is currently locked by 1 lock\(s\)$"):
        PulumiStack("local").up(lambda _event: None)


def test_what_was_done_is_counted(fake: FakeStack) -> None:
    summary = {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": {"same": 5}, "policyPacks": {}}
    fake.events = [events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "summaryEvent": summary})]
    assert PulumiStack("local").up(lambda _event: None).unchanged
    summary["resourceChanges"] = {"same": 5, "update": 1}
    fake.events = [events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "summaryEvent": summary})]
    assert not PulumiStack("local").up(lambda _event: None).unchanged


@pytest.mark.parametrize("word", ["canceled", "cancelled"])
def test_a_cancelled_update_says_what_is_kept(word: str, fake: FakeStack) -> None:
    fake.events = [diagnostic("error", "update failed"), diagnostic("error", f"update {word}")]
    fake.fails = f"pulumi:pulumi:Stack x-local running error: update failed\nerror: update {word}"
    with pytest.raises(
        ReleaseError,
        match=r"^stack 'local': the update was cancelled\. Completed changes are kept, and the next",
    ):
        PulumiStack("local").up(lambda _event: None)


def test_changed_names_are_an_error_of_their_own_unless_they_are_accepted(fake: FakeStack) -> None:
    fake.events, fake.fails = [diagnostic("error", f"{RENAMES}\n  workspace old → new")], "update failed"
    with pytest.raises(RenamedError, match="workspace old → new"):
        PulumiStack("local").up(lambda _event: None)
    assert fake.workspace.env_vars[REFUSE_RENAMES] == "true"
    # A preview never refuses, not even after an update that did.
    PulumiStack("local").preview(lambda _event: None)
    assert fake.workspace.env_vars[REFUSE_RENAMES] == ""
    warning = diagnostic("warning", f"{RENAMES}\n  workspace old → new")
    fake.events, fake.fails = [warning, diagnostic("error", "no model")], "update failed"
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _event: None, replace_renamed=True)
    assert fake.workspace.env_vars[REFUSE_RENAMES] == ""
    assert not isinstance(failed.value, RenamedError)
    assert failed.value.message == f"stack 'local': no model\n{RENAMES}\n  workspace old → new"


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", "pulumi login"),
        ("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or", "set PULUMI_CONFIG_PASSPHRASE or"),
    ],
)
def test_who_is_not_signed_in_to_pulumi_reads_the_command(
    said: str, fix: str, fake: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_name: str, work_dir: str) -> None:
        raise automation.CommandError(automation.CommandResult(stdout="", stderr=said, code=255))

    monkeypatch.setattr(automation, "select_stack", refuse)
    with pytest.raises(ReleaseError, match=f"\n  fix: {fix}"):
        PulumiStack("dev")
    monkeypatch.setattr(sign_in, "check", lambda _name, _file: "connect to the VPN")
    with pytest.raises(ReleaseError, match="\n  fix: connect to the VPN"):
        PulumiStack("dev")


def test_only_commands_that_deploy_create_a_stack(fake: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str, work_dir: str) -> None:
        raise automation.StackNotFoundError(automation.CommandResult(stdout="", stderr="no stack named 'dev'", code=1))

    monkeypatch.setattr(automation, "select_stack", missing)
    monkeypatch.setattr(automation, "create_or_select_stack", lambda _name, work_dir: fake)
    with pytest.raises(ReleaseError, match=r"has no stack 'dev'\n  fix: release up --stack dev, or"):
        PulumiStack("dev")
    PulumiStack("dev", create=True)


def test_a_renamed_stack_finds_its_resources_by_the_tags_that_they_have(fake: FakeStack) -> None:
    naming = {"namespace": "mlops", "workspace": "flights", "postfix": "001"}
    fake.config["azureml-platform:naming"] = json.dumps(naming)
    tags = {"project": "azureml-platform", "namespace": "mlops", "workspace": "flights"}
    assert PulumiStack("local").tags() == {**tags, "stack": "local"}
    fake.config["azureml-platform:naming"] = json.dumps({**naming, "stack": "dev"})
    assert PulumiStack("local").tags() == {**tags, "stack": "dev"}


def test_an_update_says_why_it_ran_and_whether_the_program_rolls_out_at_once(fake: FakeStack) -> None:
    stack = PulumiStack("local")
    stack.up(lambda _: None, at_once=True, why="Deploy delays version 3")
    assert fake.messages == ["Deploy delays version 3"]
    assert fake.workspace.env_vars[ROLL_OUT_AT_ONCE] == "true"
    stack.up(lambda _: None)
    assert fake.workspace.env_vars[ROLL_OUT_AT_ONCE] == ""


def test_an_update_while_another_one_runs_is_one_message_with_its_owner(fake: FakeStack) -> None:
    fake.error = automation.ConcurrentUpdateError
    fake.fails = (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        "lock file with `pulumi cancel`.\n  file:///locks/1.json: created by ci@runner (pid 42) at 2026-11-28T09:00:00Z"
    )
    with pytest.raises(ReleaseError) as refused:
        PulumiStack("local").up(lambda _: None)
    assert refused.value.message == (
        "stack 'local' is being updated by another process (by ci@runner (pid 42) at 2026-11-28T09:00:00Z). "
        "Nothing was changed\n  fix: wait until it has ended, and run this command again. If it was killed on its "
        "machine: pulumi cancel -s local"
    )


@pytest.mark.parametrize("runs", [False, True])
def test_the_lock_of_a_killed_engine_of_this_machine_is_taken_over(
    runs: bool, fake: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, own = tmp_path / "locks" / "1.json", tmp_path / "locks" / "2.json"
    attributes = lock.with_name("1.json.attrs")  # the backend keeps it beside each file
    lock.parent.mkdir()
    for each in (lock, own, attributes):
        each.write_text("{}")
    fake.error = automation.ConcurrentUpdateError
    fake.fails = (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        f"lock file with `pulumi cancel`.\n  file://{lock}: created by ci@{socket.gethostname()} (pid 42) at 2026-11-28"
    )

    def process(pid: int) -> SimpleNamespace:
        assert pid == 42
        if not runs:
            raise psutil.NoSuchProcess(pid)
        return SimpleNamespace(status=lambda: psutil.STATUS_SLEEPING, name=lambda: "pulumi")

    unlink = Path.unlink

    def unlocked(path: Path, missing_ok: bool) -> None:
        unlink(path, missing_ok)
        fake.fails = ""

    monkeypatch.setattr(psutil, "Process", process)
    monkeypatch.setattr(Path, "unlink", unlocked)
    told: list[str] = []
    if runs:
        with pytest.raises(ReleaseError, match=r"is being updated by another process .*\(pid 42\)"):
            PulumiStack("local").up(told.append)
        assert told == []
        return
    PulumiStack("local").up(lambda event: told.append(event.diagnostic_event.message))
    assert list(lock.parent.iterdir()) == [own]
    assert told == [
        f"an engine was killed and left its lock, which is removed: ci@{socket.gethostname()} (pid 42) at 2026-11-28"
    ]


def test_the_locks_of_another_backend_are_removed_by_pulumi(fake: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.error = automation.ConcurrentUpdateError
    fake.fails = (
        "error: the stack is currently locked by 1 lock(s).\n  azblob://state/.pulumi/locks/1.json: created by "
        f"ci@{socket.gethostname()} (pid 42) at 2026-11-28"
    )

    def process(pid: int) -> SimpleNamespace:
        return SimpleNamespace(status=lambda: psutil.STATUS_SLEEPING, name=lambda: "python")  # a new one with its id

    monkeypatch.setattr(psutil, "Process", process)
    PulumiStack("local").up(lambda _: None)
    assert fake.messages == [None, None]
    assert fake.cancelled == 1


def test_an_update_names_the_resources_that_exist(fake: FakeStack) -> None:
    id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a"
    refused = {
        "severity": "error", "urn": "urn:account", "color": "never",
        "message": f"cannot create already existing resource '{id}'. Please import this resource instead",
    }  # fmt: skip
    fake.events = [events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": refused})]
    fake.fails = "error: update failed"
    with pytest.raises(ExistingError, match="already existing") as failed:
        PulumiStack("local").up(lambda _: None, keep_going=True)
    assert failed.value.existing == {"urn:account": id}


def test_two_releases_of_a_stack_in_one_folder_do_not_mix(fake: FakeStack) -> None:
    with PulumiStack("local").exclusively():
        second = PulumiStack("local").exclusively()
        with pytest.raises(ReleaseError, match="another release of stack 'local' is running in this folder"), second:
            pass
        with PulumiStack("dev").exclusively():
            pass
    with PulumiStack("local").exclusively():
        pass


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "stack 'local' is not deployed, or only in part\n  fix: release up"),
        (
            {"outputs_version": 2},
            "has outputs of version 2, and this release reads version 1\n  fix: use the release of",
        ),
        ({"outputs_version": 1}, "only in part: .*output workspace is missing.*\n  fix: release up --stack local"),
    ],
)
def test_missing_outputs_and_those_of_another_version_are_named(
    values: dict[str, Any], message: str, fake: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = SimpleNamespace(returncode=0, stdout=json.dumps(values), stderr="")
    monkeypatch.setattr(stack_module.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(ReleaseError, match=f"(?s){message}"):
        PulumiStack("local").deployed()


@pytest.mark.parametrize(("project", "program"), [("name: a\n", "."), ("name: a\nmain: ../program\n", "../program")])
def test_the_program_is_where_the_project_says(
    project: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack on the local Azure has a project folder whose program is elsewhere: the repository or an example."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(project)
    monkeypatch.setenv(CWD_VARIABLE, str(folder))
    assert stack_module.program_folder() == (folder / program).resolve()


@pytest.mark.parametrize(
    ("messages", "passes"),
    [
        (["TooManyRequests: The request was throttled.", "Traceback: ResourceRegistrationFailed: resource b"], True),
        (["<Error><Code>InternalError</Code></Error>"], True),
        (["ExpiredAuthenticationToken: The access token has expired.", "('Connection aborted.', 1)"], True),
        (["InternalServerError: The service stumbled.", "AuthorizationFailed: The client does not have"], False),
        (["size 'Standard_500' is unknown"], False),
        ([], False),
    ],
)
def test_only_failures_of_azure_that_pass_are_worth_another_attempt(
    messages: list[str], passes: bool, fake: FakeStack
) -> None:
    fake.events = [diagnostic("error", each) for each in messages]
    fake.fails = "error: update failed"
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _: None)
    assert isinstance(failed.value, PassingError) is passes


@pytest.mark.parametrize(
    ("messages", "passes"),
    [
        (["endpoint a refused 10 % to a-1: (InternalServerError) x (another attempt can succeed)"], True),
        (["component prep: something new (another attempt can succeed)", "503 Service Unavailable"], True),
        (["deployment 'a-1' on endpoint a failed its checks at 10 % of the traffic: 12 of 400 got 503"], False),
        (["deployment 'a-1' on endpoint a did not start: its log ends with: Connection reset"], False),
        (["job 'plum_1' ended as Failed: the server said 503"], False),
        (["component prep: x (another attempt can succeed)", "size 'Standard_500' is unknown"], False),
    ],
)
def test_our_provider_says_itself_which_of_its_failures_pass(
    messages: list[str], passes: bool, fake: FakeStack
) -> None:
    """The first error is our provider's. Words count in others', such as azure-native's, only."""
    urn = "urn:pulumi:dev::p::azureml:index:Assets$pulumi-python:dynamic/azureml:OnlineEndpoint::endpoint-a"
    ours = {
        "severity": "error", "urn": urn, "color": "never", "message": f"Exception calling application: {messages[0]}\n",
    }  # fmt: skip
    fake.events = [
        events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": ours}),
        *(diagnostic("error", each) for each in messages[1:]),
    ]
    fake.fails = "error: update failed"
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _: None)
    assert isinstance(failed.value, PassingError) is passes
    assert "another attempt" not in str(failed.value)


def test_a_full_disk_is_one_error_with_its_folder_and_leaves_no_empty_lock(fake: FakeStack, tmp_path: Path) -> None:
    lock = tmp_path / ".pulumi" / "locks" / "organization" / "p" / "local" / "1.json.18ec.tmp"
    lock.parent.mkdir(parents=True)
    lock.touch()
    fake.fails = f"error: 2 errors occurred:\n    1) write {lock}: no space left on device\n    2) Unknown"
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _: None)
    assert failed.value.message == (
        f"stack 'local': Pulumi cannot write to {tmp_path}: the disk is full\n"
        "  fix: free space there, and run this command again"
    )
    assert not lock.exists()


def test_an_empty_lock_that_a_full_disk_left_is_removed(fake: FakeStack, tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "p" / "local"
    folder.mkdir(parents=True)
    for name in ("1.json.18ec.tmp", "2.json.18ed.tmp"):
        (folder / name).touch()
    os.utime(folder / "1.json.18ec.tmp", (0, 0))  # the other one is being written
    fake.fails = "error: unexpected end of JSON input"

    def backend() -> SimpleNamespace:
        fake.fails = ""
        return SimpleNamespace(url=f"file://{tmp_path}")

    fake.workspace.who_am_i = backend
    told: list[str] = []
    PulumiStack("local").up(lambda event: told.append(event.diagnostic_event.message))
    assert [each.name for each in folder.iterdir()] == ["2.json.18ed.tmp"]
    assert told == [f"an engine could not write its lock, which is removed: {folder / '1.json.18ec.tmp'}"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("config:\n  a: [1\n", "Pulumi.dev.yaml:3: malformed YAML"),
        ("config:\n\ta: 1\n", "Pulumi.dev.yaml:2: malformed YAML: the line is indented with a tab"),
        ("- a\n", "Pulumi.dev.yaml:1: is not a YAML mapping"),
        ("config: text\n", "Pulumi.dev.yaml:1: config is not a mapping"),
        ("<<<<<<< HEAD\nconfig: {}\n", "Pulumi.dev.yaml:1: has the marks of a merge conflict"),
        ("config:\n  a: 1\n  a: 2\n", "Pulumi.dev.yaml:3: 'a' is written twice"),
        ("", "Pulumi.dev.yaml: is empty"),
    ],
)
def test_a_broken_stack_file_is_one_error_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str
) -> None:
    monkeypatch.setenv(CWD_VARIABLE, str(tmp_path))
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(ReleaseError) as caught:
        PulumiStack("dev")
    assert str(caught.value.message).startswith(place)
    assert "\n  fix: " in caught.value.message
    assert "az ml" not in caught.value.message
    with pytest.raises(ReleaseError, match="Nothing was changed"):
        _ = Subject("dev", tmp_path, tmp_path, {}).document
