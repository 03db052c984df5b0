"""The tables in docs/policy.md are those of the rules and settings."""

from pathlib import Path

from policy import documentation
from policy.rules import RULES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "policy.md"


def test_the_tables_are_current() -> None:
    assert PAGE.read_text() == documentation.page(PAGE.read_text()), "run `python -m policy.documentation`"


def test_every_rule_says_what_it_requires() -> None:
    assert [each.id for each in RULES.values() if not each.check.__doc__] == []
