"""The settings of each environment (`environments.yml`) and the exceptions (`exceptions.yml`)."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic.alias_generators import to_camel

Severity = Literal["mandatory", "advisory"]
Level = Literal["mandatory", "advisory", "off"]

FOLDER = Path(__file__).parent
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class PolicyError(Exception):
    """The settings or the exceptions are wrong. The message names the file, the key and the fix."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=False)


class Limits(_Part):
    """Limits on compute."""

    max_nodes: int = Field(default=20, ge=1, description="Most nodes of a cluster.")
    max_instances: int = Field(default=20, ge=1, description="Most instances of a deployment.")
    max_idle_time: timedelta = Field(
        default=timedelta(minutes=30),
        ge=timedelta(),
        description="Longest time that a node may wait for a job, as an ISO 8601 duration such as `PT30M`.",
    )
    sizes: list[_Text] = Field(
        default_factory=lambda: ["Standard_[DEF]*"],
        description="Sizes of virtual machines that are allowed, as patterns.",
    )
    gpu: bool = Field(default=False, description="Whether sizes with a GPU (`Standard_N*`) are allowed too.")


class Environment(_Part):
    """The settings of the stacks that match a pattern."""

    stacks: list[_Text] = Field(
        min_length=1,
        description="Names of stacks, as patterns. The first match applies. The setting `naming.stack` is a name too.",
    )
    production: bool = Field(default=False, description="Whether the rules for production apply.")
    levels: dict[str, Level] = Field(
        default_factory=dict, description="Level of single rules: `mandatory`, `advisory` or `off`."
    )
    required_tags: list[_Text] = Field(
        default_factory=lambda: ["project", "stack"], description="Tags that every resource needs."
    )
    limits: Limits = Field(default_factory=Limits, description="Limits on compute.")

    @field_validator("levels", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        """YAML reads `off` as false."""
        return (
            {key: "off" if each is False else each for key, each in value.items()} if isinstance(value, dict) else value
        )


class Environments(_Part):
    """The file `environments.yml`."""

    environments: list[Environment] = Field(default_factory=list)

    def of(self, *names: str) -> Environment:
        """Return the settings of a stack: those of the first entry that matches one of its names, or the defaults."""
        for each in self.environments:
            if any(fnmatchcase(name, pattern) for name in names for pattern in each.stacks):
                return each
        return Environment(stacks=["*"])


class Exemption(_Part):
    """A documented exception: a resource that may break a rule until a date."""

    rule: _Text = Field(description="Id of the rule.")
    resource: _Text = Field(description="Name of the resource in the program, as a pattern.")
    stack: _Text = Field(default="*", description="Name of the stack, as a pattern.")
    reason: _Text = Field(description="Why the resource breaks the rule.")
    owner: _Text = Field(description="Who answers for it: a team or an address.")
    expires: date = Field(description="Last day on which it applies, at most a year from now.")

    @field_validator("expires", mode="before")
    @classmethod
    def _is_a_day(cls, value: object) -> object:
        if type(value) is not date:
            raise ValueError("must be a date such as 2027-03-31")
        return value


class Exemptions(_Part):
    """The file `exceptions.yml`."""

    exceptions: list[Exemption] = Field(default_factory=list)


_Document = TypeVar("_Document", bound=BaseModel)


def environments(rules: Collection[str], file: Path = FOLDER / "environments.yml") -> Environments:
    """Read the settings of the environments.

    Raises:
        PolicyError: The file is wrong, or names a rule that does not exist.
    """
    found = _read(file, Environments)
    named = ((f"environments[{i}].levels", id) for i, each in enumerate(found.environments) for id in each.levels)
    _refuse_unknown(named, rules, file)
    return found


def exemptions(rules: Collection[str], file: Path = FOLDER / "exceptions.yml") -> list[Exemption]:
    """Read the exceptions.

    Raises:
        PolicyError: The file is wrong, or names a rule that does not exist.
    """
    found = _read(file, Exemptions).exceptions
    _refuse_unknown(((f"exceptions[{i}].rule", each.rule) for i, each in enumerate(found)), rules, file)
    return found


def _refuse_unknown(named: Iterator[tuple[str, str]], rules: Collection[str], file: Path) -> None:
    problems = []
    for key, id in named:
        if id not in rules:
            near = difflib.get_close_matches(id, rules, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "docs/policy.md lists the rules"
            problems.append(f"  {key}: there is no rule '{id}'\n      fix: {hint}")
    if problems:
        raise PolicyError("\n".join([f"{_shown(file)} is wrong. Nothing was checked.", *problems]))


def _read(file: Path, model: type[_Document]) -> _Document:
    try:
        values: Any = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise PolicyError(f"cannot read {_shown(file)}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise PolicyError(f"{_shown(file)} is not YAML: {' '.join(str(error).split())}") from error
    try:
        return model.model_validate({} if values is None else values)
    except ValidationError as error:
        lines = [
            f"  {_key(each['loc'])}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors(include_url=False)
        ]
        raise PolicyError(
            "\n".join(
                [f"{_shown(file)} is wrong. Nothing was checked.", *lines, "  docs/policy.md describes the keys."]
            )
        ) from error


def _key(location: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "the file"


def _shown(file: Path) -> str:
    return f"policy/{file.name}" if file.parent == FOLDER else str(file)
