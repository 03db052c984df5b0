"""An online endpoint whose new versions prove themselves on a tenth of the traffic."""

import sys

import pulumi

import pulumi_azureml as azureml

config = pulumi.Config()
workspace = azureml.WorkspaceArgs(
    subscription_id=config.require("subscriptionId"),
    resource_group=config.require("resourceGroup"),
    name=config.require("workspace"),
)

environment = azureml.Environment(
    "scoring-python",
    workspace=workspace,
    image="mcr.microsoft.com/azureml/minimal-ubuntu22.04-py311-cpu-inference",
    conda_file="ml/conda.yml",
)
model = azureml.Model("delay-minutes", workspace=workspace, path="ml/model")
endpoint = azureml.OnlineEndpoint(
    "delay-minutes",
    workspace=workspace,
    name=config.require("endpoint"),
    deployment=azureml.OnlineDeploymentArgs(
        name="delays",
        model=model,
        environment=environment,
        code_configuration=azureml.CodeConfigurationArgs(code="ml/score", scoring_script="score.py"),
        instance_type="Standard_DS3_v2",
        instance_count=1,
    ),
    smoke_request="ml/request.json",
    rollout=azureml.RolloutArgs(
        steps=[10, 100],
        bake_seconds=config.require_int("bakeSeconds"),
        checks=azureml.ChecksArgs(command=[sys.executable, "check.py"], command_key=True),
    ),
)

pulumi.export("scoring_uri", endpoint.scoring_uri)
pulumi.export("deployment", endpoint.live)
