"""GitHub Actions and Azure Pipelines: the ID tokens that their jobs request, and that Entra ID accepts.

Sources: GitHub's "OpenID Connect reference", and "Oidctoken - Create" of Azure DevOps' REST API.
"""
