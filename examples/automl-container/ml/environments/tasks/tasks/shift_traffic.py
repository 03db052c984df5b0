"""Give a tested deployment all the traffic, and delete the earlier ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from azure.ai.ml import MLClient

from tasks.paths import read, write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the mounted input and output."""
    parser.add_argument("--deployment", type=Path, required=True)
    parser.add_argument("--served", type=Path, required=True)


def run(client: MLClient, given: argparse.Namespace) -> None:
    """Move the traffic first, so that a deployment answers at any time."""
    name, endpoint = read(given.deployment, "name"), read(given.deployment, "endpoint")
    there = client.online_endpoints.get(endpoint)
    there.traffic = {name: 100}
    client.online_endpoints.begin_create_or_update(there).result()
    print(f"deployment {name} has the traffic of endpoint {endpoint}")
    for each in client.online_deployments.list(endpoint):
        if each.name != name:
            client.online_deployments.begin_delete(each.name, endpoint).result()
            print(f"deployment {each.name} is deleted")
    write(given.served, endpoint=endpoint, deployment=name, model=read(given.deployment, "model"))
