"""pulumi-azureml as people install it, and an amlite with the workspace that the README names."""

from amlite_fixtures.installation import new_shell
from azureml_fixtures.installation import installed, readme_azure, wheel

__all__ = ["installed", "new_shell", "readme_azure", "wheel"]
