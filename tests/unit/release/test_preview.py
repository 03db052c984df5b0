"""What an update would do, from the engine's events: which changes are shown, and how."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from pulumi import dynamic
from pulumi.automation import events
from pulumi.runtime.rpc import UNKNOWN

import pulumi_azureml as azureml
from infra import RENAMES
from pulumi_azureml.operations import CHANGED
from release import documentation
from release.errors import ReleaseError
from release.preview import command
from release.preview.document import Preview
from release.preview.plan import Plan
from release.preview.text import show
from release.terminal.console import new_console

ROOT = Path(__file__).resolve().parents[3]

COMPONENT = "pulumi-python:dynamic/azureml:Component"
SCHEDULE = "pulumi-python:dynamic/azureml:Schedule"
ENDPOINT = "pulumi-python:dynamic/azureml:OnlineEndpoint"


def step(operation: str, name: str, type_: str, old: Any, new: Any) -> dict[str, Any]:
    return {
        "op": operation,
        "urn": f"urn:pulumi:dev::azureml-platform::{type_}::{name}",
        "type": type_,
        "old": {"inputs": old} if old is not None else None,
        "new": {"inputs": new} if new is not None else None,
    }


def event(operation: str, name: str, type_: str, old: Any = None, new: Any = None) -> events.EngineEvent:
    metadata = step(operation, name, type_, old, new)
    return events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "resourcePreEvent": {"metadata": metadata}})


def component(version: str, **changes: Any) -> dict[str, Any]:
    files = {"ml/prep/src/main.py": "aaa", "ml/prep/src/old.py": "bbb"}
    definition = {"command": "python main.py", "version": version}
    return {"name": "prep", "version": version, "files": files, "definition": definition, "metadata": {}, **changes}


def plan(*received: events.EngineEvent) -> Plan:
    made = Plan()
    for each in received:
        made(each)
    return made


def printed(made: Plan) -> str:
    text = io.StringIO()
    show(new_console(text), made.document("dev"))
    return text.getvalue()


def test_an_update_names_versions_files_and_keys() -> None:
    new = component("222222222222", files={"ml/prep/src/main.py": "ccc", "ml/prep/src/new.py": "ddd"})
    new["definition"] = {**new["definition"], "command": "python main.py --fast"}
    new["metadata"] = {"description": "quick"}
    made = plan(event("update", "component-prep", COMPONENT, component("111111111111"), new))
    assert printed(made).splitlines() == [
        "~ component-prep (azureml:Component) 111111111111 → 222222222222",
        "      + ml/prep/src/new.py",
        "      - ml/prep/src/old.py",
        "      ~ ml/prep/src/main.py",
        "      ~ command: python main.py → python main.py --fast",
        "      ~ description: (not set) → quick",
        "",
        "1 to update",
    ]


def test_every_resource_class_can_be_created() -> None:
    """Also those that are not assets, such as a managed network."""
    public = [getattr(azureml, name) for name in azureml.__all__]
    classes = [each for each in public if isinstance(each, type) and issubclass(each, dynamic.Resource)]
    assert azureml.ManagedNetwork in classes
    inputs = {"name": "it", "version": "1"}
    for each in classes:
        token = f"pulumi-python:dynamic/azureml:{each.__name__}"
        (change,) = plan(event("create", "it", token, None, inputs)).changes
        assert change.new == ("1" if hasattr(each, "kind") else None)


def test_what_keeps_its_version_shows_none() -> None:
    old, new = component("111111111111"), component("111111111111", metadata={"description": "quick"})
    made = plan(event("update", "component-prep", COMPONENT, old, new))
    assert printed(made).splitlines()[0] == "~ component-prep (azureml:Component)"


def test_names_and_values_are_printed_as_they_stand() -> None:
    old = component("111111111111", definition={"component": "azureml:train:1", "command": "run [bold]", "a": "[/x]"})
    new = component("222222222222", definition={"component": "azureml:train:2", "command": "run [red]", "a": "[/y]"})
    made = plan(event("update", "component-[x]", COMPONENT, old, new))
    assert printed(made).splitlines()[:4] == [
        "~ component-[x] (azureml:Component) 111111111111 → 222222222222",
        "      ~ a: [/x] → [/y]",
        "      ~ command: run [bold] → run [red]",
        "      ~ component: azureml:train:1 → azureml:train:2",
    ]


def test_json_has_every_field_of_every_change_as_documented() -> None:
    new = component("222222222222", files={"ml/prep/src/main.py": "ccc"}, metadata={"tags": {"team": "b"}})
    made = plan(
        event("update", "component-prep", COMPONENT, component("111111111111", metadata={"tags": {"team": "a"}}), new),
        event("delete", "storage", "azure-native:storage:StorageAccount", {"a": 1}),
    )
    document = json.loads(made.document("dev").model_dump_json())
    schema = json.loads((ROOT / "docs" / "preview.schema.json").read_text("utf-8"))
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    assert document == {
        "preview_version": 1,
        "stack": "dev",
        "changes": [
            {
                "operation": "update",
                "name": "component-prep",
                "kind": "azureml:Component",
                "old": "111111111111",
                "new": "222222222222",
                "files": {"added": [], "removed": ["ml/prep/src/old.py"], "changed": ["ml/prep/src/main.py"]},
                "keys": [{"key": "tags.team", "old": "a", "new": "b", "drifted": False}],
                "overrides": [],
                "drifted": False,
                "because": [],
                "dependants": [],
            },
            {
                "operation": "delete",
                "name": "storage",
                "kind": "storage:StorageAccount",
                "old": None,
                "new": None,
                "files": {"added": [], "removed": [], "changed": []},
                "keys": [],
                "overrides": [],
                "drifted": False,
                "because": [],
                "dependants": [],
            },
        ],
        "errors": [],
        "warnings": [],
        "notes": [],
        "gate": None,
        "quota": None,
        "policy": None,
        "cost": None,
    }


def endpoint(size: str, **more: Any) -> dict[str, Any]:
    deployment = {"name": "blue", "definition": {"instance_type": size, "model": "azureml:delays:7"}, "files": {}}
    return {"name": "flights", "version": "1", "definition": {}, "metadata": {}, "deployment": deployment, **more}


OVERRIDDEN = {
    "deployment.instance_type": {"set_by": "platform:overrides.instanceType", "in_file": "Standard_DS3_v2"},
    "deployment.model": {"set_by": "platform:overrides.model"},
}


def test_a_value_of_the_stack_file_is_shown_with_its_key_and_the_value_of_the_asset_file() -> None:
    new = endpoint("Standard_DS2_v2", overridden=OVERRIDDEN)
    made = plan(event("update", "endpoint-flights", ENDPOINT, endpoint("Standard_DS3_v2"), new))
    assert printed(made).splitlines()[1] == (
        "      ~ deployment.instance_type: Standard_DS3_v2 → Standard_DS2_v2 "
        "(platform:overrides.instanceType; in the file it is Standard_DS3_v2)"
    )
    (override,) = made.changes[0].overrides
    assert override.model_dump() == {
        "key": "deployment.instance_type",
        "value": "Standard_DS2_v2",
        "set_by": "platform:overrides.instanceType",
        "in_file": "Standard_DS3_v2",
    }


def test_a_new_resource_shows_all_values_of_the_stack_file() -> None:
    made = plan(event("create", "endpoint-flights", ENDPOINT, None, endpoint("Standard_DS2_v2", overridden=OVERRIDDEN)))
    _, size, model, *_ = printed(made).splitlines()
    in_file = "(platform:overrides.instanceType; in the file it is Standard_DS3_v2)"
    assert size == f"      + deployment.instance_type: Standard_DS2_v2 {in_file}"
    assert model == "      + deployment.model: azureml:delays:7 (platform:overrides.model; in the file it is not set)"


def test_what_the_program_remarks_is_shown_once() -> None:
    remark = {"severity": "info", "message": "daily.yml is left out of this stack\n", "color": "never"}
    note = events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": remark})
    made = plan(note, note)
    assert printed(made).splitlines() == ["No changes.", "daily.yml is left out of this stack"]
    assert json.loads(made.document("dev").model_dump_json())["notes"] == ["daily.yml is left out of this stack"]


def test_a_warning_comes_before_all_changes() -> None:
    said = {"severity": "warning", "message": f"{RENAMES}\n  workspace [old] → new\n", "color": "never"}
    warning = events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": said})
    made = plan(event("replace", "workspace", "azure-native:storage:StorageAccount", {}, {}), warning)
    assert printed(made).splitlines()[:4] == [
        f"warning: {RENAMES}",
        "  workspace [old] → new",
        "",
        "± workspace (storage:StorageAccount)",
    ]
    assert json.loads(made.document("dev").model_dump_json())["warnings"] == [f"{RENAMES}\n  workspace [old] → new"]


def test_the_documented_schema_is_current_and_describes_every_field() -> None:
    text = (ROOT / "docs" / "preview.schema.json").read_text("utf-8")
    assert text == documentation.preview_schema(), "run `python -m release.documentation`"
    schema = json.loads(text)
    for group in (schema, *schema["$defs"].values()):
        assert all(field.get("description") for field in group["properties"].values())


def schedule(prep: str, train: str, **changes: Any) -> dict[str, Any]:
    jobs = {
        "prep": {"component": f"azureml:prep:{prep}"},
        "train": {"component": f"azureml:train:{train}", "inputs": {"rows": "${{parent.jobs.prep.outputs.rows}}"}},
    }
    definition = {"trigger": {"type": "cron", "expression": "0 5 * * *"}, "create_job": {"jobs": jobs}}
    return {"name": "daily", "version": prep, "files": {}, "definition": definition, "metadata": {}, **changes}


def test_who_follows_a_changed_component_and_why() -> None:
    made = plan(
        event("update", "component-prep", COMPONENT, component("111111111111"), component("222222222222")),
        event(
            "update",
            "schedule-daily",
            SCHEDULE,
            schedule("111111111111", "1"),
            schedule("222222222222", "1", pipeline="pipelines/training.yml"),
        ),
    )
    first, second = made.changes
    step = "create_job.jobs.prep.component"
    assert first.dependants == ["schedule-daily"]
    assert [(cause.name, cause.key, cause.pipeline) for cause in second.because] == [
        ("component-prep", step, "pipelines/training.yml")
    ]
    assert [(each.key, each.old, each.new) for each in second.keys] == [
        (step, "azureml:prep:111111111111", "azureml:prep:222222222222")
    ]
    lines = printed(made).splitlines()
    assert "        causes changes in schedule-daily" in lines
    assert "        caused by component-prep in pipelines/training.yml" in lines


def test_who_follows_a_shared_component_whatever_the_resource_is_called() -> None:
    shared = component("222222222222", registry="mlops")
    pipeline = component("2", name="whole")
    pipeline["definition"] = {"jobs": {"prep": "azureml://registries/mlops/components/prep/versions/222222222222"}}
    made = plan(
        event("create", "tidy", COMPONENT, None, shared),
        event("update", "whole", COMPONENT, component("1", name="whole"), pipeline),
    )
    assert [each.dependants for each in made.changes] == [["whole"], []]
    assert [(cause.name, cause.key) for cause in made.changes[1].because] == [("tidy", "jobs.prep")]


def test_what_others_changed_is_told_with_both_values() -> None:
    def deployed(at: str, **changes: Any) -> dict[str, Any]:
        wanted = schedule("111111111111", "1", **changes)
        wanted["definition"] = {**wanted["definition"], "trigger": {"type": "cron", "expression": at}}
        return wanted

    made = plan(
        event("update", "schedule-daily", SCHEDULE, deployed("0 9 * * *", content_hash=CHANGED), deployed("0 5 * * *"))
    )
    assert [each.drifted for each in made.changes] == [True]
    assert printed(made).splitlines()[1:3] == [
        "      ! changed outside of Pulumi; the update reverts it",
        "      ~ trigger.expression: 0 9 * * * → 0 5 * * *",
    ]


def refreshed(name: str, type_: str, old: Any, found: Any) -> events.EngineEvent:
    metadata = step("refresh", name, type_, old, found)
    return events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "resOutputsEvent": {"metadata": metadata}})


def test_a_refresh_marks_what_others_changed_of_every_kind() -> None:
    account = "azure-native:storage:StorageAccount"
    made = plan(
        refreshed("untouched", account, {"sku": "LRS"}, {"sku": "LRS", "createMode": None}),
        refreshed("storage", account, {"sku": "LRS", "tags": {"a": "1"}}, {"sku": "GRS", "tags": {"a": "1"}}),
        refreshed("vault", account, {"days": 7}, {"days": 90}),
        refreshed("component-prep", COMPONENT, component("1"), None),
        event("update", "storage", account, {"sku": "GRS", "tags": {"a": "1"}}, {"sku": "LRS", "tags": {"a": "2"}}),
        event("create", "component-prep", COMPONENT, None, component("1")),
    )
    assert printed(made).splitlines() == [
        "~ storage (storage:StorageAccount)",
        "      ! changed outside of Pulumi; the update reverts it",
        "      ~ sku: GRS → LRS (changed outside of Pulumi)",
        "      ~ tags.a: 1 → 2",
        "+ component-prep (azureml:Component) (new) → 1",
        "      ! deleted outside of Pulumi; the update creates it again",
        "= vault (storage:StorageAccount)",
        "      ! changed outside of Pulumi to what the program wants",
        "      ~ days: 7 → 90",
        "",
        "1 to create, 1 to update, 1 to leave as changed",
    ]


def test_inputs_that_only_a_kind_has_are_reasons_too() -> None:
    old, new = component("1", image="a@sha256:1", retain=3), component("1", image=UNKNOWN, retain=4)
    made = plan(event("update", "environment-training", COMPONENT, old, new))
    assert [each.key for each in made.changes[0].keys] == ["image"]
    assert "      ~ image: a@sha256:1 → (known after the update)" in printed(made).splitlines()


def test_a_rollout_and_a_traffic_drift_say_why() -> None:
    def endpoint(model: str, live: str) -> dict[str, Any]:
        deployment = {"name": "blue", "definition": {"model": model}, "files": {"ml/deploy/score/score.py": "aaa"}}
        return component("1", files={}, deployment=deployment, traffic={live: 100})

    (rollout,) = plan(
        event(
            "update", "endpoint-flights", ENDPOINT, endpoint("azureml:m:1", "blue-1"), endpoint("azureml:m:2", "blue-2")
        )
    ).changes
    assert {each.key: (each.old, each.new) for each in rollout.keys} == {
        "deployment.model": ("azureml:m:1", "azureml:m:2"),
        "traffic.blue-1": (100, None),
        "traffic.blue-2": (None, 100),
    }


@pytest.mark.parametrize(
    ("operation", "type_"),
    [
        ("same", COMPONENT),
        ("read", COMPONENT),
        ("create", "pulumi:pulumi:Stack"),
        ("create", "azureml-platform:infra:Assets"),
    ],
)
def test_what_is_no_change_of_the_cloud_is_not_shown(operation: str, type_: str) -> None:
    made = plan(event(operation, "x", type_, {}, {}))
    assert made.changes == []
    assert printed(made) == "No changes.\n"


def test_other_resources_show_the_changed_properties_alone() -> None:
    (change,) = plan(
        event("update", "storage", "azure-native:storage:StorageAccount", {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
    ).changes
    assert {each.key: (each.old, each.new) for each in change.keys} == {"b": (2, 3), "c": (None, 4)}


def test_the_closing_line_counts_each_operation() -> None:
    made = plan(
        event("create", "a", COMPONENT, None, component("1")),
        event("create", "b", COMPONENT, None, component("1")),
        event("replace", "c", COMPONENT, component("1"), component("2")),
    )
    assert printed(made).splitlines()[-1] == "2 to create, 1 to replace"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Let every stack have one change, and then raise what is in the list."""
    failures: list[Exception] = []

    class Stack:
        def __init__(self, name: str, **_: bool) -> None:
            self.name = name

        def preview(self, on_event: Any, **_: bool) -> None:
            on_event(event("create", "component-prep", COMPONENT, None, component("1")))
            for failure in failures:
                raise failure

    monkeypatch.setattr(command, "PulumiStack", Stack)
    return failures


def previewed(*options: str) -> Result:
    return CliRunner().invoke(command.preview, ["-s", "dev", *options])


def test_the_command_prints_the_same_changes_in_each_format(engine: list[Exception]) -> None:
    assert "component-prep" in previewed().stdout
    assert json.loads(previewed("--output", "json").stdout)["changes"][0]["name"] == "component-prep"
    assert previewed("--output", "markdown").stdout.startswith("### `dev`: 1 to create\n")


def test_a_preview_that_fails_says_why_in_the_document_too(engine: list[Exception]) -> None:
    engine.append(ReleaseError("stack 'dev': no quota", fix="ask for more"))
    for output in ("json", "markdown", "text"):
        done = previewed("--output", output)
        assert done.exit_code == 1
        assert done.stderr == "Error: stack 'dev': no quota\n  fix: ask for more\n"
    assert done.stdout == ""
    document = Preview.model_validate_json(previewed("--output", "json").stdout)
    assert document.errors == ["stack 'dev': no quota\n  fix: ask for more"]
    assert [each.name for each in document.changes] == ["component-prep"]


def test_a_file_gets_the_json_beside_the_text_and_the_reason_of_a_failure(
    engine: list[Exception], tmp_path: Path
) -> None:
    file = tmp_path / "previews" / "dev.json"
    done = previewed("--output-file", str(file))
    assert "component-prep" in done.stdout
    document = Preview.model_validate_json(file.read_text("utf-8"))
    assert [each.name for each in document.changes] == ["component-prep"]
    assert document.gate is not None
    engine.append(ReleaseError("you are not signed in"))
    done = previewed("--output-file", str(file))
    assert (done.exit_code, done.stdout) == (1, "")
    assert Preview.model_validate_json(file.read_text("utf-8")).errors == ["you are not signed in"]
