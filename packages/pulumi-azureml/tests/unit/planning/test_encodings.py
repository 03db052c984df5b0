"""Files in other encodings than UTF-8: read where that is safe, and refused where a tool would read something else."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import FILES, Project
from pulumi_azureml.planning import Folders

IGNORE = "ml/environments/training/.dockerignore"


@pytest.mark.parametrize(
    "path", ["ml/prep/component.yml", "ml/environments/serving/conda.yml", "pipelines/training.yml"]
)
def test_a_byte_order_mark_changes_nothing(path: str, project: Project) -> None:
    before = project.versions()
    project.write(path, b"\xef\xbb\xbf" + (project.root / path).read_bytes())
    assert project.versions() == before


@pytest.mark.parametrize("path", ["ml/prep/component.yml", "ml/environments/serving/conda.yml"])
def test_yaml_in_another_encoding_is_refused_as_az_ml_does(path: str, project: Project) -> None:
    project.write(path, (project.root / path).read_text("utf-8").encode("utf-16"))
    problem = project.problem()
    assert (problem.file, problem.fix) == (path, "save the file as UTF-8")
    assert "is not UTF-8 text" in problem.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_an_asset_in_another_encoding_is_not_overlooked_where_no_convention_names_it(
    project: Project, encoding: str
) -> None:
    text = project.write("jobs/cleaning.yml", FILES["pipelines/training.yml"]).read_text("utf-8")
    project.write("jobs/cleaning.yml", text.encode(encoding))
    project.write("jobs/notes.yml", "colour: red\n".encode(encoding))
    problem = project.problem(folders=Folders(files=("jobs/**",)))
    assert (problem.file, problem.message) == ("jobs/cleaning.yml", "is not UTF-8 text: it is UTF-16, UTF-32 or binary")


def test_text_that_is_not_utf_8_is_not_changed_where_no_convention_names_the_file(project: Project) -> None:
    text = project.write("jobs/cleaning.yml", FILES["pipelines/training.yml"]).read_text("utf-8")
    project.write("jobs/cleaning.yml", f"{text}display_name: größe\n".encode("latin-1"))
    project.write("jobs/notes.yml", "colour: größe\n".encode("latin-1"))
    problem = project.problem(folders=Folders(files=("jobs/**",)))
    assert (problem.file, problem.fix) == ("jobs/cleaning.yml", "save the file as UTF-8")
    assert problem.message.startswith("is not UTF-8 text: invalid")


def test_a_docker_ignore_file_that_docker_cannot_read_is_refused(project: Project) -> None:
    """Docker reads UTF-8, with or without a byte order mark: from any other file it excludes nothing."""
    project.write(IGNORE, b"\xef\xbb\xbfsecret.env\n")
    project.load()
    project.write(IGNORE, "secret.env\n".encode("utf-16"))
    problem = project.problem()
    assert (problem.file, problem.fix) == (IGNORE, "save the file as UTF-8")
    assert "Docker would exclude none of the files that it names" in problem.message
