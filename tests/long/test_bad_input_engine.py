"""A sample of bad input through the real engine: each mistake is told once, with its place and its fix.

The unit tests have the whole corpus. Here, `pulumi preview` itself shows the errors of many files at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from amlite.testing import LocalAzure
from azureml_fixtures.bad_input import CASES
from azureml_fixtures.bad_input.listing import read
from azureml_fixtures.planned_project import Project
from tests.checkout import Checkout, checkout

FILE = "ml/data/more/data.yml"
FEWEST = 20
PULUMI = ".venv/bin/amlite run -- .venv/bin/pulumi"
FAILED = 1


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with checkout(tmp_path_factory.mktemp("clone") / "clone") as made:
        made.run("make setup")
        made.run(f"{PULUMI} stack select --create local")
        yield made


def _refused(clone: Checkout) -> str:
    """Preview, which must fail and change nothing. Return what was printed."""
    printed = clone.run(f"{PULUMI} preview -s local --non-interactive", expect=FAILED)
    assert "Traceback" not in printed
    azure = LocalAzure(clone.state)
    writes = [each for each in azure.requests() if each["method"] in ("PUT", "PATCH", "DELETE") and each["path"] != "/"]
    assert writes == []
    return printed


def test_each_broken_file_is_one_error_of_the_preview(clone: Checkout, tmp_path: Path) -> None:
    listed, expected = read(), {}
    for number, name in enumerate(each for each in CASES if each.startswith("documents: ")):
        project = Project(tmp_path / str(number))
        sound = {file for file in project.root.rglob("*") if file.is_file()}
        CASES[name](project)
        made = [file for file in project.root.rglob("*") if file not in sound and file.is_file()]
        if made != [project.root / FILE] or made[0].is_symlink() or not listed[name].startswith(FILE):
            continue
        path = f"ml/data/broken-{number}/data.yml"
        (clone.root / path).parent.mkdir(parents=True)
        (clone.root / path).write_bytes(made[0].read_bytes())
        expected[path] = listed[name].replace(FILE, path).splitlines()[0]
    assert len(expected) >= FEWEST
    printed = _refused(clone)
    assert f"{len(expected)} problems in the catalogue:" in printed
    for path, line in expected.items():
        assert printed.count(f"{path}:") == 1, path
        assert line in printed
    assert printed.count("    fix: ") == len(expected)
    for path in expected:
        (clone.root / path).unlink()


def test_each_wrong_setting_is_one_error_of_the_preview(clone: Checkout) -> None:
    file = clone.root / "Pulumi.local.yaml"
    sound = file.read_text("utf-8")
    document = yaml.safe_load(sound)
    config = document["config"]
    config["azureml-platform:protect"] = "maybe"
    config["azureml-platform:storage"] = {"sharedKeyAccess": -1}
    config["azureml-platform:network"] = {"isolation": "Perhaps"}
    config["azureml-platform:retention"] = ["a"]
    config["azureml-platform:naming"]["postfix"] = "much-too-long"
    config["azureml-platform:namng"] = {}
    config["azureml-platform:compute"][0]["vmSize"] = "a\x01b"
    file.write_text(yaml.safe_dump(document), "utf-8")
    printed = _refused(clone)
    assert "has control characters" in printed
    config["azureml-platform:compute"][0]["vmSize"] = "Standard_DS3_v2"
    file.write_text(yaml.safe_dump(document), "utf-8")
    printed = _refused(clone)
    assert "6 settings are wrong in Pulumi.local.yaml. Nothing was changed." in printed
    assert printed.count("      fix: ") == 6
    document = yaml.safe_load(sound)
    document["config"]["azure-native:location"] = "atlantis"
    file.write_text(yaml.safe_dump(document), "utf-8")
    assert "no region atlantis, which azure-native:location in Pulumi.local.yaml names" in _refused(clone)
    file.write_text(sound.replace("config:", "config: ["), "utf-8")
    printed = clone.run(".venv/bin/amlite run -- .venv/bin/release preview --stack local", expect=1)
    assert "Pulumi.local.yaml:" in printed
    assert "Traceback" not in printed
    file.write_text(sound, "utf-8")
