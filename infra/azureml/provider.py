"""The dynamic provider by its earlier path, which the states of versions before 0.3.0 name."""

from pulumi_azureml.provider import AzureMLProvider

__all__ = ["AzureMLProvider"]
