"""`python -m tests.release_demo`: play the demo in a fresh clone, and print its story with times."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.checkout import checkout
from tests.release_demo.chapters import CHAPTERS
from tests.release_demo.drift import Receiver
from tests.release_demo.play import Play


def play_all(folder: Path, requests: int) -> None:
    """Play every chapter in a clone below a folder.

    Raises:
        AssertionError: A chapter did not observe what it promises.
    """
    began = time.monotonic()
    with checkout(folder) as clone, Receiver() as receiver:
        clone.environment["AMLITE_DOCKER"] = "off"
        clone.run("make setup")
        play = Play(clone, requests, receiver)
        try:
            for number, chapter in enumerate(CHAPTERS, 1):
                at = time.monotonic()
                seen = chapter.play(play)
                click.echo(f"{number:2}. {chapter.title} ({time.monotonic() - at:.0f} s)\n    {seen}")
        finally:
            play.stop()
        clone.run(".venv/bin/amlite stop")
        assert clone.leftovers() == []
    click.echo(f"\nThe month took {time.monotonic() - began:.0f} s.")


@click.command()
@click.option("--requests", default=20_000, show_default=True, help="Requests that production must answer at least.")
def main(requests: int) -> None:
    """Play a month of a team on the local Azure. No file of this repository changes."""
    # So that a demo that is ended stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("\nThe demo was ended."))
    with tempfile.TemporaryDirectory(prefix="release-demo-") as folder:
        try:
            play_all(Path(folder) / "clone", requests)
        except AssertionError as error:
            sys.exit(f"\nThe demo failed: {error}")


if __name__ == "__main__":
    main()
