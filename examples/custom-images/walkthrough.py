"""Runs the example to its end, and checks what each part promises.

The stack must be up. `make example NAME=custom-images` does both.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from azure.core.exceptions import AzureError
from story import endpoint, factory, instance, pipeline, seconds, spark
from story.telling import Story

from release.errors import ReleaseError, first_line
from release.stack import CWD_VARIABLE
from release.terminal.options import stack_option

CHAPTERS = (pipeline, seconds, endpoint, spark, factory, instance)
"""The chapters, in order. Each has a `TITLE` and a function `tell`."""


@click.command(help=__doc__)
@click.option(
    "--cwd", type=click.Path(exists=True, file_okay=False), default=Path(__file__).parent,
    help="Folder with the stack file. Default: this folder.",
)  # fmt: skip
@stack_option
def main(cwd: str, stack: str) -> None:
    """Tell the chapters. The first one that fails ends the run with one error."""
    os.environ[CWD_VARIABLE] = str(Path(cwd).resolve())
    try:
        story = Story.of(stack)
        for chapter in CHAPTERS:
            with story.phases.phase(chapter.TITLE):
                chapter.tell(story)
        story.end()
    except AzureError as error:
        raise ReleaseError(f"a request to Azure failed: {first_line(error)}") from error


if __name__ == "__main__":
    main()
