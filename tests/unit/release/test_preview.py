"""What an update would do, from the engine's events: which changes are shown, and how."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from pulumi.automation import events
from rich.console import Console

from release.preview import Plan

COMPONENT = "pulumi-python:dynamic/azureml:Component"
ENDPOINT = "pulumi-python:dynamic/azureml:OnlineEndpoint"


def event(operation: str, name: str, type_: str, old: Any = None, new: Any = None) -> events.EngineEvent:
    metadata = {
        "op": operation,
        "urn": f"urn:pulumi:dev::azureml-platform::{type_}::{name}",
        "type": type_,
        "old": {"inputs": old} if old is not None else None,
        "new": {"inputs": new} if new is not None else None,
    }
    return events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "resourcePreEvent": {"metadata": metadata}})


def component(version: str, **changes: Any) -> dict[str, Any]:
    files = {"ml/prep/src/main.py": "aaa", "ml/prep/src/old.py": "bbb"}
    definition = {"command": "python main.py", "version": version}
    return {"version": version, "files": files, "definition": definition, "metadata": {}, **changes}


def plan(*received: events.EngineEvent) -> Plan:
    made = Plan()
    for each in received:
        made(each)
    return made


def printed(made: Plan) -> str:
    text = io.StringIO()
    made.print(Console(file=text, width=120))
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


def test_json_has_every_field_of_every_change() -> None:
    made = plan(
        event("create", "component-prep", COMPONENT, None, component("111111111111")),
        event("delete", "storage", "azure-native:storage:StorageAccount", {"a": 1}),
    )
    assert json.loads(made.json()) == {
        "changes": [
            {
                "operation": "create",
                "name": "component-prep",
                "kind": "azureml:Component",
                "old": None,
                "new": "111111111111",
                "files": [],
                "keys": [],
            },
            {
                "operation": "delete",
                "name": "storage",
                "kind": "storage:StorageAccount",
                "old": None,
                "new": None,
                "files": [],
                "keys": ["a"],
            },
        ]
    }


def test_a_rollout_and_a_traffic_drift_say_why() -> None:
    def endpoint(model: str, live: str) -> dict[str, Any]:
        deployment = {"name": "blue", "definition": {"model": model}, "files": {"ml/deploy/score/score.py": "aaa"}}
        return component("1", files={}, deployment=deployment, traffic={live: 100})

    (rollout,) = plan(
        event(
            "update", "endpoint-flights", ENDPOINT, endpoint("azureml:m:1", "blue-1"), endpoint("azureml:m:2", "blue-2")
        )
    ).changes
    assert "deployment.model: azureml:m:1 → azureml:m:2" in rollout.keys
    assert "traffic.blue-1: 100 → (not set)" in rollout.keys
    assert "traffic.blue-2: (not set) → 100" in rollout.keys


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
    assert change.keys == ["b", "c"]


def test_the_closing_line_counts_each_operation() -> None:
    made = plan(
        event("create", "a", COMPONENT, None, component("1")),
        event("create", "b", COMPONENT, None, component("1")),
        event("replace", "c", COMPONENT, component("1"), component("2")),
    )
    assert printed(made).splitlines()[-1] == "2 to create, 1 to replace"
