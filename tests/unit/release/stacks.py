"""A stack of the Automation API without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pulumi import automation
from pulumi.automation import events


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
        self.workspace = SimpleNamespace(env_vars={}, who_am_i=lambda: SimpleNamespace(url="azblob://state"))
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


def diagnostic(severity: str, message: str) -> events.EngineEvent:
    said = {"severity": severity, "message": message, "color": "never"}
    return events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": said})
