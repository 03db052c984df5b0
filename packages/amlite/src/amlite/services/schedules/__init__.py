"""Schedules of Azure Machine Learning: kept as ARM resources, fired on amlite's clock.

Sources: the service's OpenAPI documents (Azure/azure-rest-api-specs, specification/machinelearningservices), and what
azure-ai-ml sends.
"""
