"""The packages of curated environments, pinned, for a virtual environment of this machine.

Each file beside this one has the pinned packages of some environments. They are the packages that the definitions in
Azure/azureml-assets name, without those for GPUs, MPI, FUSE and debugging, in versions that are on PyPI for Python 3.10
and 3.11. Made by: uv pip compile --python-platform x86_64-manylinux_2_28 --only-binary :all: --python-version 3.10

Those with azureml-mlflow have the newest MLflow 2, as azureml-mlflow 1.60.0.post1 requires. Later ones let pip choose
MLflow 3, with which no model can be logged on Azure: it asks for `logged-models`, and gets 404
(Azure/azure-sdk-for-python#44896). Microsoft pins MLflow 2 in its examples (Azure/azureml-examples#3868, #3891).
"""

from __future__ import annotations

import re
from pathlib import Path

from amlite.core.wire import Json
from amlite.services.environments import own
from amlite.services.environments.errors import UnusableEnvironment
from amlite.services.environments.packages import Packages
from amlite.services.machinelearning import curated

_PYTHON = ">=3.10,<3.12"
_IMAGE = re.compile(r"mcr\.microsoft\.com/azureml/curated/([\w.-]+?)(?::[\w.-]+|@\S+)?", re.IGNORECASE)
_MLFLOW = re.compile(r"mlflow(?:-skinny)?==(2\.[\w.]+).*")
_AUTOML = "automl"
_SETS = {
    "acpt-pytorch-2.2-cuda12.1": "acpt-pytorch",
    "acpt-pytorch-2.8-cuda12.6": "acpt-pytorch",
    "ai-ml-automl": _AUTOML,
    "lightgbm-3.3": "lightgbm",
    "minimal-py311-inference": "minimal-inference",
    "minimal-py312-cuda12.4-inference": "minimal-inference",
    "mldesigner": "mldesigner",
    "mldesigner-minimal": "mldesigner",
    "mlflow-model-inference": "mlflow-inference",
    "mlflow-py312-inference": "mlflow-inference",
    "responsibleai-tabular": "responsibleai-tabular",
    "sklearn-1.0": "sklearn-1.1",
    "sklearn-1.1": "sklearn-1.1",
    "sklearn-1.5": "sklearn-1.5",
    "tensorflow-2.16-cuda11": "tensorflow",
    "tensorflow-2.16-cuda12": "tensorflow",
}


def name_of(properties: Json) -> str | None:
    """Return the name of the curated environment that a version's properties are or whose image they name, or None."""
    found = _IMAGE.fullmatch(str(properties.get("image") or ""))
    whole = found is not None and not properties.get("condaFile") and found[1] in curated.ENVIRONMENTS
    return found[1] if found and whole else None


def note(packages: Packages) -> str:
    """Return what is other than in the image on Azure, as a sentence for the log of a job, or an empty text."""
    found = next((match[1] for line in packages.requirements if (match := _MLFLOW.fullmatch(line))), None)
    if found is None:
        return ""
    return (
        f" It has MLflow {found}. The image on Azure can have MLflow 3, which cannot log a model there "
        "(Azure/azure-sdk-for-python#44896)."
    )


def packages(name: str) -> Packages:
    """Return the packages of a curated environment. Raises UnusableEnvironment if amlite has none for it."""
    chosen = _SETS.get(name)
    if chosen is None:
        raise UnusableEnvironment(
            f"amlite has no packages for the curated environment '{name}', only for {', '.join(sorted(_SETS))}. "
            "Use one of these, or an environment of your own."
        )
    if chosen == _AUTOML:
        return own.packages(_AUTOML)
    lines = Path(__file__).with_name(f"{chosen}.txt").read_text("utf-8").splitlines()
    return Packages(_PYTHON, tuple(line for line in lines if line), f"the curated environment {name}")
