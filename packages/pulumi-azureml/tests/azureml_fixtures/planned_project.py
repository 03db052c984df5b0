"""A small, sound project to load, break and change."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_azureml.planning import Catalogue, CatalogueErrors, CatalogueSettings, Problem, load_catalogue

FILES = {
    "ml/environments/training/environment.yml": """
        $schema: https://azuremlschemas.azureedge.net/latest/environment.schema.json
        name: training
        description: What the steps run in.
        build:
          path: .
        """,
    "ml/environments/training/Dockerfile": "FROM mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04\nCOPY a.txt /\n",
    "ml/environments/training/a.txt": "one\n",
    "ml/environments/serving/environment.yml": """
        name: serving
        image: mcr.microsoft.com/azureml/minimal-ubuntu22.04-py311-cpu-inference
        conda_file: conda.yml
        """,
    "ml/environments/serving/conda.yml": """
        name: serving
        dependencies: [python=3.11, {pip: [scikit-learn]}]
        """,
    "ml/data/days/data.yml": "name: days\ntype: uri_file\npath: days.csv\n",
    "ml/data/days/days.csv": "day\n2013-01-01\n",
    "ml/prep/component.yml": """
        type: command
        name: prep
        description: Makes rows.
        inputs:
          days: {type: uri_file}
          share: {type: number, default: 0.5, min: 0, max: 1}
        outputs:
          rows: {type: uri_folder}
        code: ./src
        environment: azureml:training
        command: python prep.py ${{inputs.days}} ${{inputs.share}} ${{outputs.rows}}
        """,
    "ml/prep/src/prep.py": "print('prep')\n",
    "ml/train/component.yml": """
        type: command
        name: train
        inputs:
          rows: {type: uri_folder}
          steps: {type: integer}
        outputs:
          model: {type: uri_folder}
        code: ./src
        environment: azureml:training@latest
        command: python train.py ${{inputs.rows}} ${{inputs.steps}} ${{outputs.model}}
        """,
    "ml/train/src/train.py": "print('train')\n",
    "pipelines/training.yml": """
        type: pipeline
        settings: {default_compute: azureml:cpu}
        inputs:
          days: {type: uri_file, path: azureml:days@latest}
          steps: 10
        outputs:
          model: {type: uri_folder}
        jobs:
          prep:
            type: command
            component: azureml:prep
            inputs: {days: "${{parent.inputs.days}}"}
          train:
            type: command
            component: file:../ml/train/component.yml
            inputs: {rows: "${{parent.jobs.prep.outputs.rows}}", steps: "${{parent.inputs.steps}}"}
            outputs: {model: "${{parent.outputs.model}}"}
        """,
    "pipelines/schedules/daily.yml": """
        name: daily
        trigger: {type: cron, expression: "0 6 * * *", time_zone: W. Europe Standard Time}
        create_job: ../training.yml
        """,
    "ml/deploy/endpoint.yml": "name: flights\nauth_mode: key\n",
    "ml/deploy/blue-deployment.yml": """
        name: blue
        endpoint_name: flights
        model: azureml:delay@latest
        environment: azureml:serving
        code_configuration: {code: ./score, scoring_script: score.py}
        instance_type: Standard_DS3_v2
        instance_count: 1
        """,
    "ml/deploy/score/score.py": "def init(): ...\ndef run(data): return data\n",
}


class Project:
    """A project in a folder of its own. Loading it asks azure-ai-ml only when a test wants that."""

    def __init__(self, root: Path, cache_folder: Path | None = None) -> None:
        self.root = root
        self.cache_folder = cache_folder
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file; common indentation is removed from text."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            file.write_bytes(text)
        else:
            lines = text.lstrip("\n").split("\n")
            indent = len(lines[0]) - len(lines[0].lstrip())
            file.write_bytes("\n".join(line[indent:] for line in lines).encode())
        return file

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace text that has to be there."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")

    def edit(self, path: str, /, **changes: Any) -> None:
        """Set top-level keys of a YAML file."""
        document = yaml.safe_load((self.root / path).read_text(encoding="utf-8"))
        (self.root / path).write_text(yaml.safe_dump(document | changes, sort_keys=False), encoding="utf-8")

    def load(self, **settings: Any) -> Catalogue:
        values = {"computes": frozenset({"cpu"}), "cache_folder": self.cache_folder, "check_with_azure": False}
        return load_catalogue(self.root, CatalogueSettings(**(values | settings)))

    def problems(self, **settings: Any) -> tuple[Problem, ...]:
        with pytest.raises(CatalogueErrors) as caught:
            self.load(**settings)
        return caught.value.problems

    def problem(self, **settings: Any) -> Problem:
        """The one problem that the project has."""
        problems = self.problems(**settings)
        assert len(problems) == 1, "\n".join(map(str, problems))
        return problems[0]

    def versions(self, **settings: Any) -> dict[str, str]:
        return {str(asset.id): asset.version for asset in self.load(**settings).assets}
