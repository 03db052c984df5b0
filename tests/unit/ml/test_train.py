import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ml.train.src import train
from ml.train.src.train import TARGET, TrainingError


def test_model_learns_and_takes_unknown_categories_and_missing_numbers(feature_rows: pd.DataFrame) -> None:
    features = feature_rows.drop(columns=TARGET)
    model = train.build_model(features, learning_rate=0.1, max_iter=20, seed=1).fit(features, feature_rows[TARGET])
    assert roc_auc_score(feature_rows[TARGET], model.predict_proba(features)[:, 1]) > 0.75
    strange = pd.DataFrame({"carrier": ["ZZ"], "precipitation_inches": [np.nan], "temperature_f": [np.nan]})
    assert 0 < model.predict_proba(strange)[0, 1] < 1


def test_same_seed_gives_the_same_model(feature_rows: pd.DataFrame) -> None:
    features = feature_rows.drop(columns=TARGET)
    first, second = (
        train.build_model(features, 0.1, 5, seed=3).fit(features, feature_rows[TARGET]).predict_proba(features)
        for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_signature_requires_what_is_never_empty(feature_rows: pd.DataFrame) -> None:
    columns = train.describe_inputs(feature_rows.drop(columns=TARGET)).inputs.to_dict()
    assert [(column["name"], column["type"], column["required"]) for column in columns] == [
        ("carrier", "string", True),
        ("precipitation_inches", "double", True),
        ("temperature_f", "double", False),
    ]


def test_what_training_has_seen_are_the_values_or_the_range() -> None:
    features = pd.DataFrame(
        {
            "carrier": ["UA", "AA", None],
            "weekday": [0, 6, 3],
            "temperature_f": [10.5, None, 99.0],
            "empty": [float("nan")] * 3,
        }
    )
    assert train.describe_values(features) == {
        "carrier": {"values": ["AA", "UA"]},
        "weekday": {"values": [0.0, 3.0, 6.0]},
        "temperature_f": {"least": 10.5, "greatest": 99.0},
    }


def test_sample_is_the_same_for_the_same_seed(feature_rows: pd.DataFrame) -> None:
    sample = train.sample_rows(feature_rows, 0.25, seed=1)
    assert len(sample) == 150
    assert sample.index.equals(train.sample_rows(feature_rows, 0.25, seed=1).index)
    assert not sample.index.equals(train.sample_rows(feature_rows, 0.25, seed=2).index)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, float("nan")])
def test_sample_fraction_out_of_range_is_refused(feature_rows: pd.DataFrame, fraction: float) -> None:
    with pytest.raises(TrainingError, match="sample_fraction: must be greater than 0 and at most 1"):
        train.sample_rows(feature_rows, fraction, seed=1)


def test_rows_that_cannot_be_trained_with_are_refused(feature_rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no Parquet file"):
        train.read_rows(tmp_path)
    feature_rows.assign(delayed=0).to_parquet(tmp_path / "part-0.parquet")
    with pytest.raises(TrainingError, match="column 'delayed' has the same value"):
        train.read_rows(tmp_path)
    feature_rows.drop(columns=TARGET).to_parquet(tmp_path / "part-0.parquet")
    with pytest.raises(TrainingError, match="no column 'delayed'; columns: carrier"):
        train.read_rows(tmp_path)


def test_lineage_names_run_data_and_code(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no _manifest.json"):
        train.lineage(tmp_path, "run-1")
    (tmp_path / train.MANIFEST).write_text(json.dumps({"data_sha256": "d1"}))
    origin = train.lineage(tmp_path, "run-1")
    assert origin["training_run_id"] == "run-1"
    assert origin["data_sha256"] == "d1"
    assert len(origin["training_code_sha256"]) == 64


def test_code_hash_changes_with_content_and_name(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    first = train.hash_code(tmp_path)
    (tmp_path / "notes.txt").write_text("ignored")
    assert train.hash_code(tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = train.hash_code(tmp_path)
    (tmp_path / "b.py").write_text("x = 2\n")
    assert len({first, renamed, train.hash_code(tmp_path)}) == 3
