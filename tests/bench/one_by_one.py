"""`python one_by_one.py GROUP WORKSPACE FOLDER`: what one writes without this project, azure-ai-ml's own loop.

Creates every component below a folder, one after another. Uses nothing of this repository.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from azure.ai.ml import MLClient, load_component
from azure.identity import DefaultAzureCredential


def main(group: str, workspace: str, folder: str) -> None:
    """Create them."""
    ml = MLClient(DefaultAzureCredential(), os.environ["AZURE_SUBSCRIPTION_ID"], group, workspace, show_progress=False)
    for file in sorted(Path(folder).rglob("component.yml")):
        ml.components.create_or_update(load_component(file, params_override=[{"version": "1"}]))


if __name__ == "__main__":
    main(*sys.argv[1:])
