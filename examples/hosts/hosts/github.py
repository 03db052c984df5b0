"""A platform repository on GitHub: its rules, environments and variables.

Source: GitHub's "Security hardening for GitHub Actions", and the schema of pulumi-github.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_github as gh

from hosts.settings import Environment, GitHubSettings

_MAIN = "main"
# Names of the jobs in .github/workflows/pull-request.yml that must succeed.
_CHECKS = ["Lint", "Test"]


class GitHubHost(pulumi.ComponentResource):
    """A repository whose branch `main` changes by reviewed pull requests, with one environment per stack and purpose.

    The environment of a stack deploys from `main` only, after its approvers agree. `<stack>-preview` serves pull
    requests, with an identity that may read and nothing else.

    Outputs: `full_name`, `repository_id`.
    """

    full_name: pulumi.Output[str]
    repository_id: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        settings: GitHubSettings,
        environments: Sequence[Environment],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("azureml-hosts:index:GitHubHost", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        repository = gh.Repository(
            settings.repository,
            name=settings.repository,
            description=settings.description,
            visibility=settings.visibility,
            has_issues=True,  # the nightly comparison reports differences as an issue
            allow_merge_commit=False,
            allow_rebase_merge=False,
            delete_branch_on_merge=True,
            auto_init=True,  # a rule for a branch needs the branch
            archive_on_destroy=True,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        gh.ActionsRepositoryPermissions(
            "actions",
            repository=repository.name,
            allowed_actions="selected",
            allowed_actions_config=gh.ActionsRepositoryPermissionsAllowedActionsConfigArgs(
                github_owned_allowed=True, verified_allowed=False, patterns_alloweds=[]
            ),
            sha_pinning_required=True,
            opts=inside,
        )
        gh.WorkflowRepositoryPermissions(
            "token",
            repository=repository.name,
            default_workflow_permissions="read",
            # `release propose` opens a pull request. GitHub has one setting for that and for approvals. `main` requires
            # a code owner's approval, and a job is not one.
            can_approve_pull_request_reviews=True,
            opts=inside,
        )
        gh.BranchProtection(
            _MAIN,
            repository_id=repository.node_id,
            pattern=_MAIN,
            enforce_admins=True,
            required_linear_history=True,
            require_conversation_resolution=True,
            required_pull_request_reviews=[
                gh.BranchProtectionRequiredPullRequestReviewArgs(
                    required_approving_review_count=settings.reviews,
                    dismiss_stale_reviews=True,
                    require_code_owner_reviews=True,
                    # With one approval, the last pusher cannot be the one who approves.
                    require_last_push_approval=settings.reviews > 0,
                )
            ],
            required_status_checks=[gh.BranchProtectionRequiredStatusCheckArgs(strict=True, contexts=_CHECKS)],
            opts=inside,
        )
        for each in environments:
            self._deploying(repository, each)
            self._previewing(repository, each)
        self.full_name, self.repository_id = repository.full_name, repository.repo_id
        self.register_outputs({"full_name": self.full_name, "repository_id": self.repository_id})

    def _deploying(self, repository: gh.Repository, environment: Environment) -> None:
        approvers = [int(team) for team in environment.approvers]
        made = gh.RepositoryEnvironment(
            environment.name,
            repository=repository.name,
            environment=environment.name,
            can_admins_bypass=False,
            prevent_self_review=bool(approvers),
            reviewers=[gh.RepositoryEnvironmentReviewerArgs(teams=approvers)] if approvers else None,
            deployment_branch_policy=gh.RepositoryEnvironmentDeploymentBranchPolicyArgs(
                protected_branches=False, custom_branch_policies=True
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        gh.RepositoryEnvironmentDeploymentPolicy(
            f"{environment.name}-from-{_MAIN}",
            repository=repository.name,
            environment=made.environment,
            branch_pattern=_MAIN,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._variables(environment.name, repository, made, environment, environment.client_id)

    def _previewing(self, repository: gh.Repository, environment: Environment) -> None:
        name = f"{environment.name}-preview"
        made = gh.RepositoryEnvironment(
            name, repository=repository.name, environment=name, opts=pulumi.ResourceOptions(parent=self)
        )
        self._variables(name, repository, made, environment, environment.preview_client_id)

    def _variables(
        self,
        name: str,
        repository: gh.Repository,
        made: gh.RepositoryEnvironment,
        environment: Environment,
        client_id: str,
    ) -> None:
        values = {
            "AZURE_CLIENT_ID": client_id,
            "AZURE_TENANT_ID": environment.subscription.tenant_id,
            "PULUMI_BACKEND_URL": environment.backend_url,
        }
        for variable, value in values.items():
            gh.ActionsEnvironmentVariable(
                f"{name}-{variable}",
                repository=repository.name,
                environment=made.environment,
                variable_name=variable,
                value=value,
                opts=pulumi.ResourceOptions(parent=self),
            )
