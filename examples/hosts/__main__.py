"""Declares the hosts of a platform repository: GitHub, Azure DevOps, or both."""

import pulumi
from hosts import azure_devops, github, settings

config = settings.read()
if config.github is not None:
    on_github = github.GitHubHost("github", config.github, config.environments)
    pulumi.export("github", {"repository": on_github.full_name, "repositoryId": on_github.repository_id})
if config.azure_devops is not None:
    on_azure_devops = azure_devops.AzureDevOpsHost("azure-devops", config.azure_devops, config.environments)
    # The values of `azureml-platform:identities.azureDevOps` in the stack files of the platform.
    pulumi.export("azureDevOps", {"serviceConnections": on_azure_devops.federation})
