"""The terminal that the release writes to."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console


def new_console(file: TextIO | None = None) -> Console:
    """Return a console that prints what it is given as it stands, to standard output or to `file`.

    Names, versions and messages come from elsewhere: `azureml:train:1` is no emoji, and `[x]` in an error no style.
    Who wants a style says `markup=True`, and escapes the rest.
    """
    # A log file or CI has no width of its own: digests and ids stay on one line there.
    width = None if file is None and sys.stdout.isatty() else 160
    return Console(file=file, width=width, emoji=False, markup=False)
