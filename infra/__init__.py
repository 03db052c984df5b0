"""The platform: typed settings, component resources, the plan of the assets, and the stack outputs."""

# The project's name in Pulumi.yaml, and the namespace of its settings.
NAMESPACE = "azureml-platform"
