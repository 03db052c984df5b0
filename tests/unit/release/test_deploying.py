"""`release deploy` and `release rollback`: what they check, and that a failure restores everything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from azure.core.exceptions import ResourceNotFoundError
from click.testing import CliRunner

from infra.outputs import ModelOutput
from release import cli, documentation
from release.deploying import checks, command, deployment, earlier
from release.errors import ReleaseError
from release.history.reason import Reason
from release.history.served import Served
from release.project import ROOT
from tests.unit.release.released import DECISION, MODEL, SHA256, Target, released


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    made = Target(tmp_path, sharing={"registry": "mlops"})
    monkeypatch.setattr(command, "PulumiStack", lambda _name, **_: made)
    monkeypatch.setattr(checks, "find_model", lambda *_: SimpleNamespace(tags=released().evidence))
    monkeypatch.setattr(checks, "registry_client", lambda _name: None)
    monkeypatch.setattr(checks.contents, "of", lambda *_: SimpleNamespace(sha256=SHA256))
    monkeypatch.setattr(checks, "git_commit", lambda _root: "c0ffee-dirty")
    monkeypatch.setattr(deployment, "smoke_test", lambda *_: None)
    released().write(tmp_path / "release.json")
    return made


@pytest.fixture
def updates(target: Target, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, str]]:
    """Return each update: what the file said, whether it rolled out at once, and its message."""
    done: list[tuple[str, bool, str]] = []

    def update(_target: Any, _console: Any, *, at_once: bool, why: str) -> None:
        done.append((target.file.read_text(), at_once, why))

    monkeypatch.setattr(deployment, "update", update)
    return done


def deploy(target: Target, *options: str, expect: int = 0) -> str:
    file = str(target.file.with_name("release.json"))
    done = CliRunner().invoke(cli.main, ["deploy", file, "-s", "prod", *options])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == expect, done.output
    return done.output


def test_a_release_is_written_rolled_out_and_recorded(target: Target, updates: list[tuple[str, bool, str]]) -> None:
    output = deploy(target, "--approved-by", "Jane Doe")
    ((file, at_once, why),) = updates
    assert (file, at_once) == ("model: 3\n", False)
    reason = Reason.read(why)
    assert reason.title == "Deploy delays version 3 of registry mlops"
    assert (reason.approved_by, reason.commit, reason.job) == ("Jane Doe", "c0ffee", "busy_rain")
    assert "flights of stack prod serves delays version 3 of registry mlops." in output
    assert target.file.read_text() == "model: 3\n"


@pytest.mark.parametrize(
    ("model", "goes_back"),
    [
        ({"name": "delays", "version": "10", "registry": "mlops"}, True),
        ({"name": "delays", "version": "2", "registry": "mlops"}, False),
        ({"name": "trains", "version": "10", "registry": "mlops"}, False),
        ({"name": "delays", "version": "10"}, False),
        ("azureml:delays:10", False),
    ],
)
def test_a_release_that_is_older_than_what_serves_is_deployed_and_said(
    model: Any, goes_back: bool, target: Target, updates: list[Any]
) -> None:
    target.values["azureml-platform:models"] = {"flights": model}
    output = " ".join(deploy(target).split())
    said = "flights goes back: the stack file has version 10 of delays, which is later"
    assert (said in output) is goes_back
    assert len(updates) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"gate": {**DECISION.model_dump(), "deploy_flag": 0, "reason": "worse than version 2"}},
            "the gate refused delays version 3: worse",
        ),
        (
            {"metadata_version": 2},
            "has metadata_version 2, and this release reads version 1\n  fix: use the",
        ),
        ({"metadata_version": None}, "has no metadata_version"),
        ({"model": {"name": "delays"}}, "is not valid: model.version: Field required"),
    ],
)
def test_a_release_that_may_not_or_cannot_be_read_changes_nothing(
    changed: dict[str, Any], message: str, target: Target, updates: list[Any]
) -> None:
    file = target.file.with_name("release.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    assert message in deploy(target, expect=1)
    assert (updates, target.file.read_text()) == ([], "model: 2\n")


@pytest.mark.attack
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        # The file says that the gate accepted what it refused, or brings the decision about another version.
        ({"gate": {**DECISION.model_dump(), "reason": "as good as new"}}, "published_gate_sha256 differs"),
        ({"gate": {**DECISION.model_dump(), "metrics": {"roc_auc": 0.9}}}, "published_gate_sha256 differs"),
        (
            {"gate": {**DECISION.model_dump(), "model": "trains"}},
            "the gate's decision is about model trains, not delays",
        ),
        ({"training": {"name": "lazy_sun", "workspace_id": "/w", "inputs": {}}}, "published_from_job differs"),
    ],
)
def test_a_decision_that_the_registry_does_not_confirm_deploys_nothing(
    changed: dict[str, Any], message: str, target: Target, updates: list[Any]
) -> None:
    file = target.file.with_name("release.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    output = " ".join(deploy(target, expect=1).split())
    assert message in output
    assert "find out who changed this one" in output
    assert (updates, target.file.read_text()) == ([], "model: 2\n")


@pytest.mark.attack
def test_a_model_that_was_only_shared_is_not_deployed(
    target: Target, updates: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_model", lambda *_: SimpleNamespace(tags=None))
    output = " ".join(deploy(target, expect=1).split())
    assert "published_from_job, published_gate_sha256 is missing fix: publish it again" in output
    assert updates == []


def test_a_file_that_is_no_metadata_is_one_message(target: Target) -> None:
    file = target.file.with_name("release.json")
    for text in ("{", "[" * 100_000):
        file.write_text(text)
        assert "is not JSON" in deploy(target, expect=1)
    file.unlink()
    assert "cannot read" in deploy(target, expect=1)


def test_a_stack_of_another_registry_cannot_read_the_model(target: Target, updates: list[Any]) -> None:
    target.values["azureml-platform:sharing"] = {}
    output = deploy(target, expect=1)
    assert "stack 'prod' cannot read delays version 3: it is in registry 'mlops', and stack 'prod' uses no" in output
    assert updates == []


def test_other_files_under_the_same_version_are_refused(
    target: Target, updates: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.contents, "of", lambda *_: SimpleNamespace(sha256="beef" * 16))
    assert "the files of delays version 3 in registry" in deploy(target, expect=1)
    monkeypatch.setattr(checks, "find_model", lambda *_: None)
    assert "fix: release publish --stack dev --job busy_rain" in deploy(target, expect=1)
    assert updates == []


def test_only_endpoints_of_the_release_and_of_the_stack_are_deployed(target: Target, updates: list[Any]) -> None:
    assert "the release has no endpoint 'trains'; it has: flights" in deploy(target, "--endpoint", "trains", expect=1)
    target.values["azureml-platform:overrides"] = {"endpoints": {"flights": {"exclude": True}}}
    assert "stack 'prod' leaves out each endpoint of the release: flights" in deploy(target, expect=1)
    assert updates == []


def test_a_rejection_changes_nothing(target: Target, updates: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def reject(*_: Any) -> Any:
        raise ReleaseError("octocat rejected the deployment to 'prod'. Nothing was changed")

    monkeypatch.setattr(command, "approver", reject)
    assert "octocat rejected the deployment" in deploy(target, expect=1)
    assert (updates, target.file.read_text()) == ([], "model: 2\n")


@pytest.mark.parametrize("error", [ReleaseError("stack 'prod': the canary failed"), KeyboardInterrupt()])
def test_a_rollout_that_fails_leaves_the_stack_file_as_before(
    error: BaseException, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(deployment, "update", fail)
    output = deploy(target, expect=1)
    assert target.file.read_text() == "model: 2\n"
    if isinstance(error, ReleaseError):
        assert "the canary failed\nPulumi.prod.yaml was restored." in output


def test_an_interrupted_smoke_test_leaves_the_stack_file_as_before(
    target: Target, updates: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deployment, "smoke_test", interrupt)
    deploy(target, expect=1)
    assert (len(updates), target.file.read_text()) == (1, "model: 2\n")


def test_a_smoke_test_that_fails_brings_file_and_traffic_back_at_once(
    target: Target, updates: list[tuple[str, bool, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ReleaseError("endpoint 'flights' did not answer sample-request.json within 1 s")

    monkeypatch.setattr(deployment, "smoke_test", fail)
    output = deploy(target, expect=1)
    assert [(file, at_once) for file, at_once, _ in updates] == [("model: 3\n", False), ("model: 2\n", True)]
    assert (
        Reason.read(updates[1][2]).title
        == "Return after a failed smoke test: Deploy delays version 3 of registry mlops"
    )
    assert "within 1 s\nPulumi.prod.yaml and the traffic were restored." in output


def test_a_return_that_fails_too_says_both(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_outputs: Any, _endpoint: str, _seconds: float, _say: Any) -> None:
        monkeypatch.setattr(deployment, "update", fail_too)
        raise ReleaseError("no answer")

    def fail_too(*_: Any, **__: Any) -> None:
        raise ReleaseError("Azure is away")

    monkeypatch.setattr(deployment, "update", lambda *_, **__: None)
    monkeypatch.setattr(deployment, "smoke_test", fail)
    output = deploy(target, expect=1)
    assert "no answer\nThe rollback to the previous version also failed: Azure is away\n  fix: release up" in output
    assert target.file.read_text() == "model: 2\n"


def entry(version: str, result: Any, registry: str | None = "mlops") -> Served:
    at = datetime(2026, 11, 28, 9, int(version), tzinfo=UTC)
    return Served(
        endpoint="flights", model="delays", version=version, registry=registry, result=result, since=at, title="t",
        commit="c0ffee", job="busy_rain",
    )  # fmt: skip


HISTORY = [entry("1", "served"), entry("2", "serving"), entry("3", "failed")]


class Models:
    """A version of a registry, which may be archived or missing."""

    archived = False
    missing = False

    def _get(self, _name: str, _version: str) -> Any:
        if self.missing:
            raise ResourceNotFoundError("no")
        return SimpleNamespace(properties=SimpleNamespace(is_archived=self.archived))


@pytest.fixture
def models(target: Target, monkeypatch: pytest.MonkeyPatch) -> Models:
    made = Models()
    monkeypatch.setattr(command, "served", lambda _updates: HISTORY)
    monkeypatch.setattr(earlier, "registry_client", lambda _name: SimpleNamespace(models=made))
    return made


def rollback(*options: str, expect: int = 0) -> str:
    done = CliRunner().invoke(cli.main, ["rollback", "flights", "-s", "prod", *options])
    assert done.exit_code == expect, done.output
    return done.output


@pytest.mark.usefixtures("models")
def test_a_rollback_serves_an_earlier_version_at_once(updates: list[tuple[str, bool, str]], target: Target) -> None:
    assert "flights of stack prod serves delays version 1 of registry mlops again." in rollback("--to", "1")
    ((file, at_once, why),) = updates
    assert (file, at_once) == ("model: 1\n", True)
    assert Reason.read(why).title == "Roll flights back to delays version 1 of registry mlops"
    rollback("--to", "1", "--canary")
    assert updates[1][1] is False


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("9", "never served version 9. It served: delays 1 since 2026-11-28 09:01; delays 2 since 2026-11-28 09:02"),
        ("3", "never served version 3"),
        ("2", "endpoint 'flights' of stack 'prod' already serves version 2"),
    ],
)
def test_a_version_that_did_not_serve_before_is_refused(version: str, message: str, updates: list[Any]) -> None:
    assert message in rollback("--to", version, expect=1)
    assert updates == []


def test_an_archived_version_is_refused_with_the_command_that_restores_it(models: Models, updates: list[Any]) -> None:
    models.archived = True
    output = rollback("--to", "1", expect=1)
    assert "delays version 1 is archived in registry 'mlops'" in output
    assert "az ml model restore --name delays --version 1 --registry-name mlops" in output
    models.missing = True
    assert "registry 'mlops' no longer has delays version 1" in rollback("--to", "1", expect=1)
    assert updates == []


def test_the_model_of_a_release_is_its_registrys() -> None:
    assert released().model.reference == MODEL == ModelOutput(name="delays", version="3", registry="mlops")


def test_the_metadata_fit_their_schema() -> None:
    text = (ROOT / "docs" / "release-metadata.schema.json").read_text("utf-8")
    assert text == documentation.metadata_schema(), "run `python -m release.documentation`"
    jsonschema.validate(json.loads(released().model_dump_json()), json.loads(text), jsonschema.Draft202012Validator)
