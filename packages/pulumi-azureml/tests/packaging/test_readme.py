"""The README's first example runs where somebody installs pulumi-azureml; its other programs are valid."""

from __future__ import annotations

import ast

import pytest
import yaml

from amlite_fixtures.installation import Shell, examples
from azureml_fixtures.installation import PACKAGE

FIRST = "First program"


def blocks(heading: str, language: str) -> list[str]:
    return [each.text for each in examples(PACKAGE) if (each.heading, each.language) == (heading, language)]


def test_the_first_example_runs(installed: Shell) -> None:
    (project,), (code, program), (commands,) = (blocks(FIRST, language) for language in ("yaml", "python", "sh"))
    (installed.folder / "src").mkdir()
    for path, text in (("Pulumi.yaml", project), ("src/hello.py", code), ("__main__.py", program)):
        (installed.folder / path).write_text(text, "utf-8")
    assert yaml.safe_load(project)["name"] == "first"
    for command in commands.splitlines():
        installed.run(command)
    first = installed.run("pulumi stack output hello").strip()

    (installed.folder / "src" / "hello.py").write_text("print('Hello again')\n")
    told = installed.run("pulumi preview --diff")
    assert f'version     : "{first}" => ' in told
    assert "1 to update" in told
    installed.run("pulumi destroy --yes --skip-preview")


@pytest.mark.parametrize("text", [each.text for each in examples(PACKAGE) if each.language == "python"])
def test_other_programs_name_what_there_is(text: str) -> None:
    import pulumi_azureml

    tree = ast.parse(text)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "azureml"
    }
    assert used <= set(pulumi_azureml.__all__)
