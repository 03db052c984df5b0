"""The commands `release score` and `release key`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from release.endpoints import chosen, online, original
from release.errors import ReleaseError
from release.project import program_folder
from release.samples import sample_of
from release.scoring import requests
from release.stack import PulumiStack
from release.terminal.options import stack_option
from release.untrusted import escaped


@click.command()
@stack_option
@click.argument("endpoint")
@click.option(
    "--request", type=click.Path(path_type=Path),
    help="JSON file to send. Default: sample-request.json beside the endpoint's endpoint.yml.",
)  # fmt: skip
def score(stack: str, endpoint: str, request: Path | None) -> None:
    """Send a request to an online endpoint and print the response."""
    outputs = PulumiStack(stack).deployed()
    name = chosen(online(outputs), endpoint, "online endpoint")
    sample = sample_of(original(outputs, name), program_folder())
    if request is None and sample is None:
        raise ReleaseError(
            f"endpoint '{name}' has no sample-request.json beside its endpoint.yml",
            fix="add the file, or use --request FILE",
        )
    click.echo(escaped(json.dumps(requests.score(outputs, name, request or program_folder() / str(sample)))))


@click.command()
@stack_option
@click.argument("endpoint")
def key(stack: str, endpoint: str) -> None:
    """Print the primary key of an online endpoint, or a token.

    Prints a token if the endpoint does not use keys. The output is a secret. Do not store it.
    """
    outputs = PulumiStack(stack).deployed()
    click.echo(requests.key(outputs, chosen(online(outputs), endpoint, "online endpoint")))
