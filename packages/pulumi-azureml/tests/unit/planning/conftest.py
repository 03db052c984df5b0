from pathlib import Path

import pytest

from azureml_fixtures.planned_project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")
