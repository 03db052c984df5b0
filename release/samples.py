"""The sample request of an endpoint: `sample-request.json` beside its `endpoint.yml`."""

from __future__ import annotations

from pathlib import Path

import yaml

from pulumi_azureml.planning import SMOKE_REQUEST


def sample_of(endpoint: str, root: Path) -> Path | None:
    """Return the sample's path relative to the project `root`, or None if the endpoint has no sample.

    A rollout sends the same file to a new deployment. See docs/rollouts.md.
    """
    folder = root / "ml" / "deploy"
    for file in (folder / "endpoint.yml", *sorted(folder.glob("*/endpoint.yml"))):
        sample = file.with_name(SMOKE_REQUEST)
        if sample.is_file() and file.is_file() and yaml.safe_load(file.read_text("utf-8")).get("name") == endpoint:
            return sample.relative_to(root)
    return None
