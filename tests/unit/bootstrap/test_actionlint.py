from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap import golang
from bootstrap.actionlint import PACKAGE, Actionlint
from bootstrap.command import LINTERS, PHASES
from bootstrap.layout import Layout
from bootstrap.phases import Task


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were built, in place of a real build."""
    built: list[Path] = []

    def build(_task: Task, recipe: Path, package: str, output: Path) -> None:
        assert (recipe.name, package) == ("actionlint", PACKAGE)
        output.write_text("")
        built.append(output)

    monkeypatch.setattr(golang, "build", build)
    return built


def test_it_is_built_once_for_all_checkouts(task: Task, built: list[Path]) -> None:
    found = Actionlint().run(task)
    assert found.is_there()
    assert Actionlint().run(task) == found
    assert len(built) == 1


def test_another_version_is_built_beside_it(task: Task, layout: Layout, built: list[Path]) -> None:
    first = Actionlint().run(task)
    recipe = layout.recipes / "actionlint" / "go.mod"
    recipe.write_text(recipe.read_text() + "// another version")
    assert Actionlint().run(task).tools != first.tools
    assert first.is_there()


def test_only_lint_needs_it() -> None:
    assert [phase.name for phase in LINTERS] == ["actionlint"]
    assert not {phase.name for phase in PHASES} & {phase.name for phase in LINTERS}
