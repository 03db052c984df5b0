"""Schedules of Azure Machine Learning: ARM resources that fire by amlite's clock.

Sources: the service's OpenAPI documents (Azure/azure-rest-api-specs, specification/machinelearningservices), and
azure-ai-ml's requests.
"""
