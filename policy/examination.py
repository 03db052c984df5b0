"""Holds resources against the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from policy.environments import Environment, Exemption, Severity, environments, exemptions
from policy.rule import Rule, Scene
from policy.rules import RULES
from policy.subject import CONFIGURATION, HiddenError, Place, Resource

EXPIRED = "expired-exception"
"""The id of the finding about an exception that has expired or lasts too long. It is no rule: nothing turns it off."""
_LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class Finding:
    """A resource that breaks a rule.

    Attributes:
        rule: The id of the rule.
        severity: `mandatory` refuses the update.
        resource: The name of the resource.
        problem: What is wrong with the resource.
        reason: Why the rule exists.
        fix: What to change.
        exemption: The exception that allows it.
    """

    rule: str
    severity: Severity
    resource: str
    problem: str
    reason: str
    fix: str
    exemption: Exemption | None = None

    @property
    def refuses(self) -> bool:
        """Whether an update must not happen."""
        return self.severity == "mandatory" and self.exemption is None


@dataclass(frozen=True)
class Policy:
    """The rules as they apply to a stack on a day."""

    place: Place
    environment: Environment
    exemptions: Sequence[Exemption]
    today: date

    @classmethod
    def of(cls, place: Place, today: date) -> Policy:
        """Read the settings and exceptions for a place.

        Raises:
            PolicyError: One of the files is wrong.
        """
        every = exemptions(RULES.keys())
        ours = [each for each in every if fnmatchcase(place.stack, each.stack)]
        return cls(place, environments(RULES.keys()).of(*_names(place)), ours, today)

    def examine(self, resources: Iterable[Resource]) -> list[Finding]:
        """Return what breaks a rule, mandatory rules first, then in the order of the resources."""
        every = list(resources)
        found = [*self.expired(), *(finding for each in every for finding in self.of_resource(each, every))]
        return sorted(found, key=lambda each: (each.exemption is not None, each.severity != "mandatory"))

    def of_resource(self, resource: Resource, resources: Sequence[Resource] | None = None) -> Iterator[Finding]:
        """Yield what breaks a rule in one resource. Without all `resources`, rules that need them are left out."""
        scene = Scene(self.place, self.environment, resources or ())
        for each in RULES.values():
            level = each.level(self.environment)
            if level == "off" or not each.covers(resource.type) or (each.whole and resources is None):
                continue
            for problem in _problems(each, resource, scene):
                exemption = self._exemption(each, resource)
                yield Finding(each.id, level, resource.name, problem, each.reason, each.fix, exemption)

    def expired(self) -> Iterator[Finding]:
        """Yield the exceptions that have expired, and those that end in more than a year."""
        for each in self.exemptions:
            if each.expires < self.today:
                problem = f"the exception from {each.rule} expired on {each.expires} (owner: {each.owner})"
                fix = "mend the resource and delete the exception from policy/exceptions.yml, or agree on a new date"
            elif not self._applies(each):
                problem = f"the exception from {each.rule} lasts until {each.expires} (owner: {each.owner})"
                fix = f"write a date until {self.today + _LONGEST} in policy/exceptions.yml"
            else:
                continue
            reason = "An exception ends, so that somebody looks at it again."
            yield Finding(EXPIRED, "mandatory", each.resource, problem, reason, fix)

    def _exemption(self, each: Rule, resource: Resource) -> Exemption | None:
        for exemption in self.exemptions:
            if exemption.rule == each.id and fnmatchcase(resource.name, exemption.resource):
                return exemption if self._applies(exemption) else None
        return None

    def _applies(self, exemption: Exemption) -> bool:
        return self.today <= exemption.expires <= self.today + _LONGEST


def _problems(rule: Rule, resource: Resource, scene: Scene) -> Iterator[str]:
    """Yield what breaks a rule. A secret could break it, so one that it needs does."""
    try:
        yield from rule.check(resource, scene)
    except HiddenError as error:
        yield str(error)


def configuration(place: Place) -> Resource:
    """Return the resource that stands for the stack file: its values that are not encrypted, and the project's."""
    file = place.folder / f"Pulumi.{place.stack}.yaml"
    of_project = {key: _value(each) for key, each in _config(place.folder / "Pulumi.yaml").items()}
    return Resource(CONFIGURATION, file.name, _plain({**of_project, **_config(file)}))


def _names(place: Place) -> list[str]:
    """Return the stack's name, and the one in the names of its resources: a renamed stack keeps its resources."""
    config = _config(place.folder / f"Pulumi.{place.stack}.yaml")
    groups = [each for key, each in config.items() if str(key).endswith(":naming") and isinstance(each, dict)]
    return [place.stack, *(str(each["stack"]) for each in groups if each.get("stack"))]


def _config(file: Path) -> dict[str, Any]:
    values = yaml.safe_load(file.read_text("utf-8")) if file.exists() else None
    config = values.get("config") if isinstance(values, dict) else None
    return config if isinstance(config, dict) else {}


def _value(declared: Any) -> Any:
    """Return the value of a project's setting, which may be declared with a type and a default."""
    if isinstance(declared, dict) and declared.keys() & {"value", "default"}:
        return declared.get("value", declared.get("default"))
    return declared


def _plain(value: Any) -> Any:
    """Return a value of a stack file without what is encrypted."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items() if not _is_encrypted(each)}
    return [_plain(each) for each in value if not _is_encrypted(each)] if isinstance(value, list) else value


def _is_encrypted(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"secure"}


def project_folder(start: Path) -> Path:
    """Return the folder with Pulumi.yaml: `start`, or the closest folder above."""
    return next((each for each in (start, *start.parents) if (each / "Pulumi.yaml").exists()), start)
