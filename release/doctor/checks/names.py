"""Checks that the stack's names are free. Some are unique in all of Azure, and soft-deleted resources keep theirs."""

from __future__ import annotations

from collections.abc import Iterator

from infra import availability, naming
from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject


def check(subject: Subject) -> Iterator[Finding]:
    """Look the names up, as a preview does before it plans to create resources with them."""
    tags = naming.tags(subject.settings.naming, subject.stack, subject.settings.tags)
    wanted = availability.WantedNames.of(subject.configuration, subject.names, tags)
    answers = availability.ask(wanted)
    for text in answers.problems:
        what, _, fix = text.strip().partition("\n      fix: ")
        yield problem(what, "Azure would refuse to create the resource.", fix)
    for reason in answers.unchecked:
        yield warning("not checked", reason, "solve this and run `release doctor` again")
    vault = answers.recoverable
    if vault is not None:
        yield ok(f"the update recovers the soft-deleted key vault {vault.name}")
    elif not answers.problems and not answers.unchecked:
        yield ok("the names of the resources are free, or the stack's own")
