"""Deployments of MLflow models without code: the environment and the scoring script that Azure makes for them.

Like Azure, amlite adds the inference server's packages to the model's Conda file. The packages become a virtual
environment, as those of any Conda file. The patch release of the Python version is not fixed.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from amlite.core import bodies, contained
from amlite.services.environments.errors import UnusableEnvironment
from amlite.services.environments.packages import Packages, from_conda

SCRIPT = "mlflow_score_script.py"
SERVER = "azureml-inference-server-http>=1.4,<2"
COLLECTOR = "azureml-ai-monitoring>=1,<2"
_MLFLOW = ("mlflow", "mlflow-skinny")
_SOURCE = "the MLflow model"


def write_script(folder: Path) -> None:
    """Put the scoring script into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name(SCRIPT), folder / SCRIPT)


def packages_of(model: Path, within: Path, *, collects: bool = False) -> Packages:
    """Return the serving requirements of an MLflow model (the folder of its MLmodel); raises UnusableEnvironment.

    `within` is the folder of its server, which can write there. AzureError for links that lead out of it.
    `collects` adds the package by which the scoring script collects inputs and outputs.
    Read from `conda.yaml`, else from `python_env.yaml` and `requirements.txt`, as MLflow writes them.
    """
    if not (model / "MLmodel").is_file():
        raise UnusableEnvironment(f"the model of type mlflow_model has no file 'MLmodel' in its folder '{model.name}'")
    if (model / "conda.yaml").is_file():
        found = from_conda(_text(model / "conda.yaml", within), f"{_SOURCE}'s conda.yaml")
    else:
        found = _from_requirements(model, within)
    required = [SERVER, *([COLLECTOR] if collects else []), *found.requirements]
    names = {_name(line) for line in found.requirements}
    if not names.intersection(_MLFLOW):
        required.append("mlflow-skinny")
    if "pandas" not in names:
        required.append("pandas")
    return Packages(_minor(found.python), tuple(required), found.source)


def _from_requirements(model: Path, within: Path) -> Packages:
    import yaml

    requirements, python = model / "requirements.txt", model / "python_env.yaml"
    if not requirements.is_file():
        raise UnusableEnvironment(
            f"{_SOURCE} has neither conda.yaml nor requirements.txt, so its requirements are unknown; log it again "
            "with pip_requirements or conda_env"
        )
    try:
        described: Any = bodies.read_yaml(_text(python, within)) if python.is_file() else {}
    except ValueError as error:
        raise UnusableEnvironment(f"{_SOURCE}'s python_env.yaml: {error}") from error
    version = str(described.get("python") or "") if isinstance(described, dict) else ""
    lines = [line.strip() for line in _text(requirements, within).splitlines()]
    conda = {"dependencies": [f"python={version}" if version else "python", {"pip": [line for line in lines if line]}]}
    return from_conda(yaml.safe_dump(conda), f"{_SOURCE}'s requirements.txt")


def _text(path: Path, within: Path) -> str:
    try:
        return contained.text(path, within)
    except ValueError as error:
        raise UnusableEnvironment(f"{_SOURCE}'s {path.name} cannot be read: {error}") from error


def _minor(python: str) -> str:
    exact = re.fullmatch(r"(3\.\d+)\.\d+", python)
    return exact[1] if exact else python


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
