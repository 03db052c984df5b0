"""The arguments of a schedule: it starts one thing."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from pulumi_azureml import CronTriggerArgs, ScheduleArgs, WorkspaceArgs

WORKSPACE = WorkspaceArgs(subscription_id="s", resource_group="g", name="w")
ACTIONS: dict[str, dict[str, Any]] = {
    "create_job": {"jobs": {}},
    "create_monitor": {"compute": {}},
    "import_data": {"name": "sales"},
}


def schedule(*actions: str) -> ScheduleArgs:
    given: Any = {name: ACTIONS[name] for name in actions}
    return ScheduleArgs(name="daily", workspace=WORKSPACE, trigger=CronTriggerArgs(expression="0 6 * * *"), **given)


@pytest.mark.parametrize("action", ["create_monitor", "import_data"])
def test_an_action_without_a_pipeline_is_a_part_of_the_schedule(action: str) -> None:
    assert schedule(action).documents() == {
        "schedule daily": (
            "schedule",
            {
                "name": "daily",
                "trigger": {"type": "cron", "expression": "0 6 * * *"},
                action: ACTIONS[action],
                "is_enabled": True,
            },
        )
    }


@pytest.mark.parametrize("actions", [(), ("create_job", "import_data"), ("create_monitor", "import_data")])
def test_a_schedule_has_one_action(actions: tuple[str, ...]) -> None:
    with pytest.raises(pulumi.RunError, match="give one of `create_job`, `create_monitor` and `import_data`"):
        schedule(*actions).documents()
