"""Runs the example to its end, and checks what each part promises.

The stack must be up. `make example NAME=custom-images` does both.
"""

from __future__ import annotations

from pathlib import Path

import click
from azure.core.exceptions import AzureError
from story import endpoint, factory, instance, pipeline, seconds, spark
from story.telling import Story

from release.errors import ReleaseError, first_line
from release.terminal.options import folder_option, stack_option

CHAPTERS = (pipeline, seconds, endpoint, spark, factory, instance)
"""The chapters, in order. Each has a `TITLE` and a function `tell`."""


@click.command(help=__doc__)
@folder_option(Path(__file__).parent)
@stack_option
def main(stack: str) -> None:
    """Tell the chapters. The first one that fails ends the run with one error."""
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
