"""The policy pack, as `pulumi preview --policy-pack policy` runs it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

# Python puts this folder on the path, and not its parent, which has the package.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from pulumi_policy import (  # noqa: E402
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError  # noqa: E402

from policy.environments import PolicyError, Severity, environments  # noqa: E402
from policy.examination import EXPIRED, Finding, Policy, configuration, project_folder  # noqa: E402
from policy.rule import Rule  # noqa: E402
from policy.rules import RULES  # noqa: E402
from policy.subject import CONFIGURATION, UNKNOWN, Place, Resource, short_type  # noqa: E402

_STACK = "pulumi:pulumi:Stack"
_Validation = Callable[[ResourceValidationArgs, ReportViolation], None]
_LEVELS: tuple[Severity, ...] = ("mandatory", "advisory")
_FOLDER = project_folder(Path.cwd())


def plain(value: Any) -> Any:
    """Return inputs as plain values, with `UNKNOWN` for those that are known after the update only."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_item(value, index) for index in range(len(value))]
    return value


def _item(value: Any, key: Any) -> Any:
    try:
        return plain(value[key])
    except UnknownValueError:
        return UNKNOWN


@cache
def _policy(stack: str) -> Policy:
    return Policy.of(Place(stack, _FOLDER), datetime.now(UTC).date())


def _breaks(args: ResourceValidationArgs) -> list[Finding]:
    """Return the findings about a resource that no exception allows. Those about the stack file are the stack's."""
    policy = _policy(args.urn.split(":")[2])
    if args.resource_type == _STACK:
        found = [*policy.expired(), *policy.of_resource(configuration(policy.place))]
    else:
        resource = Resource(short_type(args.resource_type), args.name, plain(args.props), bool(args.opts.protect))
        found = list(policy.of_resource(resource))
    return [each for each in found if each.exemption is None]


def _validation(
    id: str, covers: Callable[[str], bool], level: Severity
) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        if covers(short_type(args.resource_type)):
            for each in _breaks(args):
                if (each.rule, each.severity) == (id, level):
                    report_violation(f"{each.problem}\nfix: {each.fix}", None)

    return validate


def _whole_validation(id: str, level: Severity) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
        if not args.resources:
            return
        every = [
            Resource(short_type(each.resource_type), each.name, plain(each.props), bool(each.opts.protect))
            for each in args.resources
        ]
        policy = _policy(args.resources[0].urn.split(":")[2])
        for resource, each in zip(every, args.resources, strict=True):
            for found in policy.of_resource(resource, every):
                if (found.rule, found.severity, found.exemption) == (id, level, None):
                    report_violation(f"{found.problem}\nfix: {found.fix}", each.urn)

    return validate


def _policies(rule: Rule, levels: set[str]) -> list[ResourceValidationPolicy | StackValidationPolicy]:
    """Return a policy for each level of a rule. The engine fixes the level of a policy for all stacks."""
    found: list[ResourceValidationPolicy | StackValidationPolicy] = []
    for level in _LEVELS:
        if level not in levels:
            continue
        name = f"{rule.id}-advisory" if level == "advisory" and "mandatory" in levels else rule.id
        enforcement = EnforcementLevel(level)
        if rule.whole:
            check = _whole_validation(rule.id, level)
            found.append(StackValidationPolicy(name, rule.reason, check, enforcement, remediation_steps=rule.fix))
        else:
            each = _validation(rule.id, _covered(rule), level)
            found.append(ResourceValidationPolicy(name, rule.reason, each, enforcement, remediation_steps=rule.fix))
    return found


def _covered(rule: Rule) -> Callable[[str], bool]:
    """Return what a rule covers here: the engine has the stack in place of the stack file."""
    return lambda type: rule.covers(CONFIGURATION if type == _STACK else type)


def main() -> None:
    """Serve the rules to the engine until it ends this process."""
    try:
        _policy("")
        settings = environments(RULES.keys())
    except PolicyError as error:
        sys.exit(str(error))
    scopes = [*settings.environments, settings.of("")]
    policies = [
        each for rule in RULES.values() for each in _policies(rule, {rule.level(environment) for environment in scopes})
    ]
    expired = ResourceValidationPolicy(
        name=EXPIRED,
        description="An exception ends, so that somebody looks at it again.",
        validate=_validation(EXPIRED, lambda type: type == _STACK, "mandatory"),
        enforcement_level=EnforcementLevel.MANDATORY,
    )
    PolicyPack("azureml-platform", [*policies, expired])


if __name__ == "__main__":
    main()
