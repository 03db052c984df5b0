"""The settings of names: the keys below `azureml-platform:naming`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from infra.settings.group import Group, NumericText
from pulumi_azureml.planning import ENDPOINT_NAME, ENDPOINT_NAME_RULE


def _endpoint_name(value: str) -> str:
    if not ENDPOINT_NAME.fullmatch(value):
        raise ValueError(f"is not a valid endpoint name; {ENDPOINT_NAME_RULE}")
    return value


class NamingSettings(Group):
    """The names of all resources.

    A resource that the stack has once is called `<kind>-<namespace>-<workspace>-<stack>-<postfix>`, such as
    `mlw-mlops-flights-dev-001`. Storage accounts, key vaults and container registries omit the hyphens. An endpoint
    is called `<name>-<stack>-<hash>`, such as `flight-delay-dev-wr53n`: its name in the YAML, the stack, and a hash
    of the four parts, because endpoint names are unique in an Azure region. Files, settings and commands use the name
    in the YAML. The stack output `endpoints` has the name in Azure. If one of these parts changes, all resources get
    new names, and the update replaces them with empty ones. `stack` and `endpoints` keep earlier names.
    """

    namespace: str = Field(
        pattern=r"^[a-z][a-z0-9]{1,11}$",
        description="Short name of the team or product. 2-12 lower-case letters or digits.",
        examples=["mlops"],
    )
    workspace: str = Field(
        pattern=r"^[a-z][a-z0-9]{1,11}$",
        description="Short name of the machine learning workspace. 2-12 lower-case letters or digits.",
        examples=["flights"],
    )
    postfix: NumericText = Field(
        pattern=r"^[a-z0-9]{1,6}$",
        description="Makes the names of storage accounts, key vaults and container registries unique across Azure, and "
        "those of endpoints in the region. Change it before the first update if a name is taken or a soft-deleted "
        "resource holds it. 1-6 lower-case letters or digits.",
        examples=["001"],
    )
    stack: NumericText | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9]+$",
        description="The stack in all names and in the owner tag of assets. If absent, the stack's own name. Set it to "
        "the earlier name before you rename a stack.",
        examples=["dev"],
    )
    endpoints: dict[str, Annotated[str, AfterValidator(_endpoint_name)]] = Field(
        default_factory=dict,
        description="Names of endpoints in Azure, by their names in the YAML. An endpoint without an entry gets its "
        "name by the rule. Use it to keep the names of endpoints that exist already.",
    )
