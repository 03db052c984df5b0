"""The console that the release prints to."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from release.untrusted import shown


def progress_console(output: str) -> Console:
    """Return a console for progress: on standard error if `--output` is JSON, so that only JSON is on the other."""
    return new_console(sys.stderr if output == "json" else None)


def new_console(file: TextIO | None = None) -> Console:
    """Return a console that prints text unchanged, to standard output or to `file`.

    Names, versions and messages must not be read as emoji (`azureml:train:1`) or styles (`[x]`). To use styles, pass
    `markup=True` and escape the rest.
    """
    # A log file has no width. The fixed width keeps digests and ids on one line.
    width = None if file is None and sys.stdout.isatty() else 160
    return _Console(file=file, width=width, emoji=False, markup=False)


class _Console(Console):
    """A console whose texts change no other line and give no command."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a text or a cell into what is printed."""
        return super().render_str(shown(text), **options)
