"""Register the training table of the image as a data asset."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from azure.ai.ml import MLClient, load_data
from azure.core.exceptions import ResourceNotFoundError

from tasks.paths import in_image, write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the mounted output."""
    parser.add_argument("--dataset", type=Path, required=True)


def run(client: MLClient, given: argparse.Namespace) -> None:
    """Register the table under the hash of its content. A table that is registered already stays as it is."""
    dataset = load_data(in_image("configs/dataset.yml"))
    dataset.version = version(in_image("data"))
    try:
        dataset = client.data.get(dataset.name, dataset.version)
        print(f"data asset {dataset.name}:{dataset.version} exists already")
    except ResourceNotFoundError:
        dataset = client.data.create_or_update(dataset)
        print(f"data asset {dataset.name}:{dataset.version} is registered")
    write(given.dataset, reference=f"azureml:{dataset.name}:{dataset.version}")


def version(folder: Path) -> str:
    """Return the first twelve digits of a hash of the table: the same table gets no other version."""
    digest = hashlib.sha256()
    for file in (folder / "MLTable", folder / "wine.csv"):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
