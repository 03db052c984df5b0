"""Jobs of Azure Machine Learning: submitted as ARM resources, run for real as processes or containers of this machine.

Sources: the service's OpenAPI documents (Azure/azure-rest-api-specs, specification/machinelearningservices), the run
history models that azure-ai-ml ships, and what azure-ai-ml and azureml-mlflow send.
"""
