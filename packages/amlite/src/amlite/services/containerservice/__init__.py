"""Microsoft.ContainerService: managed Kubernetes clusters (AKS), their node pools, credentials and token issuers.

Sources: containerservice.json in Azure/azure-rest-api-specs, and the pages "Use a managed identity in AKS", "Create an
OpenID Connect provider on AKS", "Use system node pools" and "Create node pools" of the AKS documentation. The codes and
texts of errors are those in users' reports, for example in Azure/AKS#1602 and #3300.
"""
