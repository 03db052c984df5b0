"""MLflow behind a workspace's tracking URI: the real MLflow server, with the workspace's models as its registry.

Sources: MLflow's REST API, and the requests of azureml-mlflow to `<region>.api.azureml.ms`.
"""
