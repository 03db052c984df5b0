"""What the tests of the whole program share: one run for each shipped stack."""

import pytest

from tests.unit.infra.deployed import Deployment, deploy
from tests.unit.infra.stack_files import STACKS


@pytest.fixture(scope="package")
def deployments() -> dict[str, Deployment]:
    return {stack: deploy(stack) for stack in STACKS}


@pytest.fixture(params=STACKS)
def deployment(request: pytest.FixtureRequest, deployments: dict[str, Deployment]) -> Deployment:
    return deployments[request.param]
