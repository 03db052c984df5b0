"""Train with a pipeline of the project, as a phase of a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from infra.outputs import StackOutputs
from pulumi_azureml import Asset
from pulumi_azureml.operations import EndedJob
from release.errors import ReleaseError
from release.jobs.planning import CONTENT, find_pipeline, load, plan_pipeline
from release.jobs.records import find, recent
from release.jobs.watching import JobEndedError, watch
from release.terminal.progress import Phases
from release.training.outcome import GATE, Training, gated, model_of, ungated
from release.workspace import client

# The number of completed jobs among which an earlier training is looked for.
_EARLIER = 50


class TrainingEndedError(JobEndedError):
    """A training job ended with another status than Completed."""

    def __init__(self, error: JobEndedError, job: str, studio_url: str | None) -> None:
        """Take the error, the name of the job and its page in the studio."""
        super().__init__(error.message, error.status)
        self.job, self.studio_url = job, studio_url


@dataclass(frozen=True)
class Trainer:
    """Trains with the pipelines of the project.

    Attributes:
        outputs: Outputs of the stack.
        stack: Name of the stack.
        console: The console for progress.
        phases: The phases of the command.
    """

    outputs: StackOutputs
    stack: str
    console: Console
    phases: Phases

    def train(self, pipeline: str, inputs: Mapping[str, str], *, force_rerun: bool = False) -> Training:
        """Submit a pipeline, wait for it, and print its steps and the gate's reason.

        Args:
            pipeline: The name of the pipeline.
            inputs: Text for some of its inputs.
            force_rerun: Run every step, whatever the pipeline's settings are.

        Raises:
            ReleaseError: The pipeline cannot be submitted.
            TrainingEndedError: Its job did not complete.
        """
        with self.phases.phase("Training"):
            plan = plan_pipeline(self.outputs, pipeline, inputs)
            job = plan.submit(client(self.outputs), force_rerun=force_rerun)
            self._say(f"job {job.name}")
            try:
                ended = watch(self.outputs, self.stack, job.name, self._say)
            except JobEndedError as error:
                raise TrainingEndedError(error, job.name, job.studio_url) from error
            if plan.outputs.issuperset(GATE):
                trained = gated(client(self.outputs), pipeline, job, ended)
            else:
                trained = ungated(pipeline, job, ended, find(self.outputs, self.stack, job.name))
            self._say(f"gate: {trained.reason}")
        return trained

    def earlier(self, pipeline: str, inputs: Mapping[str, str]) -> Training | None:
        """Return the outcome of the last completed job that ran the same as a new one would. None: nothing did.

        Raises:
            ReleaseError: The pipeline cannot be submitted, or the job has no readable decision.
        """
        plan = plan_pipeline(self.outputs, pipeline, inputs)
        if plan.fingerprint is None:
            return None
        for job in recent(self.outputs, _EARLIER, pipelines=[pipeline], statuses=["Completed"]):
            if (job.properties.get("tags") or {}).get(CONTENT) == plan.fingerprint:
                ended = EndedJob("Completed", ())
                if plan.outputs.issuperset(GATE):
                    return gated(client(self.outputs), pipeline, job, ended)
                return ungated(pipeline, job, ended, job)
        return None

    def _say(self, line: str) -> None:
        self.console.print(f"  {line}", highlight=False)


def with_gate(outputs: StackOutputs) -> list[str]:
    """Return the names of the pipelines with a gate."""
    pipelines = load(outputs).of("pipeline_job")
    return [each.name for each in pipelines if set(GATE) <= set(each.definition.get("outputs") or {})]


def choose_pipeline(outputs: StackOutputs, wanted: str | None, stack: str) -> str:
    """Return the pipeline to train: the one that the user names, the only one with a gate, or the only one.

    Raises:
        ReleaseError: There is no such pipeline, or there are several and none is named.
    """
    catalogue = load(outputs)
    if wanted is not None:
        return find_pipeline(catalogue, wanted).name
    pipelines = catalogue.of("pipeline_job")
    gated_ones = with_gate(outputs)
    if len(gated_ones) == 1:
        return gated_ones[0]
    names = sorted(asset.name for asset in pipelines)
    if not names:
        raise ReleaseError("the project has no pipelines", fix="add one, such as pipelines/training.yml")
    if len(names) > 1:
        raise ReleaseError(
            f"the project has several pipelines: {', '.join(names)}", fix=f"name one: release train PIPELINE -s {stack}"
        )
    return names[0]


def pipelines_for(outputs: StackOutputs, endpoints: Sequence[str]) -> dict[str, Asset]:
    """Return the pipelines that train the models which endpoints serve, by name.

    A pipeline trains the model in its input `model_name`.

    Raises:
        ReleaseError: No pipeline trains the model of an endpoint, or several do.
    """
    pipelines = load(outputs).of("pipeline_job")
    found: dict[str, Asset] = {}
    for endpoint in endpoints:
        serves = outputs.endpoints[endpoint].serves
        training = [each for each in pipelines if model_of(each.definition) is not None]
        candidates = [each for each in training if serves in ("*", model_of(each.definition))]
        if len(candidates) != 1:
            model = "any model" if serves == "*" else f"model '{serves}'"
            names = ", ".join(each.name for each in candidates)
            problem = f"several pipelines train it: {names}" if candidates else "no pipeline trains it"
            raise ReleaseError(
                f"endpoint '{endpoint}' serves {model}, and {problem} (by its input `model_name`)",
                fix="use --no-train, and train and promote with `release train PIPELINE`",
            )
        found[candidates[0].name] = candidates[0]
    return found
