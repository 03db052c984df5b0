"""The point of custom images: the seconds of a step in an image, and of the same step that installs its packages."""

from __future__ import annotations

from pulumi_azureml.operations import Run
from release.errors import ReleaseError
from release.terminal.tables import columns, duration, seconds
from story.telling import Story

TITLE = "The same steps, installing their packages when they run"
# The step, the name of its run in an image, and the name of its run that installs.
_PAIRS = (("Python: prepare", "prepare", "prepare"), ("R: forecast", "holt_winters", "forecast"))


def tell(story: Story) -> None:
    """Run the steps in the plain base image, and print both times of each."""
    job = story.submit("at_run_time.yml", r_step="forecast")
    installing = story.runs(job)
    rows = []
    for title, baked, installed in _PAIRS if story.has_r else _PAIRS[:1]:
        fast, slow = (_took(story.baked, baked), _took(installing, installed))
        rows.append((title, duration(fast), duration(slow), f"{slow - fast:+.1f} s"))
        story.results[title] = f"{duration(fast)} with its packages baked in, {duration(slow)} if it installs them"
        if slow <= fast:
            raise ReleaseError(f"{title}: the image saved nothing ({fast:.1f} s, and {slow:.1f} s without it)")
    story.console.print(columns(("step", "baked in", "installed at run time", "saved"), rows))


def _took(runs: dict[str, Run], name: str) -> float:
    found = seconds(runs[name].started, runs[name].ended) if name in runs else None
    if found is None:
        raise ReleaseError(f"the step {name} has no times")
    return found
