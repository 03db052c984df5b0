"""A stack's own file, outputs and names, without an engine."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi import automation

from infra import REFUSE_RENAMES, RENAMES
from infra import naming as naming_rule
from infra.outputs import ModelOutput
from infra.settings.naming import NamingSettings
from release import sign_in
from release import stack as stack_module
from release.doctor.subject import Subject
from release.errors import ReleaseError, RenamedError
from release.project import CWD_VARIABLE, program_folder
from release.stack import PulumiStack
from tests.unit.release.stacks import FakeStack, diagnostic


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
    assert program_folder() == (folder / program).resolve()


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
