"""The pipeline of the schedule: Python, then R twice at the same time, then Python, each in its language's image."""

from __future__ import annotations

from pulumi_azureml.operations import Run
from release.errors import ReleaseError
from release.jobs.watching import JobEndedError
from release.terminal.tables import columns, duration, seconds
from story.telling import Story

TITLE = "Pipeline in custom images"
SCHEDULE = "forecast-weekly"
_STEPS = ("extract", "prepare", "arima", "holt_winters", "compare")
_NO_R = "Rscript"
_WITHOUT_IMAGES = (
    "The stack builds no images. Azure builds them itself; any other machine needs Rscript, or R steps are omitted."
)


def tell(story: Story) -> None:
    """Start the scheduled pipeline now, and show its steps and its result."""
    schedule = story.outputs.schedules[SCHEDULE]
    story.say(f"schedule {SCHEDULE}: {schedule.trigger}, next {schedule.next_fire_times[0]}")
    built = all(_is_image(story, name) for name in ("python", "r"))
    if not built:
        story.say(_WITHOUT_IMAGES)
    job = str(story.ml.schedules.trigger(SCHEDULE).job_name)
    story.say(f"job {job}")
    try:
        story.follow(job)
    except JobEndedError as error:
        if built or f"{_NO_R}: " not in error.message:
            raise
        story.has_r = False
        story.baked = story.runs(job)
        story.say("R is not available: the R steps and the endpoint are omitted.")
        story.results["R"] = "omitted: the stack builds no images, and the machine has no Rscript"
        return
    story.baked = story.runs(job)
    if missing := [name for name in _STEPS if name not in story.baked]:
        raise ReleaseError(f"job {job} has no steps {', '.join(missing)}")
    _print(story, story.baked)
    report = story.document(job, "report/report.json")
    story.error = report["mean_absolute_error"]["holt-winters"]
    error = report["mean_absolute_error"][report["best"]]
    story.results["pipeline job"] = job
    story.results["best forecast"] = f"{report['best']}, wrong by {error:.1f} departures a day on average"


def _is_image(story: Story, name: str) -> bool:
    environment = story.ml.environments.get(name, version=story.outputs.assets["environment"][name])
    return bool(environment.image) and environment.build is None


def _print(story: Story, runs: dict[str, Run]) -> None:
    rows = [(name, duration(seconds(runs[name].started, runs[name].ended))) for name in _STEPS]
    story.console.print(columns(("step", "seconds"), rows))
    one, other = runs["arima"], runs["holt_winters"]
    both = max(one.started or "", other.started or "") < min(one.ended or "", other.ended or "")
    story.say("The two R steps ran at the same time." if both else "The two R steps ran one after the other.")
