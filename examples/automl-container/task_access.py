"""What the tasks of the pipeline may do.

They act as the identity of the cluster. The platform gives it the roles that every job needs: to read and write blobs,
and to pull images. The tasks also register assets, submit a job and deploy a model.
"""

from dataclasses import dataclass

import pulumi

from infra.components.access import PrincipalType, assigned, defined
from infra.roles.definitions import CustomRole, Role
from infra.roles.propagation import waits_for_roles

_ML = "Microsoft.MachineLearningServices/workspaces"
# Microsoft's role AzureML Data Scientist allows all of this too. It also allows to change and delete every job,
# schedule, datastore, component and endpoint of the workspace.
TASK_ROLE = CustomRole(
    slug="automl-task",
    title="Azure ML AutoML task",
    description="Registers data and models, submits jobs, and deploys models to endpoints that exist. Deletes no "
    "endpoint, and changes neither schedules nor computes nor datastores.",
    actions=(
        f"{_ML}/read",
        f"{_ML}/*/read",
        f"{_ML}/data/*",
        # AutoML acts for the identity that submits it, so that identity may also write runs and their artifacts.
        f"{_ML}/jobs/write",
        f"{_ML}/experiments/*",
        f"{_ML}/metadata/*",
        f"{_ML}/environments/build/action",
        f"{_ML}/environments/readSecrets/action",
        f"{_ML}/models/*",
        # The traffic is a property of the endpoint.
        f"{_ML}/onlineEndpoints/write",
        f"{_ML}/onlineEndpoints/score/action",
        f"{_ML}/onlineEndpoints/deployments/*",
    ),
)


@dataclass(frozen=True, kw_only=True)
class TaskAccessArgs:
    """Inputs of `TaskAccess`: the workspace, the endpoint's identity, and the object id of the cluster's identity."""

    subscription_id: str
    workspace_id: pulumi.Output[str]
    endpoint_identity_id: pulumi.Output[str]
    principal_id: pulumi.Output[str]


class TaskAccess(pulumi.ComponentResource):
    """The roles that the cluster's identity needs for the tasks, besides those of every job. It has no outputs."""

    def __init__(self, name: str, args: TaskAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("automl-container:index:TaskAccess", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        role = args.workspace_id.apply(TASK_ROLE.guid)
        definition = defined(f"{name}-workspace", TASK_ROLE, role, args.workspace_id, here)
        assigned(
            f"{name}-workspace-{TASK_ROLE.slug}",
            subscription_id=args.subscription_id,
            scope=args.workspace_id,
            principal=args.principal_id,
            kind=PrincipalType.SERVICE_PRINCIPAL,
            role=role,
            # Azure may not find a new role at once.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[definition], hooks=waits_for_roles(f"{name}-workspace-{TASK_ROLE.slug}")
            ),
        )
        # Whoever writes an endpoint hands its identity over, even if only the traffic changes.
        assigned(
            f"{name}-endpoint-identity-{Role.MANAGED_IDENTITY_OPERATOR.slug}",
            subscription_id=args.subscription_id,
            scope=args.endpoint_identity_id,
            principal=args.principal_id,
            kind=PrincipalType.SERVICE_PRINCIPAL,
            role=Role.MANAGED_IDENTITY_OPERATOR.value,
            opts=here,
        )
        self.register_outputs({})
