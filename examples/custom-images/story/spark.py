"""Large data: the same preparation with serverless Spark, which needs no cluster."""

from __future__ import annotations

import math

from release.errors import ReleaseError
from release.terminal.tables import duration, seconds
from story.telling import Story

TITLE = "The preparation with serverless Spark"


def tell(story: Story) -> None:
    """Prepare with Spark, and check that the forecast is the same."""
    job = story.submit("spark.yml", r_step="forecast")
    run = story.runs(job)["spark_prepare"]
    story.results["Spark"] = f"prepared in {duration(seconds(run.started, run.ended))}"
    if not story.has_r:
        return
    error = story.document(job, "forecast/metrics.json")["mean_absolute_error"]
    if story.error is None or not math.isclose(error, story.error, rel_tol=1e-4):
        raise ReleaseError(f"the forecast is wrong by {error} with Spark, and by {story.error} with pandas")
    story.say(f"The forecast is the same: wrong by {error:.1f} departures a day.")
