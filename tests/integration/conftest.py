"""The release against amlite, by the real azure-ai-ml client."""

from amlite_fixtures.azure import amlite, cluster, registry
from amlite_fixtures.scoring import empty, make_deployment, make_model, serving_environment
from azureml_fixtures.integration import signed_in_anew

__all__ = [
    "amlite",
    "cluster",
    "empty",
    "make_deployment",
    "make_model",
    "registry",
    "serving_environment",
    "signed_in_anew",
]
