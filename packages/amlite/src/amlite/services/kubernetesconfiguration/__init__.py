"""Microsoft.KubernetesConfiguration: extensions of clusters. amlite has that of Azure Machine Learning, and no Flux.

Sources: extensions.json and fluxConfigurations.json in Azure/azure-rest-api-specs, and "Deploy Azure Machine Learning
extension on AKS or Arc Kubernetes cluster" in the documentation of Azure Machine Learning.
"""
