"""A release's metadata, and a stack that its tests deploy to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.outputs import ModelOutput
from release.gate.decision import Decision
from release.publishing.metadata import (
    Release,
    ReleasedDeployment,
    ReleasedModel,
    SharedAsset,
    TrainingJob,
)

SHA256 = "4d0151061e4b" + 52 * "0"
MODEL = ModelOutput(name="delays", version="3", registry="mlops")


DECISION = Decision(
    decision_version=1, deploy_flag=1, reason="ROC AUC 0.70 reaches 0.65", model="delays", metrics={"roc_auc": 0.7},
    checks=[], champion=None, slices=[], report="report.html",
)  # fmt: skip


def released(**changed: Any) -> Release:
    """Return a release of model `delays` version 3 for endpoint `flights`."""
    parts: dict[str, Any] = {
        "created": datetime(2026, 11, 28, 9, 30, tzinfo=UTC),
        "stack": "dev",
        "commit": "c0ffee",
        "published_by": "octo",
        "model": ReleasedModel(
            name="delays", version="3", id="azureml://registries/mlops/models/delays/versions/3", registry="mlops",
            sha256=SHA256,
        ),
        "components": [SharedAsset(name="train", version="1a", id="azureml://registries/mlops/components/train")],
        "environments": [],
        "training": TrainingJob(name="busy_rain", workspace_id="/w", inputs={}),
        "gate": DECISION,
        "deployments": [ReleasedDeployment(endpoint="flights", version="2b", settings={"name": "blue"})],
    }  # fmt: skip
    return Release(**{**parts, **changed})


class Target:
    """A stack: keeps what is written to its file, and what its updates were asked."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.name = "prod"
        self.file = folder / "Pulumi.prod.yaml"
        self.file.write_text("model: 2\n")
        self.values = {f"azureml-platform:{name}": value for name, value in config.items()}
        self.locked = False

    def config(self) -> dict[str, Any]:
        """Return the stack file's values."""
        return self.values

    def promote(self, endpoint: str, model: ModelOutput) -> None:
        """Write a version to the file."""
        assert self.locked
        self.file.write_text(f"model: {model.version}\n")

    def deployed(self) -> Any:
        """Return outputs without a meaning."""
        return SimpleNamespace()

    def history(self) -> list[Any]:
        """Return no updates."""
        return []

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Note the lock."""
        self.locked = True
        yield
        self.locked = False
