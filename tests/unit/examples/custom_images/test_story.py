"""The walkthrough where something is missing or fails: no images and no R, an image that saves nothing, a refusal."""

from __future__ import annotations

import importlib
import io
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from azureml_fixtures.transport import Transport
from pulumi_azureml.operations import Run
from release.errors import ReleaseError
from release.jobs.watching import JobEndedError
from release.terminal.console import new_console
from release.terminal.progress import Phases

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "custom-images"
NEVER = 4_102_444_800
NO_R = "Error: bash: line 1: Rscript: command not found"
Chapter = Callable[[str], ModuleType]


@pytest.fixture
def chapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chapter]:
    """Import a chapter as the walkthrough does: from the example's folder."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield lambda name: importlib.import_module(f"story.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "story"]:
        del sys.modules[name]


def story_of(chapter: Chapter, monkeypatch: pytest.MonkeyPatch, *, image: str | None, ends: str | None = None) -> Any:
    """Return a story whose environments have an image or a build context, and whose jobs fail with a reason."""
    telling = chapter("telling")
    environment = SimpleNamespace(image=image, build=None if image else "context")
    ml = SimpleNamespace(
        environments=SimpleNamespace(get=lambda _name, version: environment),
        schedules=SimpleNamespace(trigger=lambda _name: SimpleNamespace(job_name="job")),
    )
    schedule = SimpleNamespace(trigger="every 1 week", next_fire_times=["2026-11-30T04:30:00Z"])
    outputs = SimpleNamespace(
        schedules={"forecast-weekly": schedule},
        assets={"environment": {"python": "1", "r": "1"}},
        endpoints={
            "departures-forecast": SimpleNamespace(
                scoring_uri="https://forecast.westeurope.inference.ml.azure.com/jobs"
            )
        },
    )
    console = new_console(io.StringIO())
    story = telling.Story("dev", outputs, ml, console, Phases(console))

    def follow(_self: Any, _job: str) -> None:
        if ends:
            raise JobEndedError(f"job job ended with status Failed: {ends}", "Failed")

    monkeypatch.setattr(telling.Story, "follow", follow)
    monkeypatch.setattr(telling.Story, "runs", lambda _self, _job: {"prepare": run("prepare", 2)})
    return story


def run(name: str, seconds: int) -> Run:
    return Run(name, name, "Completed", None, "2026-11-28T10:00:00Z", f"2026-11-28T10:00:{seconds:02}Z")


def test_without_images_and_without_r_the_walkthrough_says_so_and_continues(
    chapter: Chapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = story_of(chapter, monkeypatch, image=None, ends=NO_R)
    chapter("pipeline").tell(story)
    assert not story.has_r
    assert story.results == {"R": "omitted: the stack builds no images, and the machine has no Rscript"}
    chapter("endpoint").tell(story)
    printed = story.console.file.getvalue()
    assert "The stack builds no images." in printed
    assert "R is not available: the R steps and the endpoint are omitted." in printed


@pytest.mark.parametrize(("image", "reason"), [("registry/r@sha256:1", NO_R), (None, "Error in main() : no days")])
def test_any_other_failure_of_a_step_ends_the_walkthrough(
    chapter: Chapter, monkeypatch: pytest.MonkeyPatch, image: str | None, reason: str
) -> None:
    story = story_of(chapter, monkeypatch, image=image, ends=reason)
    with pytest.raises(JobEndedError) as error:
        chapter("pipeline").tell(story)
    assert reason in error.value.message


@pytest.mark.parametrize(("slow", "fails"), [(9, False), (1, True)])
def test_an_image_must_save_time(chapter: Chapter, monkeypatch: pytest.MonkeyPatch, slow: int, fails: bool) -> None:
    story = story_of(chapter, monkeypatch, image=None)
    story.has_r, story.baked = False, {"prepare": run("prepare", 2)}
    monkeypatch.setattr(chapter("telling").Story, "submit", lambda *_args, **_options: "job")
    monkeypatch.setattr(chapter("telling").Story, "runs", lambda _self, _job: {"prepare": run("prepare", slow)})
    if fails:
        with pytest.raises(ReleaseError, match="the image saved nothing"):
            chapter("seconds").tell(story)
    else:
        chapter("seconds").tell(story)
        assert story.results["Python: prepare"] == "2.0 s with its packages baked in, 9.0 s if it installs them"


def test_a_refusal_of_the_endpoint_is_one_error(chapter: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = chapter("endpoint")
    story = story_of(chapter, monkeypatch, image=None)
    monkeypatch.setattr(endpoint, "credential", lambda: SimpleNamespace(get_token=lambda *_: AccessToken("t", NEVER)))
    monkeypatch.setattr(endpoint, "transport", lambda: Transport((403, {})))
    with pytest.raises(ReleaseError, match=r"POST https://forecast\.westeurope\.\S+/jobs: 403 .*later"):
        endpoint.tell(story)


def test_a_token_that_the_endpoint_takes_as_expired_is_not_the_last_one(
    chapter: Chapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = chapter("endpoint")
    transport = Transport(*[(401, {})] * 3, content={"name": "job"})
    transport.code = "ExpiredAuthenticationToken"
    tokens = (AccessToken(f"t{number}", NEVER) for number in itertools.count())
    monkeypatch.setattr(endpoint, "credential", lambda: SimpleNamespace(get_token=lambda *_: next(tokens)))
    monkeypatch.setattr(endpoint, "transport", lambda: transport)
    assert endpoint._send("POST", "https://forecast.example/jobs", {}) == {"name": "job"}
    assert transport.tokens == ["Bearer t0", "Bearer t1", "Bearer t2", "Bearer t3"]
