import json
from pathlib import Path

import pytest
import yaml

from ml.register.src.lineage import RECORDED, RegistrationError, read_decision, read_origin, version_tags

ORIGIN = {name: f"the {name}" for name in RECORDED}


def write_decision(folder: Path, decision: object) -> None:
    (folder / "decision.json").write_text(json.dumps(decision))


@pytest.mark.parametrize("flag", [0, 1])
def test_decision_is_read(tmp_path: Path, flag: int) -> None:
    write_decision(tmp_path, {"decision_version": 1, "deploy_flag": flag, "reason": "because"})
    assert read_decision(tmp_path)["reason"] == "because"


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        ({"decision_version": 1, "deploy_flag": "yes"}, "must be 0 or 1, not 'yes'"),
        ({"decision_version": 1, "deploy_flag": True}, "must be 0 or 1, not True"),
        ({"decision_version": 1}, "must be 0 or 1, not None"),
        ({"decision_version": 2, "deploy_flag": 1}, "has decision_version 2; this component reads 1"),
        ([], "has decision_version None"),
    ],
)
def test_decision_of_another_version_or_form_is_refused(tmp_path: Path, decision: object, reason: str) -> None:
    write_decision(tmp_path, decision)
    with pytest.raises(RegistrationError, match=reason):
        read_decision(tmp_path)


def test_missing_or_malformed_decision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistrationError, match=r"decision\.json"):
        read_decision(tmp_path)
    (tmp_path / "decision.json").write_text("{")
    with pytest.raises(RegistrationError, match="decision: Expecting"):
        read_decision(tmp_path)


def test_origin_is_read_from_the_model(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"metadata": {**ORIGIN, "other": 1}}))
    assert read_origin(tmp_path) == ORIGIN


@pytest.mark.parametrize("content", ["", "metadata: null\n", "metadata: {data: x}\n"])
def test_model_that_does_not_say_what_it_is_made_of_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "MLmodel").write_text(content)
    with pytest.raises(RegistrationError, match=r"lacks .*training_code_sha256"):
        read_origin(tmp_path)


def test_folder_without_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistrationError, match="MLmodel"):
        read_origin(tmp_path)


def test_tags_lead_back_to_data_code_jobs_and_scores() -> None:
    decision = {"metrics": {"roc_auc": 0.70123456, "rows": 53991.0, "odd": None}, "reason": "it is better"}
    tags = version_tags(ORIGIN, decision, "0a1b2c", {"AZUREML_ROOT_RUN_ID": "pipeline-7"})
    assert tags == {
        **ORIGIN,
        "roc_auc": "0.701235",
        "rows": "53991",
        "gate": "it is better",
        "git_sha": "0a1b2c",
        "pipeline_job": "pipeline-7",
    }
    assert "pipeline_job" not in version_tags(ORIGIN, decision, "0a1b2c", {})
