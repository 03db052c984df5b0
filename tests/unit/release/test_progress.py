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


def shown(*told: events.EngineEvent) -> str:
    text = io.StringIO()
    progress = UpdateProgress(new_console(text))
    for event in told:
        progress(event)
    return text.getvalue()


@pytest.mark.parametrize("message", ["component azureml:train:1 of [a]", "closed by [/b]"])
def test_a_warning_is_printed_as_it_stands(message: str) -> None:
    assert shown(warning(message)) == f"  {message}\n"


def test_what_was_cut_off_is_named_without_the_engine_s_advice_to_repair_it_by_hand() -> None:
    assert shown(warning(CUT_OFF)) == (
        "  an earlier update was interrupted at endpoint-flights; this update reads their state and continues\n"
    )


FRAMES = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/pulumi/dynamic/dynamic.py", line 27, in <module>
    import dill
  File "/usr/lib/python3.11/tempfile.py", line 223, in _get_default_tempdir
    raise FileNotFoundError(_errno.ENOENT,
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp']
and a line after it"""
KEPT = "  FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp']\n  and a line after it\n"


def test_of_a_plugins_traceback_only_the_error_is_printed() -> None:
    assert shown(warning(FRAMES)) == KEPT


def test_of_a_traceback_that_comes_line_by_line_only_the_error_is_printed() -> None:
    assert shown(*map(warning, FRAMES.splitlines())) == KEPT
