"""Adoption by the real engine: an update takes over what was written down, and a preview after it shows no change."""

from __future__ import annotations

import shutil

from azureml_fixtures.asset_project import STRANGER
from azureml_fixtures.engine import STACK, Make, operations
from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.kinds import OPERATIONS
from release.assets import adoption


def test_what_others_made_is_adopted_and_then_unchanged(make: Make) -> None:
    project = make()
    project.add_datastore()
    names = {}
    for kind in ("datastore", "environment", "data", "model", "component", "schedule", "online_endpoint"):
        OPERATIONS[kind].upsert(project.ml, project.props(kind, STRANGER))
        names[kind] = project.asset(kind).name
    for folder in ("ml", "pipelines"):
        shutil.rmtree(project.root / folder)
    for kind, name in names.items():
        (found,) = adoption.survey(project.ml, project.root, kind, [name])
        assert found.reason == ""
        adoption.write(project.ml, project.root, found)
    program = (project.root / "__main__.py").read_text("utf-8")
    assert f"belongs to stack '{STRANGER}'" in project.up(expect=1)
    owner = f'"azureml-platform/{STACK}"'
    project.write("__main__.py", program.replace(owner, f"{owner}, adopt=True"))
    project.up()
    assert operations(project.preview(0, "--json")) == {}
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", STACK)
    (component,) = project.ml.components.list(name=names["component"])
    assert ownership.is_ours(component.tags, f"azureml-platform/{STACK}")
    project.destroy()
