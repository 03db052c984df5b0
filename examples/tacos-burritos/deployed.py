"""A deployed stack of this example: its outputs, and what its runs need to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from submission import ENDPOINT, ENVIRONMENT, Submission, Target

from infra.outputs import StackOutputs
from release.project import project_folder
from release.stack import PulumiStack


@dataclass(frozen=True)
class Deployed:
    """A deployed stack: its outputs, its runs, and the addresses of its recurring runs by their names."""

    outputs: StackOutputs
    submission: Submission
    recurring: Mapping[str, str]

    @classmethod
    def read(cls, name: str) -> Deployed:
        """Read the outputs of a stack. Raises ReleaseError if it is not deployed."""
        stack = PulumiStack(name)
        config, outputs = stack.config(), stack.deployed()
        pipeline, kubernetes = stack.output("pipeline"), stack.output("kubernetes")
        target = Target(
            stack=name,
            folder=str(project_folder()),
            tenant_id=str(config["azure-native:tenantId"]),
            subscription_id=outputs.subscription_id,
            resource_group=outputs.resource_group,
            location=str(config["azure-native:location"]),
            workspace=outputs.workspace,
            login_server=outputs.login_server,
            cluster=kubernetes["cluster"],
            namespace=kubernetes["namespace"],
            service_account=kubernetes["service_account"],
            endpoint=outputs.endpoints[ENDPOINT].name,
            environment=outputs.assets["environment"][ENVIRONMENT],
            pipeline_url=pipeline["url"],
            pipeline_version=pipeline["version"],
        )
        return cls(outputs, Submission(target), stack.output("recurring_runs"))
