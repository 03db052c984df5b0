"""Runs the example to its end: starts the schedule's pipeline, follows it, and checks what it promises.

The stack must be up. `make example NAME=automl-container` does both.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from azure.core.exceptions import AzureError, ResourceNotFoundError
from rich.console import Console

from infra.outputs import StackOutputs
from release.errors import ReleaseError, first_line
from release.jobs.watching import JobEndedError, watch
from release.scoring.requests import score
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import folder_option, stack_option
from release.terminal.progress import Phases
from release.terminal.tables import columns, grid
from release.workspace import client

if TYPE_CHECKING:
    from azure.ai.ml.entities import Model, OnlineEndpoint

HERE = Path(__file__).parent
ENDPOINT = MODEL = "wine-cultivars"
SCHEDULE = "wine-cultivars-weekly"
SAMPLE = HERE / "ml" / "environments" / "tasks" / "configs" / "sample-request.json"
# The cultivars of the wines in the sample request.
EXPECTED = ["barolo", "grignolino", "barbera"]
NOBODY = "00000000-0000-0000-0000-000000000000"


@click.command(help=__doc__)
@folder_option(HERE)
@stack_option
def main(stack: str) -> None:
    """Run the phases. The first one that fails ends the run with one error."""
    try:
        Walkthrough(stack).run()
    except AzureError as error:
        raise ReleaseError(f"a request to Azure failed: {first_line(error)}") from error


class Walkthrough:
    """The phases, in order."""

    def __init__(self, stack: str) -> None:
        """Read the outputs of the stack."""
        self.stack = stack
        self.outputs: StackOutputs = PulumiStack(stack).deployed()
        self.ml = client(self.outputs)
        self.console: Console = new_console()
        self.phases = Phases(self.console)

    def run(self) -> None:
        """Run all phases and print the result."""
        with self.phases.phase("Pipeline of the schedule"):
            job = self.pipeline()
        with self.phases.phase("Leaderboard of AutoML"):
            self.leaderboard(f"{job}-automl")
        with self.phases.phase("Model and endpoint"):
            model, endpoint = self.served(job)
        with self.phases.phase("Prediction"):
            answer = self.prediction()
        with self.phases.phase("The same pipeline with an identity that the cluster does not have"):
            refusal = self.refused()
        with self.phases.phase("Preview of the stack"):
            self.unchanged()
        table = grid("AutoML in a container")
        table.add_row("pipeline job", job)
        table.add_row("model", f"{model.name} version {model.version}, {model.tags['algorithm']}")
        table.add_row("score", str(model.tags["score"]))
        table.add_row("endpoint", str(endpoint.name))
        table.add_row("scoring URI", str(endpoint.scoring_uri))
        table.add_row("prediction", json.dumps(answer))
        table.add_row("refused", refusal)
        self.console.print(table)

    def pipeline(self) -> str:
        """Start the schedule's pipeline now, and wait for it."""
        schedule = self.outputs.schedules[SCHEDULE]
        self.say(f"schedule {SCHEDULE}: {schedule.trigger} ({schedule.time_zone})")
        job = str(self.ml.schedules.trigger(SCHEDULE).job_name)
        self.say(f"job {job}")
        watch(self.outputs, self.stack, job, self.say)
        return job

    def leaderboard(self, job: str) -> None:
        """Print the trials of the AutoML job."""
        children = [each.properties or {} for each in self.ml.jobs.list(parent_job_name=job)]
        scored = sorted((each for each in children if "score" in each), key=lambda each: -float(each["score"]))
        if not scored:
            raise ReleaseError(f"AutoML job {job} has no trials")
        rows = [(place, f"{float(each['score']):.4f}", each["run_algorithm"]) for place, each in enumerate(scored, 1)]
        self.console.print(columns(("place", "accuracy", "algorithm"), rows))

    def served(self, job: str) -> tuple[Model, OnlineEndpoint]:
        """Return the model that the job registered, and the endpoint that serves it."""
        try:
            model = self.ml.models.get(MODEL, label="latest")
        except ResourceNotFoundError as error:
            raise ReleaseError(f"the pipeline did not register the model {MODEL}") from error
        if model.tags["job"] != f"{job}-automl":
            raise ReleaseError(f"{MODEL}:{model.version} is of job {model.tags['job']}, not of {job}-automl")
        endpoint = self.ml.online_endpoints.get(self.outputs.endpoints[ENDPOINT].name)
        deployments = {each.name: each.model for each in self.ml.online_deployments.list(endpoint.name)}
        expected = f"automl-{model.version}"
        if endpoint.traffic != {expected: 100} or list(deployments) != [expected]:
            raise ReleaseError(
                f"deployment {expected} must be the only one and have all the traffic. "
                f"Deployments: {', '.join(deployments) or 'none'}. Traffic: {endpoint.traffic}"
            )
        self.say(f"model {model.name}:{model.version}, {model.tags['algorithm']}, accuracy {model.tags['score']}")
        self.say(f"deployment {expected} has the traffic of endpoint {endpoint.name}")
        return model, endpoint

    def prediction(self) -> list[str]:
        """Score the sample request as a caller does."""
        answer: list[str] = score(self.outputs, ENDPOINT, SAMPLE)
        self.say(f"{SAMPLE.name}: {json.dumps(answer)}")
        if answer != EXPECTED:
            raise ReleaseError(f"the endpoint answers {answer}, and the wines are {EXPECTED}")
        return answer

    def refused(self) -> str:
        """Submit the pipeline with a wrong identity, and return the error of its first task."""
        from azure.ai.ml import load_job

        job = load_job(HERE / "pipelines" / "automl.yml", params_override=[{"inputs.client_id": NOBODY}])
        name = str(self.ml.jobs.create_or_update(job).name)
        try:
            watch(self.outputs, self.stack, name, self.say)
        except JobEndedError as error:
            lines = [line.strip() for line in error.message.splitlines()]
            reason = next((line for line in lines if line.startswith("sign-in:")), None)
            if reason is None:
                raise
            self.say(reason)
            return reason
        raise ReleaseError(f"job {name} completed with an identity that the cluster does not have")

    def unchanged(self) -> None:
        """Check that the stack has nothing to change: the tasks wrote only what the stack leaves to them."""
        changes = PulumiStack(self.stack).preview(lambda _event: None, refresh=True)
        if not changes.unchanged:
            raise ReleaseError(f"the stack would change what the pipeline did: {changes.summary}")
        self.say("no changes")

    def say(self, line: str) -> None:
        """Print a line of a phase."""
        self.console.print(f"  {line}", highlight=False)


if __name__ == "__main__":
    main()
