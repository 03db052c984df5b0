"""`release promote`: what it reads, what it refuses before anything is written, and what it writes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from click.testing import CliRunner

from infra.outputs import ModelOutput
from pulumi_azureml import Overrides
from release import cli
from release.assets.sharing import ORIGIN_TAG
from release.errors import ReleaseError
from release.promotion import command, promoter, registry

DEV = "/subscriptions/s/resourceGroups/rg-dev/providers/Microsoft.MachineLearningServices/workspaces/mlw-dev"
WORKSPACE_MODEL = ModelOutput(name="delays", version="3")
SHARED = ModelOutput(name="delays", version="3", registry="mlops")


class Azure:
    """The stacks, and a registry that has some versions, with their tags."""

    def __init__(self) -> None:
        self.models = {"flights": WORKSPACE_MODEL}
        self.config: dict[str, Any] = {"azureml-platform:sharing": {"registry": "mlops"}}
        self.versions: dict[tuple[str, str], dict[str, str]] = {}
        self.denied = False
        self.written: dict[str, ModelOutput] = {}
        self.shared: list[tuple[str, str, str]] = []
        self.opened: dict[str, dict[str, bool]] = {}

    def stack(self, name: str, **options: bool) -> Any:
        self.opened[name] = options
        if name == "dev":
            endpoints = {"flights": SimpleNamespace(), "nightly": SimpleNamespace()}
            outputs = SimpleNamespace(
                models=self.models, endpoints=endpoints, workspace_id=DEV, registry=None, subscription_id="s",
                resource_group="rg-dev", workspace="mlw-dev", overrides=Overrides(),
            )  # fmt: skip
            return SimpleNamespace(name=name, deployed=lambda: outputs)
        return SimpleNamespace(name=name, config=lambda: self.config, promote=self.written.__setitem__)

    def registry_client(self, _name: str, _fix: str = "") -> Any:
        def get(name: str, version: str) -> Any:
            if self.denied:
                error = HttpResponseError("(Forbidden) No role.\nCode: Forbidden")
                error.status_code = 403
                raise error
            if (name, version) not in self.versions:
                raise ResourceNotFoundError("no")
            return SimpleNamespace(tags=self.versions[name, version])

        return SimpleNamespace(models=SimpleNamespace(get=get))

    def sharing(self, _ml: Any, _registry: Any, _name: str, _origin: str, _say: Any) -> Any:
        return SimpleNamespace(share=lambda *asked: self.shared.append(asked))


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Azure:
    made = Azure()
    monkeypatch.setattr(command, "PulumiStack", made.stack)
    monkeypatch.setattr(promoter, "registry_client", made.registry_client)
    monkeypatch.setattr(registry, "registry_client", made.registry_client)
    monkeypatch.setattr(promoter, "client", lambda _outputs: None)
    monkeypatch.setattr(promoter, "RegistrySharing", made.sharing)
    return made


def run(*arguments: str, source: str = "dev", target: str = "staging") -> tuple[int, str]:
    done = CliRunner().invoke(cli.main, ["promote", "--from", source, "--to", target, *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_a_version_that_the_registry_has_from_the_stack_is_written_and_what_comes_next_is_said(azure: Azure) -> None:
    azure.versions["delays", "3"] = {ORIGIN_TAG: DEV}
    code, output = run()
    assert code == 0
    assert azure.written == {"flights": SHARED}
    assert output.splitlines() == [
        "  registry mlops has model delays:3 from stack dev",
        "Promoted delays version 3 of registry mlops to endpoint flights in Pulumi.staging.yaml",
        "Roll it out with: pulumi up --stack staging",
    ]


@pytest.mark.parametrize(
    "written",
    [
        {"name": "delays", "version": 3, "registry": "mlops"},
        "azureml://registries/mlops/models/delays/versions/3",
    ],
)
def test_what_is_already_there_is_said_and_not_written_again(written: Any, azure: Azure) -> None:
    azure.versions["delays", "3"] = {ORIGIN_TAG: DEV}
    azure.config["azureml-platform:models"] = {"flights": written}
    code, output = run()
    assert (code, azure.written) == (0, {})
    last = output.splitlines()[-1]
    assert last == "Endpoint flights: Pulumi.staging.yaml already has delays version 3 of registry mlops"


def test_a_version_of_the_workspace_alone_is_refused_with_the_command_that_shares_it(azure: Azure) -> None:
    code, output = run()
    assert (code, azure.written) == (1, {})
    assert output == (
        "Error: model delays:3 is in the workspace of stack 'dev' only, not in registry 'mlops'\n"
        "  fix: release share --stack dev model delays 3 --registry mlops, or add --share to this command\n"
    )


def test_a_version_of_that_name_from_elsewhere_is_not_taken_for_it(azure: Azure) -> None:
    azure.versions["delays", "3"] = {ORIGIN_TAG: DEV.replace("dev", "other")}
    code, output = run()
    assert (code, azure.written) == (1, {})
    assert "registry 'mlops' has a model delays:3 that does not come from stack 'dev'" in output


def test_share_copies_it_first(azure: Azure) -> None:
    assert run("--share")[0] == 0
    assert azure.shared == [("model", "delays", "3")]
    assert azure.written == {"flights": SHARED}


def test_only_share_asks_for_the_sign_in_of_the_first_stack_which_may_be_in_another_tenant(azure: Azure) -> None:
    azure.versions["delays", "3"] = {ORIGIN_TAG: DEV}
    run()
    assert azure.opened == {"dev": {"asks_azure": False}, "staging": {"create": True, "asks_azure": False}}
    run("--share")
    assert azure.opened["dev"] == {"asks_azure": True}


def test_a_registrys_version_goes_on_as_it_is(azure: Azure) -> None:
    azure.models["flights"] = SHARED
    code, output = run("--share")
    assert (code, "registry 'mlops' has no model delays version 3" in output) == (1, True)
    azure.versions["delays", "3"] = {}
    assert run("--share")[0] == 0
    assert (azure.written, azure.shared) == ({"flights": SHARED}, [])


@pytest.mark.parametrize(
    ("model", "sharing", "reason", "registry"),
    [
        (WORKSPACE_MODEL, {}, "the workspace of stack 'dev', and stack 'staging' uses no registry", "<registry>"),
        (SHARED, {}, "registry 'mlops', and stack 'staging' uses no registry", "mlops"),
        (SHARED, {"registry": "other"}, "registry 'mlops', and stack 'staging' uses registry 'other'", "mlops"),
    ],
)
def test_a_stack_without_the_registry_is_told_how_to_get_it(
    model: ModelOutput, sharing: dict[str, str], reason: str, registry: str, azure: Azure
) -> None:
    azure.models["flights"] = model
    azure.config = {"azureml-platform:sharing": sharing}
    code, output = run()
    assert (code, azure.written) == (1, {})
    assert f"stack 'staging' cannot read delays version 3: it is in {reason}" in output
    assert f"fix: pulumi config set --path 'azureml-platform:sharing.registry' {registry} -s staging" in output


def test_a_registry_that_may_not_be_read_is_refused_with_azures_reason(azure: Azure) -> None:
    azure.denied = True
    code, output = run()
    assert (code, azure.written) == (1, {})
    assert (
        "registry 'mlops' does not let you read model delays version 3: (Forbidden) No role.\n  fix: sign in" in output
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--endpoint", "nowhere"], "stack 'dev' has no endpoint 'nowhere'; it has: flights, nightly"),
        (["--endpoint", "nightly"], "endpoint 'nightly' of stack 'dev' has no promoted model\n  fix: release train"),
    ],
)
def test_an_endpoint_without_a_promoted_model_is_refused(arguments: list[str], message: str, azure: Azure) -> None:
    code, output = run(*arguments)
    assert (code, message in output) == (1, True)


def test_a_stack_that_serves_nothing_has_nothing_to_promote(azure: Azure) -> None:
    azure.models.clear()
    code, output = run()
    assert (code, "stack 'dev' has no promoted model" in output) == (1, True)


def test_an_endpoint_that_the_target_leaves_out_is_skipped_or_refused_by_name(azure: Azure) -> None:
    azure.config["azureml-platform:overrides"] = {"endpoints": {"flights": {"exclude": True}}}
    code, output = run()
    assert (code, output) == (0, "  endpoint flights: left out of stack staging\n")
    code, output = run("--endpoint", "flights")
    assert (code, "stack 'staging' leaves endpoint 'flights' out\n  fix: pulumi config rm" in output) == (1, True)
    assert azure.written == {}


def test_nothing_is_written_if_one_of_several_models_cannot_be_read(azure: Azure) -> None:
    azure.models["nightly"] = ModelOutput(name="delays", version="4")
    azure.versions["delays", "3"] = {ORIGIN_TAG: DEV}
    assert run()[0] == 1
    assert azure.written == {}


def test_a_stack_is_not_promoted_to_itself(azure: Azure) -> None:
    code, output = run(target="dev")
    assert (code, "name the same stack" in output) == (1, True)


def test_an_error_of_sharing_is_the_commands(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise ReleaseError("the workspace has no version 3 of model 'delays'")

    monkeypatch.setattr(promoter, "RegistrySharing", lambda *_: SimpleNamespace(share=refuse))
    code, output = run("--share")
    assert (code, "the workspace has no version 3" in output, azure.written) == (1, True, {})
