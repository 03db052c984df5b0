"""Holds the resources of a preview against the rules, and refuses what mandatory ones forbid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from policy.environments import Exemption, PolicyError
from policy.examination import Finding, Policy, configuration
from policy.subject import Place, Resource, short_type
from release.errors import ReleaseError
from release.planned import PlannedResource
from release.policy.findings import PolicyFinding
from release.project import project_folder


def examined(stack: str, planned: Iterable[PlannedResource]) -> list[Finding]:
    """Return what would break a rule after the update.

    Raises:
        ReleaseError: The settings or the exceptions of the rules are wrong.
    """
    place = Place(stack, project_folder())
    try:
        policy = Policy.of(place, datetime.now(UTC).date())
    except PolicyError as error:
        raise ReleaseError(str(error)) from error
    return policy.examine([configuration(place), *_resources(planned)])


def _resources(planned: Iterable[PlannedResource]) -> Iterator[Resource]:
    for each in planned:
        if each.after is not None:
            yield Resource(short_type(each.type), each.name, each.after, each.protected)


def refuse(stack: str, found: Sequence[Finding]) -> None:
    """Stop if a mandatory rule is broken.

    Raises:
        ReleaseError: It names each rule, the resource, and the fix.
    """
    broken = [each for each in found if each.refuses]
    if broken:
        count = f"{len(broken)} mandatory rules" if len(broken) > 1 else "a mandatory rule"
        lines = [f"  {each.rule}: {each.resource}: {each.problem}\n      fix: {each.fix}" for each in broken]
        raise ReleaseError("\n".join([f"stack '{stack}' breaks {count}. Nothing was changed.", *lines]))


def part(found: Iterable[Finding]) -> list[PolicyFinding]:
    """Return findings as a part of a document. What an exception allows is advisory."""
    return [
        PolicyFinding(
            rule=each.rule,
            severity="advisory" if each.exemption else each.severity,
            resource=each.resource,
            reason=f"{each.problem}. {_allowed(each.exemption) if each.exemption else each.reason}",
            fix=each.fix,
        )
        for each in found
    ]


def _allowed(exemption: Exemption) -> str:
    return f"{exemption.owner} allows it until {exemption.expires}: {exemption.reason}"
