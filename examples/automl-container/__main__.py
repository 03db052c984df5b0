"""The Pulumi program: the platform, the role of the tasks, and the image with everything that runs in it."""

from pathlib import Path

import pulumi
from task_access import TaskAccess, TaskAccessArgs

from infra import program
from infra.platform import Platform

platform = Platform(program.read(Path(__file__).parent))
if not platform.program.settings.image.build:
    pulumi.warn(
        "image.build is off: the tasks and their files are in the image of ml/environments/tasks, which Azure Machine "
        "Learning then builds. Without a Docker engine, a local run fails in its first task."
    )
access = TaskAccess(
    "tasks",
    TaskAccessArgs(
        subscription_id=platform.program.config.cloud.subscription_id,
        workspace_id=platform.workspace.id,
        endpoint_identity_id=platform.identities.endpoint.id,
        principal_id=platform.identities.principals.cluster,
    ),
)
platform.export(platform.deploy(requires=[access]))
