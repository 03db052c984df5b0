"""Which request shows an endpoint at work: the `sample-request.json` beside its `endpoint.yml`."""

from __future__ import annotations

from pathlib import Path

import yaml

from pulumi_azureml.kinds.endpoint import SMOKE_REQUEST


def sample_of(endpoint: str, root: Path) -> Path | None:
    """Return the sample's path relative to the project `root`; None when the endpoint has none, or no file here.

    It is the one that a rollout sends to a new deployment (docs/rollouts.md).
    """
    folder = root / "ml" / "deploy"
    for file in (folder / "endpoint.yml", *sorted(folder.glob("*/endpoint.yml"))):
        sample = file.with_name(SMOKE_REQUEST)
        if sample.is_file() and file.is_file() and yaml.safe_load(file.read_text("utf-8")).get("name") == endpoint:
            return sample.relative_to(root)
    return None
