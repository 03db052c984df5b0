import dataclasses
import itertools
import re

import pytest

from infra import naming
from infra.settings.configuration import ConfigurationError
from infra.settings.naming import NamingSettings

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
    assert (
        "shorten azureml-platform:naming.namespace, naming.workspace or naming.postfix in Pulumi.prod.yaml" in message
    )


def test_the_projects_own_tags_say_where_a_resource_comes_from() -> None:
    assert naming.tags(parts(), "dev", {"cost-centre": "ml"}) == {
        "managed-by": "pulumi",
        "project": "azureml-platform",
        "namespace": "mlops",
        "workspace": "flights",
        "stack": "dev",
        "cost-centre": "ml",
    }
