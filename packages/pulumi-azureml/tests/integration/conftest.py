"""The provider against amlite, by the real azure-ai-ml client."""

from amlite_fixtures.azure import amlite, cluster, registry
from amlite_fixtures.scoring import serving_environment
from azureml_fixtures.integration import matrix, project, signed_in_anew

__all__ = ["amlite", "cluster", "matrix", "project", "registry", "serving_environment", "signed_in_anew"]
