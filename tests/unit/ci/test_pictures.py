"""docs/ci.md has a picture of each CI file, with the commands of the file and no others."""

from __future__ import annotations

import re

import pytest

from tests.checkout import ROOT

FILES = sorted([*(ROOT / ".github/workflows").glob("*.yml"), *(ROOT / ".azuredevops").glob("*.yml")])
# Each job begins with them.
BEGIN = {"make setup", "release ci-login"}
_COMMAND = re.compile(r"(?<![\w-])(?:make|release) [a-z][a-z-]+")


def section(heading: str) -> str:
    text = (ROOT / "docs/ci.md").read_text("utf-8")
    return text.partition(f"\n### {heading}\n")[2].partition("\n##")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_the_picture_of_a_ci_file_has_its_commands(file: object) -> None:
    path = ROOT / str(file)
    azure = path.parent.name == ".azuredevops"
    again = azure and (ROOT / ".github/workflows" / path.name).exists()
    described = section(f"{path.name} of Azure Pipelines" if again else path.name)
    (picture,) = re.findall(r"```mermaid\n(.*?)```", described, re.DOTALL)
    text = path.read_text("utf-8")
    for template in re.findall(r"template: (steps/\S+)", text):
        text += (path.parent / template).read_text("utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    used = {each.removeprefix(".venv/bin/") for each in re.findall(r"(?:\.venv/bin/release|make) [a-z][a-z-]+", lines)}
    shown = set(_COMMAND.findall(picture.replace("<br>", " ")))
    assert shown == used - BEGIN
