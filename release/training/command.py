"""The command `release train`."""

from __future__ import annotations

import click

from infra.outputs import ModelOutput
from release.endpoints import chosen, serving
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import inputs_option, stack_option
from release.terminal.progress import Phases
from release.training.run import train_model


@click.command()
@stack_option
@inputs_option
@click.option(
    "--promote/--no-promote", default=True, show_default=True,
    help="Write an accepted version to the stack's configuration.",
)  # fmt: skip
@click.option("--endpoint", default=None, help="Endpoint to promote to. Default: all endpoints that serve the model.")
def train(stack: str, inputs: tuple[str, ...], promote: bool, endpoint: str | None) -> None:
    """Run the training pipeline and promote an accepted model.

    Submits the pipeline and waits for it. Fails if the job does not complete. If the gate accepts the model, the
    pipeline registers it, and this command writes its version to Pulumi.<stack>.yaml. The next `pulumi up` rolls it
    out.
    """
    console = new_console()
    target = PulumiStack(stack)
    outputs = target.deployed()
    candidates = [chosen(outputs.endpoints, endpoint)] if endpoint else list(outputs.endpoints)
    trained = train_model(console, Phases(console), outputs, inputs)
    if trained.version is None:
        console.print(f"\nThe gate refused the model: {trained.reason}\nNo model was registered or promoted.")
        return
    console.print(f"\nRegistered {trained.model} version {trained.version}: {trained.reason}")
    if not promote:
        return
    promoted = serving(outputs, trained.model, candidates)
    for name in promoted:
        target.promote(name, ModelOutput(name=trained.model, version=trained.version))
        console.print(f"Promoted to endpoint {name} in Pulumi.{stack}.yaml")
    if promoted:
        console.print(f"Roll it out with: pulumi up --stack {stack}")
    else:
        console.print(
            f"Nothing was promoted: no endpoint serves {trained.model} (checked: {', '.join(candidates) or 'none'})."
        )
