from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.machinelearning.assets import held

TYPE = "Microsoft.MachineLearningServices/workspaces/data"


def test_a_data_assets_versions_are_all_of_one_type(platform: Platform) -> None:
    container = platform.store.put("/w/data/rows", TYPE, {"properties": {"dataType": "uri_file"}})
    same: dict[str, Any] = {"dataType": "uri_file"}
    assert held("data", "rows", same, container) == held("data", "rows", same, None) == same
    with pytest.raises(AzureError, match="'rows' holds versions of type uri_file; a version of type mltable needs"):
        held("data", "rows", {"dataType": "mltable"}, container)


def test_a_container_of_anything_else_says_nothing(platform: Platform) -> None:
    container = platform.store.put("/w/models/m", TYPE, {"properties": {}})
    assert held("models", "m", {"modelType": "custom_model"}, container) == {}
