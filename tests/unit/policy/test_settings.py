"""The settings of environments and the exceptions: what they change, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policy import environments as files
from policy.environments import Environment, Exemption, PolicyError
from policy.examination import EXPIRED, Policy, configuration, project_folder
from policy.rules import RULES
from policy.subject import Place, Resource, short_type

STORAGE = "azure-native:storage:StorageAccount"
TODAY = date(2026, 11, 28)
FITTING = {"allowSharedKeyAccess": False, "minimumTlsVersion": "TLS1_2", "tags": {"project": "p", "stack": "s"}}
BROKEN = Resource(STORAGE, "storage", {**FITTING, "allowSharedKeyAccess": True})


def policy(*exemptions: Exemption, **settings: Any) -> Policy:
    return Policy(Place("dev", Path()), Environment.model_validate({"stacks": ["*"], **settings}), exemptions, TODAY)


def exemption(**changes: Any) -> Exemption:
    values = {"rule": "storage-shared-key", "resource": "storage", "reason": "r", "owner": "o", "expires": TODAY}
    return Exemption.model_validate({**values, **changes})


def test_a_rule_for_production_applies_there_alone() -> None:
    local = Resource(STORAGE, "storage", {**FITTING, "sku": {"name": "Standard_LRS"}})
    assert "storage-redundancy" not in {each.rule for each in policy().examine([local])}
    assert "storage-redundancy" in {each.rule for each in policy(production=True).examine([local])}


@pytest.mark.parametrize(
    "definition", [{"image": "ubuntu"}, {"image": "ubuntu:24.04", "conda_file": {"dependencies": ["numpy"]}}]
)
def test_what_is_not_pinned_stops_production_alone(definition: dict[str, Any]) -> None:
    environment = Resource("azureml:Environment", "training", {"definition": definition})
    (found,) = policy().examine([environment])
    assert (found.severity, found.refuses) == ("advisory", False)
    (found,) = policy(production=True).examine([environment])
    assert (found.severity, found.refuses) == ("mandatory", True)
    (found,) = policy(levels={found.rule: "mandatory"}).examine([environment])
    assert found.refuses


def test_an_environment_changes_the_level_of_a_rule() -> None:
    (found,) = policy().examine([BROKEN])
    assert (found.severity, found.refuses) == ("mandatory", True)
    (found,) = policy(levels={"storage-shared-key": "advisory"}).examine([BROKEN])
    assert (found.severity, found.refuses) == ("advisory", False)
    assert policy(levels={"storage-shared-key": "off"}).examine([BROKEN]) == []


def test_an_optional_rule_applies_where_it_has_a_level() -> None:
    endpoint = Resource("azureml:OnlineEndpoint", "endpoint", {"definition": {"auth_mode": "key"}})
    assert policy().examine([endpoint]) == []
    (found,) = policy(levels={"endpoint-entra-auth": "mandatory"}).examine([endpoint])
    assert found.problem == "auth_mode is key"


def test_an_exception_allows_one_rule_for_one_resource_until_its_last_day() -> None:
    (found,) = policy(exemption()).examine([BROKEN])
    assert (found.refuses, found.exemption) == (False, exemption())
    (found,) = policy(exemption(resource="other*")).examine([BROKEN])
    assert found.refuses


def test_an_expired_exception_is_an_error_that_says_so() -> None:
    expired, broken = policy(exemption(expires=date(2026, 11, 27))).examine([BROKEN])
    assert (expired.rule, expired.refuses, broken.refuses) == (EXPIRED, True, True)
    assert expired.problem == "the exception from storage-shared-key expired on 2026-11-27 (owner: o)"


@pytest.mark.attack
@pytest.mark.parametrize("end", [date(2028, 11, 28), date(9999, 12, 31)])
def test_no_exception_lasts_for_ever(end: date) -> None:
    endless, broken = policy(exemption(expires=end)).examine([BROKEN])
    assert (endless.rule, endless.refuses, broken.refuses) == (EXPIRED, True, True)
    assert endless.problem == f"the exception from storage-shared-key lasts until {end} (owner: o)"
    assert endless.fix == "write a date until 2027-11-29 in policy/exceptions.yml"
    assert not policy(exemption(expires=date(2027, 11, 29))).examine([BROKEN])[0].refuses


def test_mandatory_findings_come_first() -> None:
    logs = Resource("azure-native:operationalinsights:Workspace", "logs", {"retentionInDays": 30})
    found = policy(production=True).examine([logs, BROKEN])
    assert [each.severity for each in found] == sorted((each.severity for each in found), reverse=True)


def test_the_first_entry_that_matches_applies_and_others_have_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "environments.yml").write_text(
        "environments:\n  - {stacks: ['prod*'], production: true}\n  - {stacks: [prod-eu], requiredTags: [a]}\n"
    )
    read = files.environments(RULES.keys(), tmp_path / "environments.yml")
    assert read.of("prod-eu").production
    assert read.of("dev") == Environment(stacks=["*"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("environments: [{stacks: []}]", r"environments\[0\]\.stacks: List should have at least 1 item"),
        (
            "environments: [{stacks: [a], levels: {public-netwrk-access: off}}]",
            "there is no rule 'public-netwrk-access'",
        ),
        (
            "environments: [{stacks: [a], levels: {idle-nodes: strict}}]",
            r"levels\.idle-nodes: Input should be 'mandatory'",
        ),
        ("environments: [{stacks: [a], limit: {}}]", r"environments\[0\]\.limit: Extra inputs are not permitted"),
        (
            "environments: [{stacks: [a], limits: {maxIdleTime: half an hour}}]",
            "limits.maxIdleTime: Input should be a valid",
        ),
        ("environments: {", "is not YAML: while parsing"),
        ("[1]", "the file: Input should be a valid dictionary"),
    ],
)
def test_wrong_settings_are_one_error_with_file_and_key(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "environments.yml"
    file.write_text(text)
    with pytest.raises(PolicyError, match=message) as caught:
        files.environments(RULES.keys(), file)
    assert str(file) in str(caught.value)


def test_yaml_reads_off_as_false_and_the_settings_take_it(tmp_path: Path) -> None:
    (tmp_path / "environments.yml").write_text("environments: [{stacks: [a], levels: {idle-nodes: off}}]")
    read = files.environments(RULES.keys(), tmp_path / "environments.yml")
    assert read.of("a").levels == {"idle-nodes": "off"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("rule: no-such-rule", r"exceptions\[0\]\.rule: there is no rule 'no-such-rule'"),
        ("rule: storage-shared-keys", "did you mean `storage-shared-key`"),
        ("expires: soon", r"exceptions\[0\]\.expires: must be a date such as 2027-03-31"),
        ("expires: 20270331", "must be a date"),
        ("owner: ''", r"exceptions\[0\]\.owner: String should have at least 1 character"),
        ("until: 2027-03-31", r"exceptions\[0\]\.until: Extra inputs"),
    ],
)
def test_wrong_exceptions_are_one_error_with_file_and_key(change: str, message: str, tmp_path: Path) -> None:
    entry = {"rule": "idle-nodes", "resource": "c", "reason": "r", "owner": "o", "expires": "2027-03-31"}
    key, _, value = change.partition(": ")
    lines = [f"    {name}: {each}" for name, each in {**entry, key: value}.items()]
    file = tmp_path / "exceptions.yml"
    file.write_text("exceptions:\n  -\n" + "\n".join(lines))
    with pytest.raises(PolicyError, match=message):
        files.exemptions(RULES.keys(), file)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"cannot read .*: No such file"):
        files.exemptions(RULES.keys(), tmp_path / "exceptions.yml")


def test_an_exception_of_another_stack_does_not_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "policy.examination.exemptions", lambda _rules: [exemption(stack="prod"), exemption(stack="d*")]
    )
    assert Policy.of(Place("dev", tmp_path), TODAY).exemptions == [exemption(stack="d*")]


def test_encrypted_values_are_not_part_of_the_configuration(tmp_path: Path) -> None:
    text = (
        "config:\n  app:password: {secure: v1:abc}\n  app:group: {token: {secure: v1:abc}, list: [{secure: v1:x}, 1]}\n"
    )
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    assert configuration(Place("dev", tmp_path)).inputs == {"app:group": {"list": [1]}}
    assert configuration(Place("other", tmp_path)).inputs == {}


def test_the_project_is_found_from_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert project_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    (tmp_path / "Pulumi.yaml").touch()
    assert project_folder(tmp_path / "a" / "b") == tmp_path


@pytest.mark.parametrize(
    ("token", "short"),
    [
        ("pulumi-python:dynamic/azureml:OnlineEndpoint", "azureml:OnlineEndpoint"),
        ("azure-native:storage/v20240101:StorageAccount", "azure-native:storage:StorageAccount"),
        ("azure-native:storage/v20240101preview:StorageAccount", "azure-native:storage:StorageAccount"),
        ("pulumi:pulumi:Stack", "pulumi:pulumi:Stack"),
    ],
)
def test_a_type_has_no_version(token: str, short: str) -> None:
    assert short_type(token) == short


@pytest.mark.attack
def test_a_secret_in_the_settings_of_the_project_is_part_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        "config:\n  app:dbPassword: {type: string, default: hunter2hunter2}\n  app:token: {value: hunter2hunter2}\n"
        "  app:pwd: hunter2hunter2\n  app:other: {type: string}\n"
    )
    found = policy().of_resource(configuration(Place("dev", tmp_path)))
    assert [each.problem.partition(" ")[0] for each in found] == ["app:dbPassword", "app:token", "app:pwd"]


@pytest.mark.attack
def test_a_stack_with_another_name_has_the_rules_of_its_resources(tmp_path: Path) -> None:
    place = Place("trial", tmp_path)
    file = tmp_path / "Pulumi.trial.yaml"
    file.write_text("config: {'azureml-platform:naming': {namespace: mlops}}")
    assert not Policy.of(place, TODAY).environment.production
    file.write_text("config: {'azureml-platform:naming': {stack: prod}}")
    assert Policy.of(place, TODAY).environment.production
