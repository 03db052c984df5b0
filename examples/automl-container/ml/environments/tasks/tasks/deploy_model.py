"""Deploy the registered model to the endpoint, without traffic and without a scoring script."""

from __future__ import annotations

import argparse
from pathlib import Path

from azure.ai.ml import MLClient, load_online_deployment
from azure.core.exceptions import AzureError

from tasks import endpoint
from tasks.errors import TaskError, first_line
from tasks.paths import in_image, read, write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the mounted input and output."""
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--deployment", type=Path, required=True)


def run(client: MLClient, given: argparse.Namespace) -> None:
    """Create the deployment, after deployments that an earlier run left without traffic are deleted.

    Raises:
        TaskError: The deployment did not start. It is deleted again.
    """
    model, version = read(given.model, "name"), read(given.model, "version")
    there = endpoint.of_model(client, model)
    name = f"automl-{version}"
    for each in client.online_deployments.list(there.name):
        if each.name != name and not (there.traffic or {}).get(each.name):
            print(f"deployment {each.name} has no traffic and is deleted")
            client.online_deployments.begin_delete(each.name, there.name).result()
    settings = {"name": name, "endpoint_name": there.name, "model": f"azureml:{model}:{version}"}
    deployment = load_online_deployment(
        in_image("configs/deployment.yml"), params_override=[{key: value} for key, value in settings.items()]
    )
    try:
        client.online_deployments.begin_create_or_update(deployment).result()
    except AzureError as error:
        client.online_deployments.begin_delete(name, there.name).result()
        raise TaskError(f"deployment {name} of endpoint {there.name} did not start: {first_line(error)}") from error
    print(f"deployment {name} of endpoint {there.name} is ready, without traffic")
    write(given.deployment, name=name, endpoint=there.name, scoring_uri=there.scoring_uri, model=f"{model}:{version}")
