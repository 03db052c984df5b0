"""What the chapters share: the stack, its workspace, the console, and the facts that one chapter leaves for another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from infra.outputs import StackOutputs
from pulumi_azureml.operations import Run, job_output
from release.errors import ReleaseError
from release.jobs.records import find
from release.jobs.watching import watch
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.progress import Phases
from release.terminal.tables import grid
from release.workspace import client

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

HERE = Path(__file__).parents[1]


@dataclass
class Story:
    """The state of the walkthrough.

    Attributes:
        stack: Name of the stack.
        outputs: Its outputs.
        ml: A client of its workspace.
        results: What the end of the walkthrough shows, by name.
        baked: Runs of the steps in images, by name.
        error: The mean absolute error of the method `holt-winters`, which each other way of preparing must reach.
        has_r: Whether R steps can run.
    """

    stack: str
    outputs: StackOutputs
    ml: MLClient
    console: Console
    phases: Phases
    results: dict[str, str] = field(default_factory=dict)
    baked: dict[str, Run] = field(default_factory=dict)
    error: float | None = None
    has_r: bool = True

    @classmethod
    def of(cls, stack: str) -> Story:
        """Begin with a deployed stack. Raises ReleaseError if it is not deployed."""
        outputs = PulumiStack(stack).deployed()
        console = new_console()
        return cls(stack, outputs, client(outputs), console, Phases(console))

    def say(self, line: str) -> None:
        """Print a line of a chapter."""
        self.console.print(f"  {line}", highlight=False)

    def submit(self, file: str, r_step: str) -> str:
        """Submit a pipeline of `pipelines/`, wait for it, and return its job. Raises ReleaseError if it fails.

        If R steps cannot run, the pipeline goes without its step `r_step`, the last one, and without its outputs.
        """
        from azure.ai.ml import load_job

        pipeline = load_job(HERE / "pipelines" / file)
        if not self.has_r:
            del pipeline.jobs[r_step]
            pipeline.outputs.clear()
        job = str(self.ml.jobs.create_or_update(pipeline).name)
        self.say(f"job {job}")
        self.follow(job)
        return job

    def follow(self, job: str) -> None:
        """Wait for a job. Raises JobEndedError, with the end of the failed step's log, if it does not complete."""
        watch(self.outputs, self.stack, job, self.say)

    def runs(self, job: str) -> dict[str, Run]:
        """Return the runs of a job's steps by name, and those of the pipelines in it."""
        runs = find(self.outputs, self.stack, job).runs
        found: dict[str, Run] = {}
        waiting = [job]
        while waiting:
            for run in runs.children(waiting.pop()):
                found[run.name] = run
                waiting.append(run.id)
        return found

    def document(self, job: str, path: str) -> dict[str, Any]:
        """Return a JSON file of a job's output, `<output>/<file>`. Raises ReleaseError if it does not exist."""
        found = job_output(self.ml, job, path)
        if found is None:
            raise ReleaseError(f"job {job} did not write {path}")
        return found

    def end(self) -> None:
        """Print the results."""
        table = grid("custom images")
        for name, value in self.results.items():
            table.add_row(name, value)
        self.console.print(table)
