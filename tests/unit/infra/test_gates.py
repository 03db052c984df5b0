"""Rules of gates that a preview refuses, with file, key and fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra import gates, naming
from infra import plan as planning
from infra.plan import PlanError
from infra.settings.configuration import parse as parse_configuration
from pulumi_azureml.planning import Catalogue, CatalogueSettings, load_catalogue
from tests.unit.infra.stack_files import filled_in

GATE = "ml/flights/gate.yml"
FILES = {
    GATE: "rules:\n  - metric: roc_auc\n    direction: higher\n    minimum: 0.65\n",
    "ml/flights/data.yml": "type: uri_file\nname: flights-gate\npath: ./gate.yml\n",
    "ml/gate/component.yml": (
        "type: command\nname: gate\ncommand: echo ${{inputs.rules}} ${{inputs.overrides}}\n"
        "environment: azureml:AzureML-x:1\n"
        "inputs: {rules: {type: uri_file}, overrides: {type: string, default: none}}\n"
    ),
    "pipelines/training.yml": (
        "type: pipeline\nsettings: {default_compute: serverless}\n"
        "inputs:\n  rules: {type: uri_file, path: azureml:flights-gate@latest}\n  gate_overrides: none\n"
        "jobs:\n  decide:\n    type: command\n    component: azureml:gate@latest\n    inputs:\n"
        "      rules: ${{parent.inputs.rules}}\n      overrides: ${{parent.inputs.gate_overrides}}\n"
    ),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def edit(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))


def catalogue(root: Path) -> Catalogue:
    return load_catalogue(root, CatalogueSettings(frozenset(), cache_folder=None, check_with_azure=False))


def overrides(root: Path) -> list[str]:
    found = catalogue(root)
    return list(gates.override_problems(root, found, found["pipeline_job", "training"].definition))


def test_valid_rules_have_no_problem(root: Path) -> None:
    assert gates.problems(root) == []
    assert overrides(root) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("minimum", "minimun", f"{GATE}:4: rules[0].minimun: unknown key 'minimun'\n    fix: did you mean `minimum`?"),
        ("0.65", "'0.65'", f"{GATE}:4: rules[0].minimum: must be a finite number, not '0.65'\n    fix: Lowest"),
        ("0.65", ".nan", f"{GATE}:4: rules[0].minimum: must be a finite number, not nan"),
        ("higher", "lower", f"{GATE}:3: rules[0].direction: roc_auc is better if it is higher\n    fix: write `dir"),
        ("minimum: 0.65", "direction: higher", f"{GATE}:4: 'direction' is written twice"),
        ("rules:", "rules: [", f"{GATE}:2: malformed YAML"),
    ],
)
def test_mistake_in_the_rules_has_its_file_and_line(root: Path, old: str, new: str, expected: str) -> None:
    edit(root, GATE, old, new)
    (problem,) = gates.problems(root)
    assert str(problem).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.99", "step 'decide': override '0.99': must have the form METRIC.KEY=VALUE"),
        (
            "auc.minimum=0.99",
            "step 'decide': override 'auc.minimum=0.99': no rule for 'auc'\n  fix: use one of roc_auc",
        ),
        ("roc_auc.maximum=1", "step 'decide': overrides 'roc_auc.maximum=1': rules[0].maximum: does not go with"),
    ],
)
def test_overrides_that_do_not_fit_the_rules_are_refused(root: Path, text: str, expected: str) -> None:
    edit(root, "pipelines/training.yml", "gate_overrides: none", f"gate_overrides: '{text}'")
    (problem,) = overrides(root)
    assert problem.startswith(expected)


def test_shared_gate_is_checked_too(root: Path) -> None:
    found = catalogue(root)
    pipeline = dict(found["pipeline_job", "training"].definition)
    job = {**pipeline["jobs"]["decide"], "component": "azureml://registries/mlops/components/gate/versions/1"}
    wrong = {**pipeline, "inputs": {**pipeline["inputs"], "gate_overrides": "wrong"}, "jobs": {"decide": job}}
    assert len(list(gates.override_problems(root, found, wrong))) == 1


def test_overrides_of_rules_from_elsewhere_are_left_to_the_step(root: Path) -> None:
    edit(root, "pipelines/training.yml", "gate_overrides: none", "gate_overrides: wrong")
    edit(root, "pipelines/training.yml", "azureml:flights-gate@latest", "azureml://datastores/x/paths/gate.yml")
    assert overrides(root) == []


def test_preview_reports_rules_together_with_other_problems(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {key: value for key, value in filled_in("dev").items() if not key.endswith(":overrides")}
    configuration = parse_configuration(values, "dev")
    names = naming.names(configuration.settings.naming, "dev")
    settings: dict[str, Any] = {"cache_folder": None, "check_with_azure": False}
    monkeypatch.setattr(planning, "CatalogueSettings", lambda **given: CatalogueSettings(**given, **settings))
    edit(root, GATE, "minimum", "minimun")
    with pytest.raises(PlanError, match=r"^1 problem in the catalogue:\nml/flights/gate\.yml:4: "):
        planning.plan(root, configuration, names)
    edit(root, "ml/flights/data.yml", "./gate.yml", "./rules.yml")
    with pytest.raises(PlanError, match=r"^2 problems in the catalogue:\nml/flights/data\.yml:3(.|\n)*gate\.yml:4: "):
        planning.plan(root, configuration, names)
    edit(root, "ml/flights/data.yml", "./rules.yml", "./gate.yml")
    edit(root, GATE, "minimun", "minimum")
    edit(root, "pipelines/training.yml", "gate_overrides: none", "gate_overrides: wrong")
    with pytest.raises(
        PlanError, match=r"^pipelines/training\.yml: step 'decide': override 'wrong': must have the form"
    ):
        planning.plan(root, configuration, names)
