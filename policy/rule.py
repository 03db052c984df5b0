"""A rule: what it checks, why, and how to mend a resource that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from policy.environments import Environment, Level, Severity
from policy.subject import Place, Resource


@dataclass(frozen=True)
class Scene:
    """What a rule may know besides the resource: its place, the settings of its environment, and all resources."""

    place: Place
    environment: Environment
    resources: Sequence[Resource] = ()


Check = Callable[[Resource, Scene], Iterator[str]]
"""Yields each problem of a resource, such as `adminUserEnabled is true`."""


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        id: The name that settings and exceptions use.
        severity: `mandatory` refuses an update. `advisory` is shown.
        types: The types of resource that it checks, as patterns.
        reason: Why the rule exists.
        fix: What to change.
        check: Finds the problems of one resource.
        elsewhere: Its level outside production, unless the settings say otherwise. None for the severity.
        optional: Whether it applies only where the settings give it a level.
        whole: Whether it needs all resources of the stack. The engine checks such a rule after the resources.
    """

    id: str
    severity: Severity
    types: tuple[str, ...]
    reason: str
    fix: str
    check: Check
    elsewhere: Level | None = None
    optional: bool = False
    whole: bool = False

    def covers(self, type: str) -> bool:
        """Whether the rule checks resources of a type."""
        return any(fnmatchcase(type, pattern) for pattern in self.types)

    def level(self, environment: Environment) -> Level:
        """Return the level of the rule in an environment."""
        if self.id in environment.levels:
            return environment.levels[self.id]
        if self.optional:
            return "off"
        return self.severity if environment.production or self.elsewhere is None else self.elsewhere


def rule(
    id: str,
    severity: Severity,
    *types: str,
    reason: str,
    fix: str,
    elsewhere: Level | None = None,
    optional: bool = False,
    whole: bool = False,
) -> Callable[[Check], Rule]:
    """Make a function a rule."""

    def decorate(check: Check) -> Rule:
        return Rule(id, severity, types, reason, fix, check, elsewhere, optional, whole)

    return decorate
