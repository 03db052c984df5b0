"""The stacks of this repository pass the repository's own rules."""

from __future__ import annotations

import json
from datetime import date

from policy.examination import Finding, Policy, configuration
from policy.subject import Place, Resource, short_type
from tests.unit.infra.deployed import Deployment, deploy
from tests.unit.infra.stack_files import ROOT


def examined(stack: str, deployment: Deployment) -> list[Finding]:
    place = Place(stack, ROOT)
    resources = [Resource(short_type(each.type), each.name, each.inputs, each.protect) for each in deployment.resources]
    return Policy.of(place, date(2026, 11, 28)).examine([configuration(place), *resources])


def test_no_stack_breaks_a_mandatory_rule(deployments: dict[str, Deployment]) -> None:
    for stack, deployment in deployments.items():
        found = examined(stack, deployment)
        assert [each for each in found if each.refuses] == []
        # Hosted runners reach the shipped production stack. docs/network/ describes the other choices. What is logged,
        # and who pays for it, is a choice of the subscription's owner: see docs/policy.md.
        shown = {"public-network-access", "diagnostic-settings"} if stack == "prod" else set()
        assert {each.rule for each in found} == shown


def test_a_deployment_breaks_no_mandatory_rule() -> None:
    model = {"azureml-platform:models": json.dumps({"flight-delay": {"name": "flight-delay", "version": "3"}})}
    deployment = deploy("prod", model)
    assert next(each for each in deployment.resources if each.name == "endpoint-flight-delay").inputs["deployment"]
    assert [each for each in examined("prod", deployment) if each.refuses] == []
