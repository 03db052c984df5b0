"""Paths: outside of the project, missing, links, ignored, of another kind."""

from azureml_fixtures.bad_input.changes import (
    BUILT,
    DATA,
    DEPLOYMENT,
    ENVIRONMENT,
    MODEL,
    USED,
    Change,
    both,
    put,
    swap,
)  # fmt: skip
from azureml_fixtures.planned_project import Project


def _code(text: str) -> Change:
    return swap(USED, "code: ./src", f"code: {text}")


def _linked(target: str, name: str = "ml/train/src/more.py") -> Change:
    return lambda project: (project.root / name).symlink_to(target)


def _fifo(project: Project) -> None:
    import os

    os.mkfifo(project.root / "ml/train/src/pipe")


CASES: dict[str, Change] = {
    "an absolute path": _code("/etc"),
    "a path above the project": _code("../../../elsewhere"),
    "a path above the project with backslashes": _code("'..\\..\\..\\elsewhere'"),
    "a path of Windows": _code("'C:\\code'"),
    "a path of the home folder": _code("~/code"),
    "a path with a variable": _code("$HOME/code"),
    "a path that does not exist": _code("./source"),
    "a path in other case": _code("./SRC"),
    "a path with a space at its end": _code("'./src '"),
    "a path that is empty": _code("''"),
    "a path that is a dot": swap(DATA, "path: days.csv", "path: ."),
    "a path that is a list": _code("[./src]"),
    "a path that is a number": swap(DATA, "path: days.csv", "path: 7"),
    "a path of 5000 characters": _code("x" * 5000),
    "a path with a NUL": _code('"./src\\0"'),
    "a path with a line break": _code('"./src\\n"'),
    "a path with a file as a folder": _code("./src/train.py/x"),
    "a folder in place of a file": both(swap(DATA, "path: days.csv", "path: ../days")),
    "a file URL to nothing": swap(DATA, "path: days.csv", "path: file:nothing.csv"),
    "an empty folder": both(lambda p: (p.root / "ml/train/empty").mkdir(), _code("./empty")),
    "a folder whose files are ignored": put("ml/train/src/.amlignore", "*\n"),
    "a link to nothing": _linked("nothing.py"),
    "a link to outside of the project": _linked("/etc/hostname"),
    "a link to itself": _linked("more.py"),
    "a link to its own folder": _linked(".", "ml/train/src/loop"),
    "a pipe": _fifo,
    "a name that is not UTF-8": lambda p: (p.root / "ml/train/src/\udcff.py").write_text("a\n"),
    "a folder with the command of a terminal as its name": put("ml/data/a\x1b[2J/data.yml", "- a\n"),
    "a folder with the command of a CI host as its name": put("ml/data/a\n::stop-commands::x/data.yml", "- a\n"),
    "names in two Unicode forms": both(
        put("ml/train/src/caf\u00e9.py", "a\n"), put("ml/train/src/cafe\u0301.py", "b\n")
    ),
    "a conda file that does not exist": swap(ENVIRONMENT, "conda_file: conda.yml", "conda_file: conda.yaml"),
    "a conda file outside of the project": swap(ENVIRONMENT, "conda_file: conda.yml", "conda_file: /etc/hostname"),
    "a conda file that is a folder": swap(ENVIRONMENT, "conda_file: conda.yml", "conda_file: ."),
    "a conda file that is malformed": put("ml/environments/serving/conda.yml", "dependencies: [\n"),
    "a conda file that is empty": put("ml/environments/serving/conda.yml", ""),
    "a conda file that is a list": put("ml/environments/serving/conda.yml", "- python\n"),
    "a conda file in UTF-16": put("ml/environments/serving/conda.yml", "name: x\n".encode("utf-16")),
    "a conda file with an alias bomb": put(
        "ml/environments/serving/conda.yml",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
    ),
    "a build context that does not exist": swap(BUILT, "path: .", "path: ./docker"),
    "a build context that is a file": swap(BUILT, "path: .", "path: ./Dockerfile"),
    "a build context without a path": swap(BUILT, "build:\n  path: .", "build: {dockerfile_path: Dockerfile}"),
    "a build context that is a text": swap(BUILT, "build:\n  path: .", "build: ."),
    "a build context without a Dockerfile": lambda p: (p.root / "ml/environments/training/Dockerfile").unlink(),
    "a Dockerfile that is not there": swap(BUILT, "  path: .", "  path: .\n  dockerfile_path: docker/Dockerfile"),
    "a Dockerfile outside of its context": swap(BUILT, "  path: .", "  path: .\n  dockerfile_path: ../Dockerfile"),
    "data that does not exist": swap(DATA, "path: days.csv", "path: day.csv"),
    "data without a path": swap(DATA, "path: days.csv\n", ""),
    "data with an empty path": swap(DATA, "path: days.csv", "path:"),
    "data in an unknown datastore": swap(DATA, "path: days.csv", "path: azureml://datastores/lake/paths/x"),
    "data at a place that is none": swap(DATA, "path: days.csv", "path: azureml://datastore/lake/x"),
    "data at an unknown scheme": swap(DATA, "path: days.csv", "path: s3://bucket/x"),
    "a table without its file": both(
        swap(DATA, "type: uri_file", "type: mltable"), swap(DATA, "path: days.csv", "path: .")
    ),
    "a model at an unknown scheme": put(MODEL, "name: delay\ntype: custom_model\npath: s3://bucket/x\n"),
    "a model without a path": put(MODEL, "name: delay\ntype: custom_model\n"),
    "an MLflow model that is a file": put(MODEL, "name: delay\ntype: mlflow_model\npath: ../data/days/days.csv\n"),
    "scoring code that does not exist": swap(DEPLOYMENT, "code: ./score", "code: ./scores"),
    "scoring code above the project": swap(DEPLOYMENT, "code: ./score", "code: ../../../score"),
    "a scoring script that does not exist": swap(DEPLOYMENT, "scoring_script: score.py", "scoring_script: scores.py"),
    "a scoring script outside of its code": swap(DEPLOYMENT, "scoring_script: score.py", "scoring_script: ../score.py"),
    "a scoring script that is a list": swap(DEPLOYMENT, "scoring_script: score.py", "scoring_script: [score.py]"),
    "code without a scoring script": swap(DEPLOYMENT, ", scoring_script: score.py", ""),
}
