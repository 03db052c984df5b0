"""The expressions that the tests of the CI files resolve, and that they refuse what they do not know."""

from __future__ import annotations

import pytest

from tests.ci import expressions
from tests.ci.expressions import UnsupportedError

CONTEXTS = {
    "github": {
        "event": {"pull_request": {"head": {"repo": {"full_name": "me/fork"}}}},
        "repository": "contoso/flights",
    },
    "matrix": {"stack": "dev"},
    "inputs": {"run-id": "17"},
}


def test_a_workflow_names_values_by_their_path() -> None:
    assert expressions.github("preview-${{ matrix.stack }} of ${{ inputs.run-id }}", CONTEXTS) == "preview-dev of 17"


@pytest.mark.parametrize(("operator", "expected"), [("==", False), ("!=", True)])
def test_a_workflow_compares_two_values(operator: str, expected: bool) -> None:
    expression = f"github.event.pull_request.head.repo.full_name {operator} github.repository"
    assert expressions.github_value(expression, CONTEXTS) is expected


@pytest.mark.parametrize(
    ("text", "succeeded", "expected"),
    [
        (None, True, True),
        (None, False, False),
        ("${{ !cancelled() }}", False, True),
        ("${{ !cancelled() && github.repository == github.repository }}", False, True),
        ("github.repository == github.repository", True, True),
        ("github.repository == github.repository", False, False),
        ("${{ !cancelled() && github.repository != github.repository }}", True, False),
    ],
)
def test_a_workflow_says_when_a_job_runs(text: str | None, succeeded: bool, expected: bool) -> None:
    assert expressions.github_holds(text, CONTEXTS, succeeded) is expected


@pytest.mark.parametrize(
    "text",
    ["${{ secrets.TOKEN }}", "${{ always() }}", "${{ format('{0}', 1) }}", "${{matrix.stack}}", "${{ matrix.region }}",
     "${{ github.repository == 'contoso/flights' }}"],
)  # fmt: skip
def test_what_no_workflow_uses_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError):
        expressions.github(text, CONTEXTS)


def test_a_pipeline_names_variables() -> None:
    assert expressions.macros("Bearer $(System.AccessToken)", {"System.AccessToken": "x"}) == "Bearer x"


@pytest.mark.parametrize("text", ["$(Build.BuildId)", "$(date +%s)", "$[variables.x]", "${{ variables.x }}"])
def test_what_no_pipeline_uses_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError):
        expressions.macros(text, {})


@pytest.mark.parametrize(
    ("text", "succeeded", "expected"),
    [
        ("succeeded()", True, True),
        ("succeeded()", False, False),
        ("ne(variables['System.PullRequest.IsFork'], 'True')", True, True),
        ("and(succeeded(), eq(variables['Build.SourceBranch'], 'refs/heads/main'))", True, True),
        ("and(succeeded(), eq(variables['Build.SourceBranch'], 'refs/heads/main'))", False, False),
        ("eq(variables['Build.Reason'], 'pullrequest')", True, True),
    ],
)
def test_conditions_of_a_pipeline(text: str, succeeded: bool, expected: bool) -> None:
    variables = {"Build.SourceBranch": "refs/heads/main", "Build.Reason": "PullRequest"}
    assert expressions.condition(text, variables, succeeded) is expected


@pytest.mark.parametrize("text", ["always()", "eq(1, 1)", "'text'", "not(succeeded())", "and(succeeded()) x()"])
def test_conditions_that_no_pipeline_uses_are_refused(text: str) -> None:
    with pytest.raises((UnsupportedError, IndexError)):
        expressions.condition(text, {}, True)
