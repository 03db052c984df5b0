"""What is in the wheel, and that it needs nothing but what it declares."""

from __future__ import annotations

import zipfile
from pathlib import Path

from amlite_fixtures.installation import Shell


def test_the_wheel_has_its_data_and_its_license_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"amlite/py.typed", "amlite/services/environments/own/automl.txt"} <= set(names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"amlite"}


def test_it_runs_with_what_it_declares(installed: Shell) -> None:
    for command in ("up", "run", "env", "start", "stop", "status", "down", "reset"):
        assert f"amlite {command}" in installed.run(f"amlite {command} --help")
    assert "amlite is not running" in installed.run("amlite status", expect=1, AMLITE_STATE="never-started")
    # The server's every module, and the plugin without pytest.
    installed.run("python -c 'import amlite.server'")
    assert "No module named 'pytest'" in installed.run("python -c 'import amlite.pytest_plugin'", expect=1)
