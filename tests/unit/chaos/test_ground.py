"""What the sweep of kills finds in a local Azure after a run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.chaos.ground import End, Ground


def test_two_ends_differ_by_what_is_left_and_by_what_is_lost() -> None:
    usual = End(Counter({"blob *src/train.py": 1, "models/versions": 1}))
    other = End(Counter({"blob *src/train.py": 2}))
    assert other.differences(usual) == ["orphan: 1 blob *src/train.py", "lost: 1 models/versions"]
    assert usual.differences(usual) == []


def test_blobs_are_counted_without_random_names_and_without_what_jobs_wrote(tmp_path: Path) -> None:
    code = "fe6b9e97-5648-5a6d-9e49-cae97485ed83"
    tables = {
        "$CONTAINERS_COLLECTION$": [{"name": code}],
        "$BLOBS_COLLECTION$": [
            {"containerName": code, "name": "src/train.py"},
            {"containerName": code, "name": "azureml/gentle_whale/out.csv"},
            {"containerName": code, "name": "ExperimentRun/dcid.gentle_whale/logs/std_log.txt"},
        ],
    }
    (tmp_path / "azurite").mkdir()
    content = {"collections": [{"name": name, "data": rows} for name, rows in tables.items()]}
    (tmp_path / "azurite" / "__azurite_db_blob__.json").write_text(json.dumps(content))
    assert Ground(tmp_path).blobs() == Counter({"container *": 1, "blob */src/train.py": 1})
