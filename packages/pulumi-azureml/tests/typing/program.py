"""A program as users write it, which mypy has to accept."""

from typing import assert_type

import pulumi

import pulumi_azureml as azureml

group = pulumi.Output.from_input("rg")
workspace = azureml.WorkspaceArgs(subscription_id="s", resource_group=group, name=pulumi.Output.from_input("ws"))
registry = azureml.RegistryArgs(name="models")

environment = azureml.Environment(
    "training",
    workspace=registry,
    build=azureml.BuildContextArgs(path="docker"),
    built_image=pulumi.Output.from_input("image@sha256:0"),
)
data = azureml.DataAsset("rows", azureml.DataAssetArgs(workspace=workspace, path="rows"), pulumi.ResourceOptions())
model = azureml.Model("delays", workspace=workspace, path="model", type="mlflow_model", tags={"run": group})
clean = azureml.Component(
    "clean",
    workspace=workspace,
    code="clean",
    command="python clean.py",
    environment=environment,
    opts=pulumi.ResourceOptions(protect=True),
)
datastore = azureml.Datastore("lake", workspace=workspace, account_name="stlake", filesystem="raw", type="azure_blob")
azureml.Schedule(
    "nightly",
    workspace=workspace,
    trigger=azureml.RecurrenceTriggerArgs(
        frequency="day", interval=1, schedule=azureml.RecurrencePatternArgs(hours=4, minutes=[0, 30])
    ),
    create_job={"jobs": {"clean": {"component": clean}}},
)
job = azureml.PipelineJob("once", workspace=workspace, jobs={"clean": {"component": clean}}, timeout_minutes=60)
online = azureml.OnlineEndpoint(
    "flights",
    workspace=workspace,
    identity_id=group,
    deployment=azureml.OnlineDeploymentArgs(name="blue", model=model, instance_type="Standard_DS3_v2"),
    rollout=azureml.RolloutArgs(steps=[10, 100], bake_seconds=300, checks=azureml.ChecksArgs(max_error_percent=1)),
    autoscale=azureml.AutoscaleArgs(max_instances=3, cpu_percent=70),
)
batch = azureml.BatchEndpoint("scores", azureml.BatchEndpointArgs(workspace=workspace))
azureml.BatchDeployment(
    "all",
    workspace=workspace,
    endpoint_name=batch,
    model=model,
    code_configuration=azureml.CodeConfigurationArgs(code="score", scoring_script="score.py"),
)
plan = azureml.load_catalogue(pulumi.get_root_directory(), azureml.CatalogueSettings(computes=None))
assets = azureml.Assets("assets", azureml.AssetsArgs(plan=plan, workspace=workspace, runs={"training": 60}))

assert_type(clean.version, pulumi.Output[str])
assert_type(online.scoring_uri, pulumi.Output[str])
assert_type(job.metrics, pulumi.Output[dict[str, float]])
assert_type(clean.reference, str)
