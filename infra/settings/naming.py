"""The settings of names: the keys below `azureml-platform:naming`."""

from pydantic import Field

from infra.settings.group import Group, NumericText


class NamingSettings(Group):
    """The parts of every resource name: `<kind>-<namespace>-<workspace>-<stack>-<postfix>`."""

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
        description="Makes the names of storage accounts, key vaults and container registries unique across Azure. "
        "Change it if a soft-deleted resource holds a name. 1-6 lower-case letters or digits.",
        examples=["001"],
    )
