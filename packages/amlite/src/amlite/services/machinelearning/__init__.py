"""Microsoft.MachineLearningServices: workspaces, computes, datastores, assets, schedules.

Sources: the service's OpenAPI documents (Azure/azure-rest-api-specs, specification/machinelearningservices) and the
typed models in azure-ai-ml.
"""
