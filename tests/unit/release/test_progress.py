"""What a user sees while the engine works."""

from __future__ import annotations

import io

import pytest
from pulumi.automation import events

from release import terminal
from release.progress import Progress


@pytest.mark.parametrize("message", ["component azureml:train:1 of [a]", "closed by [/b]"])
def test_a_warning_is_printed_as_it_stands(message: str) -> None:
    text = io.StringIO()
    diagnostic = {"message": message, "severity": "warning", "color": "never"}
    event = events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": diagnostic})
    Progress(terminal.console(text))(event)
    assert text.getvalue() == f"  {message}\n"
