"""The sweep of kills knows the processes of a release by their command lines."""

from __future__ import annotations

import pytest

from tests.chaos import victims


@pytest.mark.parametrize(
    ("process", "command", "name"),
    [
        ("pulumi", "pulumi up --yes", "engine"),
        ("python", "python -u -m pulumi.dynamic 127.0.0.1:4711", "dynamic provider"),
        ("python", "python -m amlite.pulumi.azure_native --port 0", "provider"),
        ("python", "python -m amlite.server /state", "amlite"),
        ("node", "node azurite/dist/src/blob/main.js", "Azurite"),
        ("bash", "bash -l", None),
    ],
)
def test_a_victim_is_known_by_its_command_line(process: str, command: str, name: str | None) -> None:
    assert victims.name_of(process, command) == name
