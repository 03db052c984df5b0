"""Changes to a sound project."""

from __future__ import annotations

from collections.abc import Callable

from azureml_fixtures.planned_project import Project

Change = Callable[[Project], object]

ENVIRONMENT = "ml/environments/serving/environment.yml"
BUILT = "ml/environments/training/environment.yml"
DATA = "ml/data/days/data.yml"
COMPONENT = "ml/prep/component.yml"
USED = "ml/train/component.yml"
PIPELINE = "pipelines/training.yml"
SCHEDULE = "pipelines/schedules/daily.yml"
ENDPOINT = "ml/deploy/endpoint.yml"
DEPLOYMENT = "ml/deploy/blue-deployment.yml"
MODEL = "ml/model/model.yml"
STORE = "ml/store/datastore.yml"
BATCH = "ml/batch/endpoint.yml"
BATCH_DEPLOYMENT = "ml/batch/scores-deployment.yml"


def put(path: str, content: str | bytes) -> Change:
    """Write a file."""
    return lambda project: project.write(path, content)


def swap(path: str, old: str, new: str) -> Change:
    """Replace a text that a file has."""
    return lambda project: project.replace(path, old, new)


def add(path: str, line: str) -> Change:
    """Add lines to the end of a file."""

    def change(project: Project) -> None:
        file = project.root / path
        file.write_text(file.read_text("utf-8").rstrip() + f"\n{line}\n", "utf-8")

    return change


def both(*changes: Change) -> Change:
    """Make several changes."""

    def change(project: Project) -> None:
        for each in changes:
            each(project)

    return change


def batch(extra: str = "", endpoint: str = "name: flights-batch\n") -> Change:
    """Add a batch endpoint and its deployment, with more lines."""
    deployment = (
        "name: scores\nendpoint_name: flights-batch\ntype: model\ncompute: azureml:cpu\nmodel: azureml:delay@latest\n"
        "environment: azureml:serving\ncode_configuration: {code: ../deploy/score, scoring_script: score.py}\n"
        "settings: {mini_batch_size: 5}\n"
    )
    for line in extra.splitlines():
        key = line.partition(":")[0]
        lines = [each for each in deployment.splitlines() if each.partition(":")[0] != key]
        deployment = "\n".join([*lines, line, ""])
    return both(put(BATCH, endpoint), put(BATCH_DEPLOYMENT, deployment))
