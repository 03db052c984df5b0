"""What a user sees while the engine works."""

from __future__ import annotations

import io

import pytest
from pulumi.automation import events

from release.terminal.console import new_console
from release.terminal.progress import UpdateProgress

CUT_OFF = """Attempting to deploy or update resources with 1 pending operations from previous deployment.
  * urn:pulumi:local::azureml-platform::azureml:OnlineEndpoint::endpoint-flights, interrupted while updating
These resources are in an unknown state because the Pulumi CLI was interrupted.
"""


def warning(message: str) -> events.EngineEvent:
    diagnostic = {"message": message, "severity": "warning", "color": "never"}
    return events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": diagnostic})


def shown(event: events.EngineEvent) -> str:
    text = io.StringIO()
    UpdateProgress(new_console(text))(event)
    return text.getvalue()


@pytest.mark.parametrize("message", ["component azureml:train:1 of [a]", "closed by [/b]"])
def test_a_warning_is_printed_as_it_stands(message: str) -> None:
    assert shown(warning(message)) == f"  {message}\n"


def test_what_was_cut_off_is_named_without_the_engine_s_advice_to_repair_it_by_hand() -> None:
    assert shown(warning(CUT_OFF)) == (
        "  an earlier update was interrupted at endpoint-flights; this update reads their state and continues\n"
    )
