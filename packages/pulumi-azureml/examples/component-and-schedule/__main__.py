"""A component from a folder of code, and a schedule that runs it every night."""

import pulumi

import pulumi_azureml as azureml

config = pulumi.Config()
workspace = azureml.WorkspaceArgs(
    subscription_id=config.require("subscriptionId"),
    resource_group=config.require("resourceGroup"),
    name=config.require("workspace"),
)

environment = azureml.Environment(
    "clean-python",
    workspace=workspace,
    image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
    conda_file="ml/conda.yml",
)
rows = azureml.DataAsset("raw-rows", workspace=workspace, type="uri_file", path="ml/rows.csv")
clean = azureml.Component(
    "clean_rows",
    workspace=workspace,
    code="ml/clean",
    command="python clean.py ${{inputs.rows}} ${{outputs.clean}}",
    environment=environment,
    inputs={"rows": {"type": "uri_file"}},
    outputs={"clean": {"type": "uri_folder"}},
)
nightly = azureml.Schedule(
    "clean-nightly",
    workspace=workspace,
    trigger=azureml.CronTriggerArgs(expression="0 2 * * *", time_zone="UTC"),
    create_job={
        "settings": {"default_compute": f"azureml:{config.require('compute')}"},
        "jobs": {"clean": {"component": clean, "inputs": {"rows": {"type": "uri_file", "path": rows}}}},
    },
)

pulumi.export("component", clean.version)
pulumi.export("schedule", nightly.name)
