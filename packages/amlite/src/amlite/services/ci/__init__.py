"""GitHub Actions and Azure Pipelines, as far as a job of theirs asks for ID tokens that Entra ID accepts.

Sources: GitHub's "OpenID Connect reference", and "Oidctoken - Create" of Azure DevOps' REST API.
"""
