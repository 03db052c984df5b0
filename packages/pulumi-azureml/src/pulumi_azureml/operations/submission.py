"""Submission of a planned pipeline for one run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning import Asset

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


def submit_pipeline(
    ml: MLClient, pipeline: Asset, root: Path, *, data: Mapping[str, Path] | None = None, **keys: Any
) -> Any:
    """Submit a planned pipeline job and return the job.

    Args:
        ml: the workspace's client.
        pipeline: the planned job.
        root: the project's folder.
        data: files or folders of this machine for inputs, in place of the pipeline's data. They may be anywhere.
        keys: keys of the YAML that replace the pipeline's, such as `tags`.

    Raises:
        AssetError: a file or folder changed after it was planned.
    """
    local = {name: str(path.resolve()) for name, path in (data or {}).items()}
    definition = {**pipeline.definition, **keys}
    if local:
        inputs = definition["inputs"]
        definition["inputs"] = {**inputs, **{name: {**inputs[name], "path": path} for name, path in local.items()}}
    trees = [
        {"keys": list(place), "hash": tree.hash}
        for place, tree in pipeline.trees.items()
        if not tree.is_parsed and not (place[0] == "inputs" and place[1] in local)
    ]
    with staged(definition, trees, pipeline.path, root) as here:
        return ml.jobs.create_or_update(load("load_job", here, root))
