"""The settings of names: the keys below `azureml-platform:naming`."""

from pydantic import Field

from infra.settings.group import Group, NumericText


class NamingSettings(Group):
    """The parts of every name. `<kind>-<namespace>-<workspace>-<stack>-<postfix>`, as infra/naming.py says."""

    namespace: str = Field(
        pattern=r"^[a-z][a-z0-9]{1,11}$",
        description="Short name of the team or product, the first part of every name. "
        "2-12 lower-case letters or digits.",
        examples=["mlops"],
    )
    workspace: str = Field(
        pattern=r"^[a-z][a-z0-9]{1,11}$",
        description="Short name of the machine learning workspace. 2-12 lower-case letters or digits.",
        examples=["flights"],
    )
    postfix: NumericText = Field(
        pattern=r"^[a-z0-9]{1,6}$",
        description="Makes names unique across Azure: storage accounts, key vaults and container registries share one "
        "name space with everyone. Change it too when a soft-deleted twin holds a name. 1-6 lower-case letters or "
        "digits.",
        examples=["001"],
    )
