"""Values of a stack file that Pulumi reads as something else, or that look like a mistake."""

from pathlib import Path

import pytest

from infra.settings import configuration
from infra.settings.configuration import ConfigurationError, parse
from tests.unit.infra.stack_files import filled_in


@pytest.mark.parametrize(
    ("lines", "key", "text"),
    [
        ("azureml-platform:naming:\n    postfix: 001", "azureml-platform:naming.postfix", "001"),
        (
            "azureml-platform:models:\n    flight-delay:\n      name: flight-delay\n      version: 1.10",
            "azureml-platform:models.flight-delay.version",
            "1.10",
        ),
        (
            "azureml-platform:overrides:\n    pipelines:\n      training:\n        inputs:\n          git_sha: 0123456",
            "azureml-platform:overrides.pipelines.training.inputs.git_sha",
            "0123456",
        ),
    ],
)
def test_text_that_pulumi_reads_as_another_number_is_refused(lines: str, key: str, text: str, tmp_path: Path) -> None:
    """Pulumi reads the postfix 001 as 1, which would rename and replace every resource."""
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(f"config:\n  {lines}\n")
    with pytest.raises(ConfigurationError) as error:
        configuration._check_spelling(file, "dev")
    assert f"{key} is {text} without quotes, which Pulumi reads as another number" in str(error.value)
    assert f"fix: write '{text}', with quotes, in Pulumi.dev.yaml" in str(error.value)


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_spelling_of_every_shipped_stack_file_is_kept(stack: str) -> None:
    configuration._check_spelling(Path(f"Pulumi.{stack}.yaml"), stack)


def test_numbers_and_quoted_texts_keep_their_spelling(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(
        'config:\n  azureml-platform:naming: {postfix: "001"}\n  azureml-platform:retention: {logDays: 030}\n'
        "  azureml-platform:models: {a: {name: a, version: 7}}\n"
    )
    configuration._check_spelling(file, "dev")
    configuration._check_spelling(tmp_path / "Pulumi.none.yaml", "none")


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
