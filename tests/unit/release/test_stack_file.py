"""A stack file is changed as text: its comments stay, and what cannot be changed is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from release import stack_file
from release.errors import ReleaseError

_VALUES = ("/taxi/", "!/taxi/old.yml")


@pytest.mark.parametrize(
    "before",
    [
        "encryptionsalt: v1:a\n",
        "config:\nencryptionsalt: v1:a\n",
        "config:\n  # The place.\n  azure-native:location: westeurope # near\nencryptionsalt: v1:a",
        "config:\n    p:assets:\n        retain: 5\n    p:other: 1\n",
        'config:\n  p:assets:\n    files:\n    - first/ # mine\n    # and this\n    - "!second/"\n  p:other: 1\n',
        "config:\n  p:other: 1\n  p:assets:\n    files:\n      - first/",
        "config:\n  p:assets:\n    files:\n      - first/\n      - /taxi/\n",
    ],
)
def test_the_values_come_after_those_that_are_there(before: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(before)
    old = yaml.safe_load(before) or {}
    there = ((old.get("config") or {}).get("p:assets") or {}).get("files") or []
    for _ in range(2):
        stack_file.extend(file, "p:assets", "files", _VALUES)
        new = yaml.safe_load(file.read_text())
        assert new["config"].pop("p:assets")["files"] == [*there, *(each for each in _VALUES if each not in there)]
        assert [line for line in before.splitlines() if line not in file.read_text().splitlines()] == []


@pytest.mark.parametrize("assets", ["{}", "{files: [first/]}", "\n    files: [first/]", "\n    files: []"])
def test_what_cannot_be_changed_is_refused_with_what_to_write(assets: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    before = f"config:\n  p:assets: {assets}\n"
    file.write_text(before)
    with pytest.raises(ReleaseError, match=r"cannot change(.|\n)*add to `p:assets:` by hand: `files: \[.*/taxi/"):
        stack_file.extend(file, "p:assets", "files", _VALUES)
    assert file.read_text() == before


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "[1, .nan]", "1.0e+999"])
def test_a_number_that_json_does_not_have_is_named(value: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(f"config:\n  azureml-platform:monitoring:\n    alerts:\n      endpointErrors: {value}\n")
    with pytest.raises(
        ReleaseError, match=r"Pulumi\.dev\.yaml:4: config\.azureml-platform:monitoring\.alerts\.endpoint"
    ):
        stack_file.read(file)
