"""An update replaces resources whose names have changed only if that is wanted, and keeps its reason."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import click
import pytest

from release.errors import ReleaseError, RenamedError
from release.stack import Changes
from release.terminal.console import new_console
from release.updating.update import update

CONSOLE = new_console()


@pytest.mark.parametrize(("is_terminal", "option"), [(True, False), (False, False), (False, True)])
def test_an_update_asks_before_it_replaces_what_got_another_name(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, option: bool
) -> None:
    done: list[str] = []

    def up(_progress: object, *, at_once: bool, why: str | None, replace_renamed: bool = False) -> Changes:
        assert (at_once, why) == (True, "a reason")
        done.append(f"up {replace_renamed}")
        if not replace_renamed:
            raise RenamedError("stack 'dev': the workspace would be replaced")
        return Changes()

    target: Any = SimpleNamespace(
        name="dev", interrupted=list, up=up, recovered=lambda: False, preview=lambda _: done.append("preview")
    )
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: is_terminal))
    monkeypatch.setattr(click, "confirm", lambda text, abort: done.append(f"{text} {abort}"))
    if not is_terminal and not option:
        with pytest.raises(ReleaseError, match=r"would be replaced\n  fix: .* --replace-renamed"):
            update(target, CONSOLE, at_once=True, why="a reason")
        assert done == ["preview", "up False"]
        return
    update(target, CONSOLE, replace_renamed=option, at_once=True, why="a reason")
    asked = [] if option else ["Replace these resources, and lose everything in them? True"]
    assert done == ["preview", "up False", *asked, "up True"]


def test_the_second_update_of_a_recovered_vault_has_the_reason_of_the_first() -> None:
    asked: list[tuple[bool, str | None]] = []

    def up(_progress: object, *, at_once: bool, why: str | None) -> Changes:
        asked.append((at_once, why))
        return Changes(summary={"update": 1})

    target: Any = SimpleNamespace(name="dev", interrupted=list, up=up, recovered=lambda: True, preview=lambda _: None)
    update(target, CONSOLE, at_once=True, why="a reason")
    assert asked == [(True, "a reason")] * 2
