"""Values of a stack file that Pulumi reads as something else, or that look like a mistake."""

import json
from pathlib import Path

import pulumi
import pytest

from infra import NAMESPACE
from infra.settings import configuration
from infra.settings.configuration import ConfigurationError, parse
from infra.settings.spelling import retyped
from infra.settings.stack import Settings
from pulumi_azureml.planning.assets import get
from tests.unit.infra.stack_files import filled_in


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a preview warns of."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


def values(lines: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, passed: dict[str, str]) -> dict[str, str]:
    """Return the values of a stack file. `passed` are those that Pulumi makes of it."""
    (folder / "Pulumi.dev.yaml").write_text(f"config:\n  {lines}\n")
    monkeypatch.setattr(pulumi, "get_root_directory", lambda: str(folder))
    monkeypatch.setattr(configuration, "get_config_env", lambda: passed)
    return configuration._values(Settings, NAMESPACE, "dev")


@pytest.mark.parametrize(
    ("lines", "read", "key", "text"),
    [
        ("azureml-platform:naming:\n    postfix: 001", '{"postfix":1}', "naming.postfix", "001"),
        (
            "azureml-platform:models:\n    flight-delay:\n      name: flight-delay\n      version: 1.10",
            '{"flight-delay":{"name":"flight-delay","version":1.1}}',
            "models.flight-delay.version",
            "1.10",
        ),
        (
            "azureml-platform:overrides:\n    pipelines:\n      training:\n        inputs:\n          git_sha: 0123456",
            '{"pipelines":{"training":{"inputs":{"git_sha":42798}}}}',
            "overrides.pipelines.training.inputs.git_sha",
            "0123456",
        ),
        (
            "azureml-platform:overrides:\n    pipelines:\n      train:\n        inputs:\n          since: 2013-10-01",
            '{"pipelines":{"train":{"inputs":{"since":"2013-10-01 00:00:00 +0000 UTC"}}}}',
            "overrides.pipelines.train.inputs.since",
            "2013-10-01",
        ),
    ],
)
def test_text_that_pulumi_changes_is_as_the_stack_file_has_it(
    lines: str, read: str, key: str, text: str, tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulumi reads the postfix 001 as 1, which would rename and replace every resource."""
    name, *rest = key.split(".")
    found = values(lines, tmp_path, monkeypatch, passed={f"{NAMESPACE}:{name}": read})
    assert get(json.loads(found[f"{NAMESPACE}:{name}"]), tuple(rest)) == text
    (warning,) = warnings
    assert warning.startswith(f"{NAMESPACE}:{key} is {text}, as Pulumi.dev.yaml has it")
    assert f"Write '{text}', with quotes" in warning


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_spelling_of_every_shipped_stack_file_is_kept(stack: str) -> None:
    locations = [location for location, _ in retyped(Path(f"Pulumi.{stack}.yaml"), NAMESPACE)]
    assert not locations


def test_numbers_and_quoted_texts_keep_their_spelling(
    tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (
        'azureml-platform:naming: {postfix: "001"}\n  azureml-platform:retention: {logDays: 030}\n'
        "  azureml-platform:models: {a: {name: a, version: 7}}"
    )
    passed = {
        "azureml-platform:naming": '{"postfix":"001"}',
        "azureml-platform:retention": '{"logDays":24}',
        "azureml-platform:models": '{"a":{"name":"a","version":7}}',
    }
    assert values(lines, tmp_path, monkeypatch, passed=passed) == passed
    assert not warnings


def test_a_stack_without_a_file_has_nothing_that_pulumi_changes(tmp_path: Path) -> None:
    assert not [*retyped(tmp_path / "Pulumi.none.yaml", NAMESPACE)]


@pytest.mark.parametrize(
    ("region", "near"),
    [("westeuroope", "westeurope"), ("northeurop", "northeurope"), ("germanywescentral", "germanywestcentral")],
)
def test_a_mistyped_region_is_refused_with_the_region_that_it_looks_like(region: str, near: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse(filled_in("dev") | {"azure-native:location": region}, "dev")
    assert f"azure-native:location is not a known Azure region; did you mean {near}?" in str(error.value)


@pytest.mark.parametrize("region", ["westeurope", "eastus3", "newregion", "northeurope2"])
def test_a_region_that_azure_may_have_is_accepted(region: str) -> None:
    assert parse(filled_in("dev") | {"azure-native:location": region}, "dev").cloud.location == region
