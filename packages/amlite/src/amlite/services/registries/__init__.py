"""Azure Machine Learning registries: assets shared by workspaces, with storage and images of the registry's own.

A registry is an ARM resource; its assets answer in the data plane (`mferp/managementfrontend`) of its region, and their
ids begin with `azureml://registries/<registry>`. Sources: azure-ai-ml's requests, its typed models, and the actions of
Azure's built-in role AzureML Registry User.
"""
