"""A platform repository on Azure DevOps: its project, policies, service connections, pipelines and environments.

Source: Microsoft's "Securing Azure Pipelines" and "Define approvals and checks", and the schema of pulumi-azuredevops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azuredevops as ado

from hosts.settings import AzureDevOpsSettings, Environment

_MAIN = "refs/heads/main"
# Pipelines by name, as in .azuredevops/. `release` has the pipeline `training` as a resource.
_INFRASTRUCTURE, _PIPELINES = "infrastructure", ("infrastructure", "training", "release")
_MINUTES = 60 * 24 * 7
_EDITS = ("EditBuildDefinition", "DeleteBuildDefinition", "AdministerBuildPermissions")
# The branch of `release propose`. Azure DevOps leaves it after a pull request, and the next one starts it anew.
_PROPOSED = "refs/heads/release/models"
_PROPOSES = ("GenericContribute", "CreateBranch", "PullRequestContribute")


@dataclass(frozen=True)
class _Place:
    """The project, its repository, and its pipelines by name."""

    project_id: pulumi.Output[str]
    repository_id: pulumi.Output[str]
    pipelines: dict[str, ado.BuildDefinition]


class AzureDevOpsHost(pulumi.ComponentResource):
    """A project whose branch `main` changes by reviewed pull requests.

    Each stack has an environment and two service connections. The connection `azure-<stack>` works for runs of `main`
    only. `azure-<stack>-preview` serves pull requests, with an identity that may read and nothing else. Both sign in by
    workload identity federation, so there is no secret.

    Outputs: `federation`, the issuer and subject of each service connection.
    """

    federation: dict[str, dict[str, pulumi.Output[str]]]

    def __init__(
        self,
        name: str,
        settings: AzureDevOpsSettings,
        environments: Sequence[Environment],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("azureml-hosts:index:AzureDevOpsHost", name, None, opts)
        self._inside = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=True)
        project = ado.Project(
            settings.project,
            name=settings.project,
            description=settings.description,
            visibility="private",
            version_control="Git",
            work_item_template="Agile",
            opts=kept,
        )
        repository = ado.Git(
            settings.repository,
            project_id=project.id,
            name=settings.repository,
            default_branch=_MAIN,
            initialization=ado.GitInitializationArgs(init_type="Clean"),
            opts=kept,
        )
        ado.ProjectPipelineSettings(
            "pipelines",
            project_id=project.id,
            enforce_job_scope=True,
            enforce_job_scope_for_release=True,
            enforce_referenced_repo_scoped_token=True,
            enforce_settable_var=True,
            opts=self._inside,
        )
        pipelines = {each: self._pipeline(each, project, repository) for each in _PIPELINES}
        place = _Place(project.id, repository.id, pipelines)
        self._policies(place, settings)
        self._permissions(place, settings)
        self._proposals(place, settings)
        self.federation = {}
        for each in environments:
            self._environment(place, each)
        self.register_outputs({"federation": self.federation})

    def _pipeline(self, name: str, project: ado.Project, repository: ado.Git) -> ado.BuildDefinition:
        return ado.BuildDefinition(
            name,
            project_id=project.id,
            name=name,
            ci_trigger=ado.BuildDefinitionCiTriggerArgs(use_yaml=True),
            repository=ado.BuildDefinitionRepositoryArgs(
                repo_type="TfsGit", repo_id=repository.id, branch_name=_MAIN, yml_path=f".azuredevops/{name}.yml"
            ),
            opts=self._inside,
        )

    def _policies(self, place: _Place, settings: AzureDevOpsSettings) -> None:
        ado.BranchPolicyMinReviewers(
            "reviewers",
            project_id=place.project_id,
            blocking=True,
            settings=ado.BranchPolicyMinReviewersSettingsArgs(
                reviewer_count=settings.reviews,
                submitter_can_vote=False,
                last_pusher_cannot_approve=True,
                on_push_reset_approved_votes=True,
                scopes=[
                    ado.BranchPolicyMinReviewersSettingsScopeArgs(
                        repository_id=place.repository_id, repository_ref=_MAIN, match_type="Exact"
                    )
                ],
            ),
            opts=self._inside,
        )
        ado.BranchPolicyCommentResolution(
            "comments",
            project_id=place.project_id,
            # The preview's comment stays active while it is destructive, so somebody has to resolve it.
            blocking=True,
            settings=ado.BranchPolicyCommentResolutionSettingsArgs(
                scopes=[
                    ado.BranchPolicyCommentResolutionSettingsScopeArgs(
                        repository_id=place.repository_id, repository_ref=_MAIN, match_type="Exact"
                    )
                ]
            ),
            opts=self._inside,
        )
        # In Azure Repos this policy starts the pipeline. `pr:` in the YAML works for other hosts only.
        ado.BranchPolicyBuildValidation(
            "preview",
            project_id=place.project_id,
            blocking=True,
            settings=ado.BranchPolicyBuildValidationSettingsArgs(
                display_name="Preview",
                build_definition_id=place.pipelines[_INFRASTRUCTURE].id.apply(int),
                queue_on_source_update_only=False,
                valid_duration=0,
                scopes=[
                    ado.BranchPolicyBuildValidationSettingsScopeArgs(
                        repository_id=place.repository_id, repository_ref=_MAIN, match_type="Exact"
                    )
                ],
            ),
            opts=self._inside,
        )

    def _permissions(self, place: _Place, settings: AzureDevOpsSettings) -> None:
        groups = {"Contributors": "Deny", **dict.fromkeys(settings.pipeline_editors, "Allow")}
        for group, decision in groups.items():
            principal = ado.get_group_output(project_id=place.project_id, name=group)
            for name, pipeline in place.pipelines.items():
                ado.BuildDefinitionPermissions(
                    f"{name}-{_slug(group)}",
                    project_id=place.project_id,
                    principal=principal.id,
                    build_definition_id=pipeline.id,
                    permissions=dict.fromkeys(_EDITS, decision),
                    replace=False,
                    opts=self._inside,
                )

    def _proposals(self, place: _Place, settings: AzureDevOpsSettings) -> None:
        """Let jobs comment on pull requests, and open one with the versions that they chose. Policies guard `main`."""
        service = ado.get_identity_users_output(
            name=f"{settings.project} Build Service ({settings.organization})", search_filter="DisplayName"
        )
        ado.GitPermissions(
            "build-service",
            project_id=place.project_id,
            repository_id=place.repository_id,
            principal=service.subject_descriptor,
            permissions=dict.fromkeys(_PROPOSES, "Allow"),
            replace=False,
            opts=self._inside,
        )
        ado.GitPermissions(
            "build-service-branch",
            project_id=place.project_id,
            repository_id=place.repository_id,
            branch_name=_PROPOSED,
            principal=service.subject_descriptor,
            permissions={"ForcePush": "Allow"},
            replace=False,
            opts=self._inside,
        )

    def _environment(self, place: _Place, environment: Environment) -> None:
        made = ado.Environment(environment.name, project_id=place.project_id, name=environment.name, opts=self._inside)
        connection = self._connection(place, environment, f"azure-{environment.name}", environment.client_id)
        self._connection(place, environment, f"azure-{environment.name}-preview", environment.preview_client_id)
        group = ado.VariableGroup(
            f"azureml-{environment.name}",
            project_id=place.project_id,
            name=f"azureml-{environment.name}",
            allow_access=False,
            variables=[ado.VariableGroupVariableArgs(name="PULUMI_BACKEND_URL", value=environment.backend_url)],
            opts=self._inside,
        )
        guarded = {"environment": made.id, "endpoint": connection.id}
        for kind, id in guarded.items():
            self._from_main(place, f"{environment.name}-{kind}", id, kind)
        ado.CheckExclusiveLock(
            f"{environment.name}-lock",
            project_id=place.project_id,
            target_resource_id=made.id,
            target_resource_type="environment",
            opts=self._inside,
        )
        if environment.approvers:
            groups = [
                ado.get_group_output(project_id=place.project_id, name=each).origin_id for each in environment.approvers
            ]
            ado.CheckApproval(
                f"{environment.name}-approval",
                project_id=place.project_id,
                target_resource_id=made.id,
                target_resource_type="environment",
                approvers=groups,
                minimum_required_approvers=1,
                requester_can_approve=False,
                timeout=_MINUTES,
                opts=self._inside,
            )
        resources = {"environment": made.id, "variablegroup": group.id}
        for kind, id in resources.items():
            self._authorize(place, f"{environment.name}-{kind}", id, kind)

    def _connection(
        self, place: _Place, environment: Environment, name: str, client_id: str
    ) -> ado.ServiceEndpointAzureRM:
        connection = ado.ServiceEndpointAzureRM(
            name,
            project_id=place.project_id,
            service_endpoint_name=name,
            description=f"Signs pipelines in to the stack {environment.name}.",
            service_endpoint_authentication_scheme="WorkloadIdentityFederation",
            credentials=ado.ServiceEndpointAzureRMCredentialsArgs(serviceprincipalid=client_id),
            azurerm_spn_tenantid=environment.subscription.tenant_id,
            azurerm_subscription_id=environment.subscription.subscription_id,
            azurerm_subscription_name=environment.subscription.subscription_name,
            opts=self._inside,
        )
        # Azure DevOps decides both. Its issuer changes, so nothing may construct them.
        self.federation[name] = {
            "issuer": connection.workload_identity_federation_issuer,
            "subject": connection.workload_identity_federation_subject,
        }
        self._authorize(place, name, connection.id, "endpoint")
        return connection

    def _from_main(self, place: _Place, name: str, id: pulumi.Output[str], kind: str) -> None:
        ado.CheckBranchControl(
            f"{name}-branch",
            project_id=place.project_id,
            display_name="main only",
            target_resource_id=id,
            target_resource_type=kind,
            allowed_branches=_MAIN,
            verify_branch_protection=True,
            ignore_unknown_protection_status=False,
            opts=self._inside,
        )

    def _authorize(self, place: _Place, name: str, id: pulumi.Output[str], kind: str) -> None:
        """Let this repository's pipelines use a resource, and no other pipeline of the project."""
        for pipeline, definition in place.pipelines.items():
            ado.PipelineAuthorization(
                f"{name}-{pipeline}",
                project_id=place.project_id,
                resource_id=id,
                type=kind,
                pipeline_id=definition.id.apply(int),
                opts=self._inside,
            )


def _slug(group: str) -> str:
    return group.lower().replace(" ", "-")
