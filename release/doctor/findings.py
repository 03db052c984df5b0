"""The findings of a check, and the report of all checks."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field
from rich.console import Console
from rich.markup import escape


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    PROBLEM = "problem"


_COLOURS = {Level.OK: "green", Level.SKIPPED: "dim", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_SHOWN_ALWAYS = (Level.WARNING, Level.PROBLEM)


class Finding(BaseModel):
    """One finding of a check."""

    check: str = Field(default="", description="Title of the check.")
    level: Level = Field(
        description="`problem`: the update would fail. `warning`: it may fail, or something later does. `skipped`: not "
        "checked, because an earlier check has a problem."
    )
    what: str = Field(description="What was found.")
    why: str = Field(default="", description="Why it matters. Empty for `ok`.")
    fix: str = Field(default="", description="The command or edit that solves it. Empty for `ok`.")


class Report(BaseModel):
    """The result of `release doctor --output json`."""

    stack: str = Field(description="Name of the stack.")
    findings: list[Finding] = Field(description="Findings, in the order of the checks.")

    def count(self, level: Level) -> int:
        """Return the number of findings of a level."""
        return sum(finding.level is level for finding in self.findings)

    @property
    def failed(self) -> bool:
        """Whether there is a problem."""
        return self.count(Level.PROBLEM) > 0

    def print(self, console: Console, *, everything: bool = True) -> None:
        """Print the findings, or only those that ask for an action."""
        width = max((len(finding.check) for finding in self.findings), default=0)
        for finding in self.findings:
            if finding.level is Level.SKIPPED or (not everything and finding.level not in _SHOWN_ALWAYS):
                continue
            colour, what = _COLOURS[finding.level], finding.what.splitlines()
            console.print(
                f"  [{colour}]{finding.level:<8}[/] {finding.check:<{width}}  {escape(what[0])}",
                markup=True, highlight=False, soft_wrap=True,
            )  # fmt: skip
            more = [*what[1:], finding.why, f"fix: {finding.fix}" if finding.fix else ""]
            for line in (line for text in more for line in text.splitlines()):
                console.print(f"{'':<{width + 13}}{line}", highlight=False, soft_wrap=True)
        skipped = list(dict.fromkeys(each.check for each in self.findings if each.level is Level.SKIPPED))
        if everything and skipped:
            told = f"not checked, because of the problem above: {', '.join(skipped)}"
            console.print(f"  [dim]skipped [/] {escape(told)}", markup=True, highlight=False, soft_wrap=True)
        problems, warnings = (self.count(level) for level in (Level.PROBLEM, Level.WARNING))
        if everything:
            console.print(f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}", highlight=False)


def ok(what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(level=Level.OK, what=what)


def warning(what: str, why: str, fix: str) -> Finding:
    """Return a finding that may make the update, or something later, fail."""
    return Finding(level=Level.WARNING, what=what, why=why, fix=fix)


def problem(what: str, why: str, fix: str) -> Finding:
    """Return a finding that makes the update fail."""
    return Finding(level=Level.PROBLEM, what=what, why=why, fix=fix)


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
