"""What a program knows before it registers a resource: the stack's settings, its names and the plan of its assets."""

from dataclasses import dataclass
from pathlib import Path

import pulumi

from infra import cloud, naming, renaming, replacement
from infra import plan as planning
from infra.components.access import Deployer
from infra.settings import configuration
from infra.settings.configuration import Configuration
from infra.settings.stack import Settings
from pulumi_azureml import Catalogue


@dataclass(frozen=True)
class Program:
    """The settings, names and planned assets of a stack.

    Attributes:
        config: The stack's configuration.
        names: The names of its resources in Azure.
        tags: The tags of all its resources.
        deployer: The signed-in identity.
        plan: All assets below `ml/` and `pipelines/`, resolved, versioned and checked.
    """

    config: Configuration
    names: naming.Names
    tags: dict[str, str]
    deployer: Deployer
    plan: Catalogue

    @property
    def settings(self) -> Settings:
        """Everything under `azureml-platform:` in the stack file."""
        return self.config.settings


def read(root: Path) -> Program:
    """Read the stack's configuration, check who is signed in, and plan the assets below a project's folder.

    Raises:
        ConfigurationError: The configuration has problems, or changed names would lose resources.
        PlanError: An asset file has a problem.
    """
    config = configuration.read()
    names = naming.names(config.settings.naming, config.stack)
    tags = naming.tags(config.settings.naming, config.stack, config.settings.tags)
    deployer = cloud.signed_in(config, names.resource_group)
    cloud.check_region(config)
    plan = planning.plan(root, config, names)
    renaming.check(config, names, plan)
    pulumi.runtime.register_stack_transformation(replacement.delete_first)
    return Program(config, names, tags, deployer, plan)
