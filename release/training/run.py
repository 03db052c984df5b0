"""Train with a stack's pipeline, as a phase of a command."""

from __future__ import annotations

from rich.console import Console

from infra.outputs import StackOutputs
from release.errors import ReleaseError
from release.terminal.progress import Phases
from release.training.pipeline import Training, submit, watch
from release.workspace import client

PIPELINE = "training"


def train_model(console: Console, phases: Phases, outputs: StackOutputs, inputs: tuple[str, ...]) -> Training:
    """Submit the training pipeline, wait for it, and print its steps and the gate's reason.

    Raises:
        ReleaseError: The pipeline cannot be submitted, or its job did not complete.
    """
    given = dict(_pair(text) for text in inputs)
    with phases.phase("Training"):
        ml = client(outputs)
        job = submit(ml, outputs, PIPELINE, given)
        console.print(f"  job {job.name}", highlight=False)
        done = watch(ml, job, lambda line: console.print(f"  {line}", highlight=False))
        console.print(f"  gate: {done.reason}", highlight=False)
    return done


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ReleaseError(f"--input '{text}' must have the form NAME=VALUE")
    return name, value
