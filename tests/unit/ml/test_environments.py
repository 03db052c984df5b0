import yaml
from packaging.requirements import Requirement

from tests.unit.ml.conftest import ROOT

TRAINING = ROOT / "ml/environments/training"
SERVING = ROOT / "ml/environments/serving"


def pins(lines: list[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            requirement = Requirement(line)
            (pin,) = requirement.specifier
            assert pin.operator == "==", line
            found[requirement.name] = pin.version
    return found


def serving_pins() -> dict[str, str]:
    conda = yaml.safe_load((SERVING / "conda.yml").read_text())
    return pins(next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)))


def test_serving_reads_a_model_with_the_versions_that_wrote_it() -> None:
    training, serving = pins((TRAINING / "requirements.txt").read_text().splitlines()), serving_pins()
    for name in ("scikit-learn", "pandas", "numpy", "cloudpickle"):
        assert serving[name] == training[name]


def test_every_wanted_pin_is_in_the_resolved_list() -> None:
    wanted = pins((TRAINING / "requirements.in").read_text().splitlines())
    resolved = pins((TRAINING / "requirements.txt").read_text().splitlines())
    assert wanted.items() <= resolved.items()


def test_mlflow_client_speaks_what_the_tracking_backend_has() -> None:
    resolved = pins((TRAINING / "requirements.txt").read_text().splitlines())
    assert tuple(map(int, resolved["mlflow-skinny"].split("."))) < (2, 17)
