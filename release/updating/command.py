"""The command `release up`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from infra.outputs import ModelOutput, StackOutputs
from release.doctor.command import check_first_update
from release.endpoints import copied, online, original, serving
from release.errors import ReleaseError
from release.jobs.inputs import pairs
from release.project import program_folder
from release.samples import sample_of
from release.scoring import requests
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import inputs_option, stack_option
from release.terminal.progress import Phases
from release.training.outcome import Training, registered
from release.training.run import Trainer, pipelines_for
from release.updating import summary
from release.updating.update import update
from release.workspace import client


@click.command()
@stack_option
@inputs_option
@click.option("--no-doctor", is_flag=True, help="Skip the checks of `release doctor` before the first update.")
@click.option(
    "--replace-renamed", is_flag=True,
    help="Replace resources whose names have changed, and lose everything in them. Default: ask on a terminal.",
)  # fmt: skip
@click.option(
    "--train/--no-train", "trains", default=True, show_default=True,
    help="Train a first model if an endpoint has no promoted one.",
)  # fmt: skip
def up(stack: str, inputs: tuple[str, ...], no_doctor: bool, replace_renamed: bool, trains: bool) -> None:
    """Deploy the stack, train a first model, and score a sample.

    Before the first update of a stack, the command runs the checks of `release doctor`, and stops if there is a
    problem. If an endpoint has no promoted model, the command trains one. If the gate accepts the model, the command
    promotes it and rolls it out. Then it sends the sample request to each online endpoint and prints a summary.
    """
    console = new_console()
    phases = Phases(console)
    target = PulumiStack(stack, create=True)
    if not no_doctor and target.outputs() is None:
        with phases.phase("Checks"):
            check_first_update(stack, console)
    with phases.phase("Platform and assets"):
        update(target, console, replace_renamed=replace_renamed)
    outputs = target.deployed()
    waiting = [
        name
        for name, endpoint in outputs.endpoints.items()
        if endpoint.serves and name not in outputs.models and not copied(outputs, name)
    ]
    trained: list[Training] = []
    if waiting and trains:
        accepted, trained = _models(Trainer(outputs, stack, console, phases), waiting, pairs(inputs))
        if accepted:
            with phases.phase("Rollout"):
                for model in accepted:
                    for endpoint in serving(outputs, model.name, waiting):
                        target.promote(endpoint, model)
                update(target, console)
            outputs = target.deployed()
    predictions = _predictions(console, phases, outputs)
    summary.show(console, stack, outputs, trained, predictions, phases.took)


def _models(
    trainer: Trainer, waiting: list[str], inputs: Mapping[str, str]
) -> tuple[list[ModelOutput], list[Training]]:
    """Return the models to promote to endpoints that have none, and the trainings that produced them.

    Does not train a model if an earlier run registered a version and was interrupted before it promoted the version.
    """
    pipelines = pipelines_for(trainer.outputs, waiting)
    if inputs and len(pipelines) > 1:
        raise ReleaseError(
            f"--input is for one pipeline, and several train models of this stack: {', '.join(pipelines)}",
            fix="use --no-train, and train each with `release train PIPELINE --input ...`",
        )
    models, trained = [], []
    for name, pipeline in pipelines.items():
        found = registered(client(trainer.outputs), pipeline.definition)
        if found is not None:
            model = ModelOutput(name=found[0], version=found[1])
            passed = f"{model.name} version {model.version} passed the gate in an earlier run"
            trainer.console.print(f"\n{passed} and is not promoted yet.")
            models.append(model)
            continue
        done = trainer.train(name, inputs)
        trained.append(done)
        if done.model is not None and done.version is not None:
            models.append(ModelOutput(name=done.model, version=done.version))
    return models, trained


def _predictions(console: Console, phases: Phases, outputs: StackOutputs) -> dict[str, Any]:
    live = [name for name in online(outputs) if outputs.endpoints[name].deployment]
    if not live:
        console.print("\nNo endpoint has a model yet, so there is nothing to score.")
        return {}
    answers = {}
    with phases.phase("Scoring"):
        for name in live:
            sample = sample_of(original(outputs, name), program_folder())
            if sample is None:
                console.print(f"  {name}: not scored, because there is no sample-request.json beside its endpoint.yml")
                continue
            answers[name] = requests.score(outputs, name, program_folder() / sample)
            console.print(f"  {name}: {json.dumps(answers[name])}", highlight=False)
    return answers
