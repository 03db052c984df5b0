"""Jobs of Azure Machine Learning. They are ARM resources, and run as processes or containers on this machine.

Sources: the service's OpenAPI documents (Azure/azure-rest-api-specs, specification/machinelearningservices), the run
history models in azure-ai-ml, and the requests of azure-ai-ml and azureml-mlflow.
"""
