"""Azure Machine Learning registries: assets that workspaces share, with the registry's own storage and images.

A registry is an ARM resource. Its assets are in the data plane (`mferp/managementfrontend`) of its region. Their ids
start with `azureml://registries/<registry>`. Sources: azure-ai-ml's requests and typed models, and the actions of
Azure's built-in role AzureML Registry User.
"""
