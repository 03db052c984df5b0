"""Pages for a browser."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from urllib.parse import quote, urlsplit

import click

from amlite.cli.connection import ask, running
from amlite.core.runtime import state_folder

_FOLDER = "pages"


@click.command("open")
@click.argument("job")
@click.option("--print", "only_print", is_flag=True, help="Print where the page is, and open no browser.")
def open_(job: str, only_print: bool) -> None:
    """Open the page of a job in a browser: amlite open JOB.

    JOB is its name, its link in the studio, or the link to a run that MLflow prints. The page shows status, metrics,
    inputs, outputs, logs and images of the job and its steps. It is a file in amlite's state that only you can read.
    """
    link = urlsplit(job)
    name = (link.fragment or link.path).rstrip("/").rpartition("/")[2]
    if not name:
        raise click.ClickException(f"'{job}' is not the name of a job")
    page = ask(running(), "GET", f"/jobs/{quote(name, safe='')}/page")
    file = _write(state_folder() / _FOLDER, page["name"], page["html"])
    click.echo(file)
    if not only_print:
        webbrowser.open(file.as_uri())


def _write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{name}.html"
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    return file.resolve()
