import json

import pytest
from pydantic import ValidationError

from infra import documentation, outputs
from infra.settings.assets import CONFIG_KEYS
from tests.unit.infra.deployed import DIGEST
from tests.unit.infra.stack_files import ROOT

EXAMPLE = {
    "outputs_version": 1,
    "subscription_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "resource_group": "rg",
    "workspace": "mlw",
    "workspace_id": "/subscriptions/3f2504e0-4f89-41d3-9a0c-0305e82c3301/resourceGroups/rg",
    "container_registry": "cr",
    "login_server": "cr.azurecr.io",
    "environment_image": f"cr.azurecr.io/training@{DIGEST}",
    "registry": "mlops-models",
    "compute": ["cpu-cluster"],
    "assets": {"component": {"train": "a1b2"}},
    "schedules": {"daily": {"trigger": "30 4 * * *", "time_zone": "UTC"}},
    "endpoints": {
        "flights": {
            "name": "flights-dev-a1b2c",
            "kind": "online",
            "auth_mode": "key",
            "scoring_uri": "https://x/score",
            "deployment": None,
        }
    },
    "models": {"flights": {"name": "delays", "version": "7"}},
}


@pytest.mark.parametrize("key", sorted(vars(CONFIG_KEYS).values()))
def test_messages_of_the_provider_name_keys_that_there_are(key: str) -> None:
    group, _, name = key.partition(".")
    section = documentation.configuration().partition(f"## `{group}`")[2].partition("## ")[0]
    assert section if not name else f"| `{name}` |" in section


@pytest.mark.parametrize(
    ("file", "current"),
    [("configuration.md", documentation.configuration), ("stack-outputs.schema.json", documentation.outputs_schema)],
)
def test_the_generated_documentation_is_current(file: str, current: object) -> None:
    assert callable(current)
    assert (ROOT / "docs" / file).read_text() == current(), "run `python -m infra.documentation`"


def test_the_documented_roles_are_those_that_the_program_assigns() -> None:
    page = (ROOT / "docs" / "access.md").read_text()
    assert page == documentation.access(page), "run `python -m infra.documentation`"


def test_every_output_is_described() -> None:
    assert [name for name, field in outputs.StackOutputs.model_fields.items() if not field.description] == []


def test_the_documented_example_is_valid() -> None:
    assert outputs.parse(EXAMPLE).endpoints["flights"].deployment is None
    optional = {"environment_image", "registry"}
    assert set(json.loads(documentation.outputs_schema())["required"]) == EXAMPLE.keys() - optional
    assert outputs.parse({k: v for k, v in EXAMPLE.items() if k != "environment_image"}).environment_image is None


def test_an_endpoint_of_an_earlier_version_has_its_name_in_the_yaml() -> None:
    endpoint = {key: value for key, value in EXAMPLE["endpoints"]["flights"].items() if key != "name"}
    assert outputs.parse(EXAMPLE | {"endpoints": {"flights": endpoint}}).endpoints["flights"].name == "flights"


@pytest.mark.parametrize("image", ["cr.azurecr.io/training:latest", "", f"training@{DIGEST}"])
def test_an_image_without_registry_or_digest_breaks_the_contract(image: str) -> None:
    with pytest.raises(ValidationError, match="environment_image"):
        outputs.parse(EXAMPLE | {"environment_image": image})


def test_a_missing_and_an_unknown_output_are_refused() -> None:
    with pytest.raises(TypeError, match=r"missing \['assets'.*unknown \['asets'\]"):
        outputs.export(asets={})
