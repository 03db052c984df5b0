import json
from pathlib import Path

import pytest
import yaml

from ml.register.src.lineage import RECORDED, RegistrationError, read_decision, read_origin, version_tags

ORIGIN = {name: f"the {name}" for name in RECORDED}


def write_decision(folder: Path, flag: str, report: object) -> None:
    (folder / "deploy_flag").write_text(flag)
    (folder / "report.json").write_text(json.dumps(report))


@pytest.mark.parametrize(("flag", "value"), [("1\n", 1), ("0\n", 0)])
def test_decision_is_read(tmp_path: Path, flag: str, value: int) -> None:
    write_decision(tmp_path, flag, {"deploy_flag": value, "reason": "because"})
    assert read_decision(tmp_path)["reason"] == "because"


@pytest.mark.parametrize(
    ("flag", "report", "reason"),
    [
        ("yes", {"deploy_flag": 1}, "must be 0 or 1, not 'yes'"),
        ("1", {"deploy_flag": 0}, "deploy_flag is 1, but report.json"),
        ("0", [], "deploy_flag is 0, but report.json"),
    ],
)
def test_decision_that_contradicts_itself_is_refused(tmp_path: Path, flag: str, report: object, reason: str) -> None:
    write_decision(tmp_path, flag, report)
    with pytest.raises(RegistrationError, match=reason):
        read_decision(tmp_path)


def test_missing_or_malformed_decision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistrationError, match="deploy_flag"):
        read_decision(tmp_path)
    (tmp_path / "deploy_flag").write_text("1")
    (tmp_path / "report.json").write_text("{")
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
    report = {"metrics": {"roc_auc": 0.70123456, "rows": 53991.0}, "reason": "it is better"}
    tags = version_tags(ORIGIN, report, "0a1b2c", {"AZUREML_ROOT_RUN_ID": "pipeline-7"})
    assert tags == {
        **ORIGIN,
        "roc_auc": "0.701235",
        "rows": "53991",
        "gate": "it is better",
        "git_sha": "0a1b2c",
        "pipeline_job": "pipeline-7",
    }
    assert "pipeline_job" not in version_tags(ORIGIN, report, "0a1b2c", {})
