from __future__ import annotations

import pytest

from amlite.services.jobs.command import check, problems, render


def test_references_become_their_values_as_they_are() -> None:
    line = render("train --data ${{inputs.data}} --out ${{ outputs.model }}", {"data": "/a b"}, {"model": "/m"})
    assert line == "train --data /a b --out /m"


@pytest.mark.parametrize(
    ("inputs", "line"),
    [({"a": "1", "b": "2"}, "run 1 --b 2 end"), ({"a": "1"}, "run 1  end")],
)
def test_an_optional_part_goes_with_its_input(inputs: dict[str, str], line: str) -> None:
    assert render("run ${{inputs.a}} $[[--b ${{inputs.b}}]] end", inputs, {}) == line


def test_an_optional_part_without_references_stays() -> None:
    assert render("run $[[always]]", {}, {}) == "run always"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("${{inputs.b}}", "'${{inputs.b}}' is not declared; the inputs are: a"),
        ("${{outputs.b}}", "'${{outputs.b}}' is not declared; the outputs are: none"),
        ("${{search_space.b}}", "is neither an input nor an output"),
    ],
)
def test_what_is_not_declared_is_a_problem(template: str, said: str) -> None:
    (problem,) = problems(template, ["a"], [])
    assert said in problem


def test_a_command_of_spaces_and_signs_is_none() -> None:
    assert check(" ;\n") == ["the command ' ;\n' has no letter, digit or underscore"]
    assert check("[ 1 ]") == []


def test_a_template_that_fits_has_no_problems() -> None:
    assert problems("x ${{inputs.a}} $[[ ${{inputs.b}} ]] > ${{outputs.o}}", ["a", "b"], ["o"]) == []


@pytest.mark.attack
@pytest.mark.parametrize("beginning", ["$[[", "${{"])
def test_a_command_of_beginnings_takes_no_time(beginning: str) -> None:
    template = beginning * 200_000
    assert problems(template, [], []) == []
    assert render(template, {}, {}) == template
