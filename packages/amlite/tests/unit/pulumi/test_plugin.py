"""Where an engine runs the vendor plugins, as Pulumi does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from amlite.pulumi.plugin import working_directory


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        ("", "project"),
        ("main: .\n", "project"),
        ("main: program\n", "project/program"),
        ("main: program/__main__.py\n", "project/program"),
        ("main: {root}/elsewhere\n", "elsewhere"),
    ],
)
def test_plugins_work_where_the_program_is(main: str, expected: str, tmp_path: Path) -> None:
    """`getPwdMain` in pulumi/pulumi, pkg/engine/project.go."""
    for folder in ("project/below", "project/program", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "project" / "program" / "__main__.py").touch()
    text = f"name: p\nruntime: python\n{main.format(root=tmp_path)}"
    (tmp_path / "project" / "Pulumi.yaml").write_text(text, "utf-8")
    assert working_directory(tmp_path / "project").resolve() == tmp_path / expected
    assert working_directory(tmp_path / "project" / "below").resolve() == tmp_path / expected


def test_without_a_project_plugins_work_where_the_command_line_does(tmp_path: Path) -> None:
    assert working_directory(tmp_path) == tmp_path
