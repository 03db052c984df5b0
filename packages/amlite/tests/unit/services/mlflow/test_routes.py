from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from amlite.services.mlflow import routes


@pytest.mark.parametrize("group", ["g", "mlflow", "MLflow"])
def test_the_name_of_an_api_is_what_follows_it_in_any_group(group: str) -> None:
    workspace = f"subscriptions/s/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/mlflow"
    call: Any = SimpleNamespace(path=f"/mlflow/v1.0/{workspace}/api/2.0/mlflow/runs/create")
    assert routes._name(call) == "runs/create"
