"""`amlite up`, `down` and `env`: a workspace for a plain client, in a resource group of any name."""

from __future__ import annotations

import textwrap
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from amlite.testing import LocalAzure, LocalAzureError


@dataclass(frozen=True)
class Place:
    """Names that no other test uses, and `amlite` with them."""

    azure: LocalAzure
    name: str

    def up(self, *options: str) -> str:
        return self.azure.command("up", "--workspace", self.name, "--resource-group", f"rg-{self.name}", *options)

    def down(self) -> str:
        return self.azure.command("down", "--resource-group", f"rg-{self.name}")

    def client(self, printed: str) -> Any:
        """Run the lines of Python that `up` printed; return their client."""
        lines = textwrap.dedent(printed.partition("In Python:\n\n")[2].partition("\n\n")[0])
        names: dict[str, Any] = {}
        exec(lines, names)  # noqa: S102 - what the user is told to run is what is tested
        return names["ml"]

    def writes(self) -> int:
        return sum(each["method"] == "PUT" for each in self.azure.requests(f"rg-{self.name}"))


@pytest.fixture
def place(amlite: LocalAzure) -> Iterator[Place]:
    made = Place(amlite, f"up-{uuid.uuid4().hex[:8]}")
    yield made
    made.down()


def test_up_prints_the_lines_of_a_client_that_works(place: Place) -> None:
    ml = place.client(place.up("--location", "uksouth"))
    found = ml.workspaces.get(place.name)
    assert (found.location, found.resource_group) == ("uksouth", f"rg-{place.name}")
    assert found.container_registry
    assert ml.datastores.get_default().name == "workspaceblobstore"


def test_up_again_changes_nothing(place: Place) -> None:
    printed = place.up("--identity")
    before = place.writes()
    assert place.up() == printed
    assert place.writes() == before
    assert place.client(printed).datastores.get_default().credentials.type == "None"


def test_down_takes_everything_and_up_creates_it_again(place: Place) -> None:
    from azure.ai.ml.entities import Data

    place.up()
    assert place.down() == f"rg-{place.name} is gone\n"
    assert place.down() == f"there is no resource group rg-{place.name}\n"
    ml = place.client(place.up())
    # The storage account has its old name, and other keys.
    assert ml.data.create_or_update(Data(name="here", path=__file__, type="uri_file")).version == "1"


def test_what_azure_refuses_is_one_line(amlite: LocalAzure) -> None:
    with pytest.raises(LocalAzureError, match=r"Error: .*InvalidResourceName"):
        amlite.command("up", "--workspace", "no spaces")


@pytest.mark.parametrize(
    ("reader", "line"),
    [
        ("github", "AZURE_SUBSCRIPTION_ID={}"),
        ("azure-devops", "##vso[task.setvariable variable=AZURE_SUBSCRIPTION_ID]{}"),
        ("shell", "export AZURE_SUBSCRIPTION_ID={}"),
    ],
)
def test_env_speaks_to_the_next_steps_of_a_job(amlite: LocalAzure, reader: str, line: str) -> None:
    lines = amlite.command("env", "--for", reader).splitlines()
    assert line.format("10ca1000-0000-4000-9000-616d6c697465") in lines
    assert any("HTTPS_PROXY" in each for each in lines)
    # "Set secret variables" of Azure Pipelines' documentation: `issecret=true` masks the value in logs.
    secrets = [each for each in lines if "CLIENT_SECRET" in each]
    assert len(secrets) == 2
    assert all(";issecret=true]" in each for each in secrets) == (reader == "azure-devops")
    # A job's own PATH names its tools; a shell's gets the project's programs.
    assert any("PATH=" in each and "GRPC" not in each for each in lines) == (reader == "shell")
