"""The logs of a job's steps, at once or while the job runs."""

from __future__ import annotations

import codecs
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pulumi_azureml.operations import ENDED, Run, Runs, tail
from release.errors import ReleaseError
from release.jobs.records import Job

_POLL_SECONDS = 2.0
_NOT_STARTED = ("NotStarted", "Queued", "Preparing")


@dataclass
class LogReader:
    """Reads a job's logs, and each part of them once.

    Attributes:
        job: The job.
        step: Name, path or id of the only step to read, or None. A pipeline in the pipeline stands for all its steps.
        write: Takes text without a newline at its end.
    """

    job: Job
    step: str | None
    write: Callable[[str], None]
    _offsets: dict[tuple[str, str], int] = field(default_factory=dict)
    _decoders: dict[tuple[str, str], codecs.IncrementalDecoder] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _shown: str = ""

    def read(self) -> str:
        """Write what is new in each step's log. Return the job's status."""
        runs = self.job.runs
        status = runs.get(self.job.name).status
        for step in self._steps(runs):
            self._read(runs, step)
        return status

    def follow(self) -> str:
        """Write the logs until the job ends. Return its status."""
        while (status := self.read()) not in ENDED:
            time.sleep(_POLL_SECONDS)
        return status

    def texts(self) -> dict[str, str]:
        """Return the whole log of each step, by its name."""
        runs = self.job.runs
        return {step.name: "".join(self._new(runs, step)) for step in self._steps(runs)}

    def _steps(self, runs: Runs) -> list[Run]:
        """Return the steps to read, in the order in which they started. A job without steps is its only one."""
        steps = list(self._leaves(runs, self.job.name)) or [runs.get(self.job.name)]
        if self.step is not None:
            chosen = [each for each in steps if _is_chosen(each, self.step)]
            if not chosen:
                known = ", ".join(each.name for each in steps if each.id != self.job.name) or "none"
                raise ReleaseError(f"job {self.job.name} has no step '{self.step}'; steps: {known}")
            steps = chosen
        return sorted(steps, key=lambda each: each.started or "~")

    def _leaves(self, runs: Runs, pipeline: str, path: str = "") -> Iterator[Run]:
        """Yield the steps that are no pipelines themselves. The name of each is its path: `outer/inner`."""
        for step in runs.children(pipeline):
            named = dataclasses.replace(step, name=f"{path}{step.name}")
            # A step that has been read has a log of its own. A step that waits may have steps later.
            is_leaf = any(run == step.source for run, _ in self._offsets) or step.status in _NOT_STARTED
            inner = () if is_leaf else tuple(self._leaves(runs, step.source, f"{named.name}/"))
            yield from inner or (named,)

    def _read(self, runs: Runs, step: Run) -> None:
        new = self._new(runs, step)
        if step.status == "Failed" and step.error and step.id not in self._failed:
            self._failed.add(step.id)  # a node or an environment may fail before the step has a log
            new.append(f"{step.error}\n")
        for text in new:
            if self._shown != step.id:
                self.write(f"==> {step.name} ({step.status})\n")
                self._shown = step.id
            self.write(text)

    def _new(self, runs: Runs, step: Run) -> list[str]:
        found = []
        for name, url in runs.logs(step.source).items() if step.status not in _NOT_STARTED else ():
            key = (step.source, name)
            content = tail(url, self._offsets.get(key, 0))
            self._offsets[key] = self._offsets.get(key, 0) + len(content)
            decoder = self._decoders.setdefault(key, codecs.getincrementaldecoder("utf-8")("replace"))
            if text := decoder.decode(content):
                found.append(text)
        return found


def _is_chosen(step: Run, text: str) -> bool:
    """Whether a text selects a step: its id, its path, its name, or the path or name of a pipeline around it."""
    return step.id == text or f"/{text}/" in f"/{step.name}/"
