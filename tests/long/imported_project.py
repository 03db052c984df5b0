"""The files of a project in the layout of a template: YAML in `mlops/azureml/`, code in `data-science/`.

`write` writes them. Nothing of it follows this repository's conventions.
"""

from __future__ import annotations

import math
from pathlib import Path

_S = "$schema: https://azuremlschemas.azureedge.net/latest/{}.schema.json\n"
_PINS = "scikit-learn==1.9.1", "pandas==3.1.1", "numpy==2.4.6", "cloudpickle==3.1.2"
_CONDA = "name: fares\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n"
_FILES = {
    "data-science/environment/train-conda.yml": _CONDA
    + "".join(f"      - {pin}\n" for pin in (*_PINS, "mlflow-skinny==2.16.2", "azureml-mlflow==1.62.0.post6")),
    "data-science/src/prep.py": """\
import argparse
from pathlib import Path

import pandas

parser = argparse.ArgumentParser()
parser.add_argument("--raw_data")
parser.add_argument("--train_data")
arguments = parser.parse_args()
rows = pandas.concat(pandas.read_csv(path) for path in sorted(Path(arguments.raw_data).glob("*.csv")))
rows[rows["distance"] > 0].to_csv(Path(arguments.train_data) / "train.csv", index=False)
print("prepared", len(rows), "rows")
""",
    "data-science/src/train.py": """\
import argparse
from pathlib import Path

import mlflow
import mlflow.sklearn
import pandas
from sklearn.linear_model import LinearRegression

PACKAGES = ["mlflow-skinny==2.16.2", "scikit-learn==1.9.1", "pandas==3.1.1", "numpy==2.4.6", "cloudpickle==3.1.2"]
parser = argparse.ArgumentParser()
parser.add_argument("--train_data")
parser.add_argument("--model_name")
arguments = parser.parse_args()
rows = pandas.read_csv(Path(arguments.train_data) / "train.csv")
model = LinearRegression().fit(rows[["distance"]], rows["cost"])
with mlflow.start_run() as run:
    mlflow.log_metric("slope", float(model.coef_[0]))
    mlflow.sklearn.log_model(model, "model", pip_requirements=PACKAGES)
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", arguments.model_name).version
print("registered", arguments.model_name, version)
""",
    "mlops/azureml/train/data.yml": _S.format("data") + "name: taxi-data\ntype: uri_folder\npath: ../../../data\n",
    "mlops/azureml/train/train-env.yml": _S.format("environment")
    + "name: taxi-train-env\nimage: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20260715.v1\n"
    "conda_file: ../../../data-science/environment/train-conda.yml\n",
    "mlops/azureml/train/pipeline.yml": _S.format("pipelineJob")
    + """\
type: pipeline
experiment_name: taxi-fare-training
inputs:
  input: {type: uri_folder, path: "azureml:taxi-data@latest"}
outputs:
  train_data:
settings:
  default_datastore: azureml:workspaceblobstore
  default_compute: azureml:cpu-cluster
  continue_on_step_failure: false
jobs:
  prep_data:
    name: prep_data
    display_name: prep-data
    code: ../../../data-science/src
    command: python prep.py --raw_data ${{inputs.raw_data}} --train_data ${{outputs.train_data}}
    environment: azureml:taxi-train-env@latest
    inputs:
      raw_data: ${{parent.inputs.input}}
    outputs:
      train_data: ${{parent.outputs.train_data}}
  train_model:
    name: train_model
    display_name: train-model
    code: ../../../data-science/src
    command: python train.py --train_data ${{inputs.train_data}} --model_name ${{inputs.model_name}}
    environment: azureml:taxi-train-env@latest
    inputs:
      train_data: ${{parent.jobs.prep_data.outputs.train_data}}
      model_name: taxi-model
""",
    "mlops/azureml/deploy/online/online-endpoint.yml": _S.format("managedOnlineEndpoint")
    + "name: taxi-online\ndescription: Fares of taxis.\nauth_mode: key\n",
    "mlops/azureml/deploy/online/online-deployment.yml": _S.format("managedOnlineDeployment")
    + "name: taxi-online-dp\nendpoint_name: taxi-online\nmodel: azureml:taxi-model@latest\n"
    "instance_type: Standard_DS3_v2\ninstance_count: 1\n",
    "mlops/azureml/compute.yml": _S.format("amlCompute") + "name: cpu-cluster\ntype: amlcompute\nmax_instances: 4\n",
    "mlops/devops-pipelines/deploy-model-training-pipeline.yml": "trigger: none\npool:\n  vmImage: ubuntu-latest\n",
    "config-infra-prod.yml": "variables:\n  namespace: mlopsv2\n  postfix: 0001\n",
    "README.md": "# Taxi fares\n",
}


def write(root: Path) -> None:
    """Write the project, with fares of 3 for the ride and 2 for each mile."""
    rides = "".join(f"{number / 10},{3 + number / 5 + math.sin(number) / 100:.4f}\n" for number in range(200))
    for path, text in {**_FILES, "data/taxi.csv": f"distance,cost\n{rides}"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
