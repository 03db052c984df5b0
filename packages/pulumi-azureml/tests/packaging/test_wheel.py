"""What is in the wheel, and that it needs nothing but what it declares."""

from __future__ import annotations

import zipfile
from pathlib import Path

from amlite_fixtures.installation import Shell


def test_the_wheel_has_its_data_its_types_and_its_license_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    planning = {f"pulumi_azureml/planning/{name}.json" for name in ("schema", "time_zones")}
    assert planning | {"pulumi_azureml/py.typed", "pulumi_azureml/__init__.pyi"} <= set(names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"pulumi_azureml"}


def test_it_is_alone(installed: Shell) -> None:
    told = installed.run("python -c 'import pulumi_azureml; print(pulumi_azureml.Component.__module__)'")
    assert told == "pulumi_azureml.resources.kinds.component\n"
    for other in ("amlite", "infra", "pytest"):
        assert f"No module named '{other}'" in installed.run(f"python -c 'import {other}'", expect=1)
