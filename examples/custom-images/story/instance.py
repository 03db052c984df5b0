"""The compute instance beside the cluster: the machine of a data scientist, which stops by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import NAMESPACE
from release.errors import ReleaseError
from release.stack import PulumiStack
from story.telling import Story

if TYPE_CHECKING:
    from azure.ai.ml.entities import ComputeInstance

TITLE = "The compute instance"


def tell(story: Story) -> None:
    """Show when the instance stops by itself, and stop it now."""
    for settings in PulumiStack(story.stack).config().get(f"{NAMESPACE}:instances") or []:
        name = str(settings["name"])
        found = story.ml.compute.get(name)
        state = _state(found)
        schedules = found.schedules.compute_start_stop if found.schedules else []
        stops = [f"when it is idle for {found.idle_time_before_shutdown_minutes} minutes"]
        stops += [f"at {each.trigger.expression} ({each.trigger.time_zone})" for each in schedules]
        story.say(f"{name}: {found.size}, {state}. It stops {' and '.join(stops)}.")
        if state != "Stopped":
            story.ml.compute.begin_stop(name).result()
            state = _state(story.ml.compute.get(name))
        if state != "Stopped":
            raise ReleaseError(f"compute instance {name} is {state} after it was stopped")
        story.results["compute instance"] = f"{name}, {state}"


def _state(instance: ComputeInstance) -> str:
    """Return the state of an instance as text. The client returns text or its own enumeration."""
    return str(getattr(instance.state, "value", instance.state))
