"""A batch endpoint that scores files with a model from a registry."""

import pulumi

import pulumi_azureml as azureml

config = pulumi.Config()
workspace = azureml.WorkspaceArgs(
    subscription_id=config.require("subscriptionId"),
    resource_group=config.require("resourceGroup"),
    name=config.require("workspace"),
)
registry = azureml.RegistryArgs(name=config.require("registry"))

model = azureml.Model("shared-delays", workspace=registry, path="ml/model")
environment = azureml.Environment(
    "batch-python",
    workspace=workspace,
    image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
    conda_file="ml/conda.yml",
)
endpoint = azureml.BatchEndpoint("delays-batch", workspace=workspace, name=config.require("endpoint"))
deployment = azureml.BatchDeployment(
    "delays",
    workspace=workspace,
    endpoint_name=endpoint,
    model=model,
    environment=environment,
    code_configuration=azureml.CodeConfigurationArgs(code="ml/score", scoring_script="batch.py"),
    compute=f"azureml:{config.require('compute')}",
    resources={"instance_count": 1},
    settings={"mini_batch_size": 10, "output_action": "append_row"},
)

pulumi.export("endpoint", endpoint.name)
pulumi.export("model", model.reference)
