"""The platform: component resources, typed settings, the plan of the assets, and what the stack's outputs say."""

# The project's name in Pulumi.yaml, under which a stack's settings are.
NAMESPACE = "azureml-platform"
