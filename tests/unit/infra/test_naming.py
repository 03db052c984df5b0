import dataclasses
import itertools
import json
import re

import pytest

from infra import naming
from infra.settings.configuration import ConfigurationError, parse
from infra.settings.naming import NamingSettings
from tests.unit.infra.stack_files import filled_in

# Shortest, longest and form, from Microsoft's "Naming rules and restrictions for Azure resources".
AZURE = {
    "resource_group": r"[\w.()-]{0,89}[\w()-]",
    "log_analytics": r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "application_insights": r"[^%&\\?/]{1,255}",
    "storage_account": r"[a-z0-9]{3,24}",
    "key_vault": r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    "container_registry": r"[A-Za-z0-9]{5,50}",
    "workspace": r"[A-Za-z0-9][A-Za-z0-9_-]{2,32}",
    "workspace_identity": r"[A-Za-z0-9][\w-]{2,127}",
    "cluster_identity": r"[A-Za-z0-9][\w-]{2,127}",
    "endpoint_identity": r"[A-Za-z0-9][\w-]{2,127}",
    "ci_identity": r"[A-Za-z0-9][\w-]{2,127}",
    "action_group": r"[^:<>+/&%\\?|]{1,260}",
    "system_topic": r"[A-Za-z0-9-]{3,50}",
    "retraining_workflow": r"[\w().-]{1,43}",
}
NAMESPACES = ("ab", "mlops", "a1b2c3d4e5f6")
WORKSPACES = ("ws", "flights", "abcdefghijkl")
POSTFIXES = ("1", "001", "abc123")
STACKS = ("local", "dev", "prod", "a", "Dev", "pull-request-7", "feature_x", "prod.eu")
COMBINATIONS = list(itertools.product(NAMESPACES, WORKSPACES, POSTFIXES, STACKS))


def parts(namespace: str = "mlops", workspace: str = "flights", postfix: str = "001") -> NamingSettings:
    return NamingSettings(namespace=namespace, workspace=workspace, postfix=postfix)


def accepted(combination: tuple[str, str, str, str]) -> bool:
    *given, stack = combination
    try:
        naming.names(parts(*given), stack)
    except ConfigurationError:
        return False
    return True


ACCEPTED = [combination for combination in COMBINATIONS if accepted(combination)]
REFUSED = [combination for combination in COMBINATIONS if combination not in ACCEPTED]


@pytest.mark.parametrize(("namespace", "workspace", "postfix", "stack"), ACCEPTED)
def test_accepted_names_keep_azures_rules(namespace: str, workspace: str, postfix: str, stack: str) -> None:
    given = parts(namespace, workspace, postfix)
    names = naming.names(given, stack)
    for kind, name in dataclasses.asdict(names).items():
        assert re.fullmatch(AZURE[kind], name), f"{kind}: {name}"
    assert naming.names(given, stack) == names


@pytest.mark.parametrize(("namespace", "workspace", "postfix", "stack"), REFUSED)
def test_only_names_that_would_break_a_rule_are_refused(
    namespace: str, workspace: str, postfix: str, stack: str
) -> None:
    longest = f"st{namespace}{workspace}{stack}{postfix}"
    assert len(longest) > 24 or not re.fullmatch(r"[A-Za-z0-9]+", stack)


def test_usual_names_are_accepted() -> None:
    assert {("mlops", "flights", "001", stack) for stack in ("local", "dev", "prod", "Dev")} <= set(ACCEPTED)


def test_every_kind_of_name_has_a_rule() -> None:
    assert set(AZURE) == {field.name for field in dataclasses.fields(naming.Names)}


@pytest.mark.parametrize("changed", [{"namespace": "other"}, {"workspace": "other"}, {"postfix": "002"}])
def test_every_part_makes_every_name_another_one(changed: dict[str, str]) -> None:
    before, after = naming.names(parts(), "dev"), naming.names(parts(**changed), "dev")
    assert not set(dataclasses.astuple(before)) & set(dataclasses.astuple(after))


def test_two_stacks_share_no_name() -> None:
    dev, prod = naming.names(parts(), "dev"), naming.names(parts(), "prod")
    assert not set(dataclasses.astuple(dev)) & set(dataclasses.astuple(prod))


def test_a_name_that_is_too_long_says_how_long_and_what_to_shorten() -> None:
    with pytest.raises(ConfigurationError) as error:
        naming.names(parts("abcdefghijkl", "abcdefghijkl"), "prod")
    message = str(error.value)
    assert "storage account stabcdefghijklabcdefghijklprod001 has 33 characters; Azure allows 3-24" in message
    assert "key vault kvabcdefghijklabcdefghijklprod001 has 33 characters" in message
    assert "shorten or change azureml-platform:naming.namespace, naming.workspace or naming.postfix in Pul" in message


@pytest.mark.parametrize(("namespace", "workspace"), [("microsoft", "flights"), ("mlops", "windows")])
def test_a_word_that_azure_reserves_is_refused(namespace: str, workspace: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"workspace mlw-.* contains (microsoft|windows), which Azure"
    ) as error:
        naming.names(parts(namespace, workspace), "dev")
    assert "change azureml-platform:naming.namespace" in str(error.value)


def endpoint(key: str, stack: str, **changed: str) -> str:
    return naming.endpoint(parts(**changed), stack, key)


def test_an_endpoint_has_its_name_the_stack_and_a_hash() -> None:
    """The hash is a contract: with another one, every endpoint would be replaced."""
    assert endpoint("flight-delay", "dev") == "flight-delay-dev-wr53n"
    assert endpoint("flight-delay-batch", "staging") == "flight-delay-batch-staging-flja7"


def test_endpoints_of_two_stacks_or_platforms_in_a_region_share_no_name() -> None:
    changes = [{}, {"namespace": "other"}, {"workspace": "other"}, {"postfix": "002"}]
    names = {endpoint("flight-delay", stack, **change) for stack in ("dev", "prod") for change in changes}
    assert len(names) == 8


@pytest.mark.parametrize(("namespace", "workspace", "postfix", "stack"), ACCEPTED)
def test_accepted_parts_give_endpoints_a_valid_name(namespace: str, workspace: str, postfix: str, stack: str) -> None:
    """The rule of "Manage and increase quotas and limits for resources with Azure Machine Learning"."""
    name = naming.endpoint(parts(namespace, workspace, postfix), stack, "delays")
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{1,30}[A-Za-z0-9]", name)


def test_a_stack_that_was_renamed_keeps_its_names_tags_and_assets() -> None:
    """`pulumi stack rename dev trial`, and then `naming.stack: dev`."""
    kept = NamingSettings(namespace="mlops", workspace="flights", postfix="001", stack="dev")
    assert naming.names(kept, "trial") == naming.names(parts(), "dev")
    assert naming.endpoint(kept, "trial", "delays") == naming.endpoint(parts(), "dev", "delays")
    assert naming.tags(kept, "trial", {}) == naming.tags(parts(), "dev", {})
    settings = {"namespace": "mlops", "workspace": "flights", "postfix": "001", "stack": "dev"}
    values = filled_in("dev") | {"azureml-platform:naming": json.dumps(settings)}
    assert parse(values, "trial").owner == parse(filled_in("dev"), "dev").owner == "azureml-platform/dev"


def test_an_endpoint_that_exists_already_keeps_its_name() -> None:
    kept = NamingSettings(namespace="a1", workspace="b1", postfix="1", endpoints={"delays": "flight-delay"})
    assert naming.endpoint(kept, "dev", "delays") == "flight-delay"
    assert naming.endpoint(kept, "dev", "others").startswith("others-dev-")


def test_the_projects_own_tags_say_where_a_resource_comes_from() -> None:
    assert naming.tags(parts(), "dev", {"cost-centre": "ml"}) == {
        "managed-by": "pulumi",
        "project": "azureml-platform",
        "namespace": "mlops",
        "workspace": "flights",
        "stack": "dev",
        "cost-centre": "ml",
    }
