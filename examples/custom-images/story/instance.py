"""The compute instance beside the cluster: the machine of a data scientist, which stops by itself."""

from __future__ import annotations

from infra import NAMESPACE
from release.errors import ReleaseError
from release.stack import PulumiStack
from story.telling import Story

TITLE = "The compute instance"


def tell(story: Story) -> None:
    """Show when the instance stops by itself, and stop it now."""
    for settings in PulumiStack(story.stack).config().get(f"{NAMESPACE}:instances") or []:
        name = str(settings["name"])
        found = story.ml.compute.get(name)
        schedules = found.schedules.compute_start_stop if found.schedules else []
        stops = [f"when it is idle for {found.idle_time_before_shutdown_minutes} minutes"]
        stops += [f"at {each.trigger.expression} ({each.trigger.time_zone})" for each in schedules]
        story.say(f"{name}: {found.size}, {found.state}. It stops {' and '.join(stops)}.")
        if found.state != "Stopped":
            story.ml.compute.begin_stop(name).result()
        state = story.ml.compute.get(name).state
        if state != "Stopped":
            raise ReleaseError(f"compute instance {name} is {state} after it was stopped")
        story.results["compute instance"] = f"{name}, {state}"
