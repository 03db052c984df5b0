"""MLflow behind a workspace's tracking URI: the real MLflow server, with the workspace's own models as its registry.

Sources: MLflow's REST API, and what azureml-mlflow sends to `<region>.api.azureml.ms`.
"""
