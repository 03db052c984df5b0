"""The command `release publish`."""

from __future__ import annotations

from pathlib import Path

import click

from infra import NAMESPACE
from release.endpoints import copies
from release.errors import ReleaseError
from release.jobs.trained import read
from release.publishing.publisher import Publisher
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import stack_option
from release.terminal.progress import Phases


@click.command()
@stack_option
@click.option(
    "--job", default=None, help="Training job. Default: the job of the latest version that the gate accepted."
)
@click.option(
    "--output-file", type=click.Path(dir_okay=False, path_type=Path), default=Path("release.json"), show_default=True,
    help="File for the release's metadata.",
)  # fmt: skip
@click.option(
    "--training", type=click.Path(path_type=Path, dir_okay=False),
    help="File that `release train --output-file` wrote: publish nothing if it says that no pipeline has a gate.",
)  # fmt: skip
def publish(stack: str, job: str | None, output_file: Path, training: Path | None) -> None:
    """Share a trained model with the registry, and write the metadata of the release.

    Copies the model, the components of its training job and the environments to the stack's registry, each with tags
    for its origin. Versions that the registry already has are compared and not changed, so you can repeat this command
    after an error. Then writes the file for `release deploy`: docs/release-metadata.schema.json describes it.
    """
    console = new_console()
    if training is not None and (trained := read(training)).job is None:
        console.print(f"Nothing to publish: {trained.reason}", soft_wrap=True)
        return
    target = PulumiStack(stack)
    outputs = target.deployed()
    if outputs.registry is None:
        raise ReleaseError(
            f"stack '{stack}' has no registry",
            fix=f"set {NAMESPACE}:sharing.registry in Pulumi.{stack}.yaml and run pulumi up",
        )
    with Phases(console).phase(f"Sharing with registry {outputs.registry}"):
        publisher = Publisher(
            stack, outputs, outputs.registry, lambda line: console.print(f"  {line}", highlight=False)
        )
        release = publisher.publish(job)
    release.write(output_file)
    model = f"{release.model.name} version {release.model.version}"
    console.print(f"\nPublished {model} of job {release.training.name}: {release.gate.reason}", soft_wrap=True)
    for endpoint in copies(outputs, release.model.name):
        target.promote(endpoint, release.model.reference)
        console.print(f"Promoted to endpoint {endpoint} in Pulumi.{stack}.yaml. Roll it out with: pulumi up -s {stack}")
    console.print(f"Wrote {output_file}. Deploy it with: release deploy {output_file} --stack STACK", soft_wrap=True)
