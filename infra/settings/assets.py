"""The settings of assets: the keys below `azureml-platform:assets` and `azureml-platform:models`."""

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from infra import NAMESPACE
from infra.settings.group import Group, NumericText
from infra.settings.sharing import REGISTRY_NAME
from pulumi_azureml import ConfigKeys

# The keys that the messages of pulumi_azureml use for its options.
CONFIG_KEYS = ConfigKeys(
    adopt=f"{NAMESPACE}:assets.adopt",
    deployer=f"{NAMESPACE}:access.deployer",
    operation_minutes=f"{NAMESPACE}:assets.operationMinutes",
    timeout_minutes=f"{NAMESPACE}:assets.runTimeoutMinutes",
    registry=f"{NAMESPACE}:sharing.registry",
    datastores=f"{NAMESPACE}:assets.datastores",
    files=f"{NAMESPACE}:assets.files",
    endpoint_names=f"{NAMESPACE}:naming.endpoints",
    overrides=f"{NAMESPACE}:overrides",
)
_IN_REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/models/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)
_IN_WORKSPACE = re.compile(r"azureml:(?P<name>[^:@/]+):(?P<version>[^:@/]+)")
_LABEL = re.compile(r"@|/labels/")
_NO_LABEL = (
    "must name a version and not a label such as @latest, because the same configuration must always serve the same "
    "model"
)


class AssetsSettings(Group):
    """How the stack manages the assets in the workspace."""

    adopt: bool = Field(
        default=False,
        description="Take over an asset, schedule or endpoint that exists under a planned name and that this stack did "
        "not create. If false, `pulumi up` stops with an error.",
    )
    retain: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="Number of versions of an environment, data asset, component or model to keep listed. Each new "
        "version archives older ones of this stack. Archived versions still work and can be restored. 0 archives none.",
    )
    files: list[str] = Field(
        default_factory=list,
        max_length=200,
        description="More files with assets, as patterns in the syntax of `.gitignore`: `mlops/` for all YAML files "
        "below a folder, `!mlops/old/` for those to leave out again. They follow no convention: the `$schema` and the "
        "keys of a file say what it defines. `ml/` and `pipelines/` always belong to the project.",
        examples=["mlops/"],
    )
    datastores: list[str] = Field(
        default_factory=list,
        max_length=500,
        description="Existing datastores that paths may name although no `datastore.yml` defines them. The default "
        "datastores, such as `workspaceblobstore`, are always allowed. Any other name is an error.",
        examples=["lake"],
    )
    run: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Pipelines in `pipelines/` that `pulumi up` runs and waits for if their content changed. Schedules "
        "and `release train` run the other pipelines.",
        examples=["training"],
    )
    run_timeout_minutes: int = Field(
        default=1440,
        ge=1,
        le=43200,
        description="Minutes that `pulumi up` waits for such a job. The job then continues, and the next `pulumi up` "
        "waits again.",
    )
    operation_minutes: int = Field(
        default=60,
        ge=1,
        le=1440,
        description="Minutes to wait for a long-running operation in Azure, such as the creation of a deployment. "
        "A longer operation continues in Azure, and the next `pulumi up` resumes it.",
    )

    @property
    def runs(self) -> dict[str, int]:
        """The pipelines that an update runs, and the minutes that it waits for each."""
        return dict.fromkeys(self.run, self.run_timeout_minutes)


class ModelSettings(Group):
    """The promoted model of an endpoint: a version in the stack's workspace or in a registry.

    The release writes it when the gate accepts a version, and when you promote a version from another stack. You can
    also give a reference in place of the group: `azureml:NAME:VERSION`, or
    `azureml://registries/REGISTRY/models/NAME/versions/VERSION`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$", description="Name of the registered model.")
    version: NumericText = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,29}$", description="Version of the registered model.", examples=["7"]
    )
    registry: str | None = Field(
        default=None,
        pattern=REGISTRY_NAME,
        description="Registry that holds the version. It must be the registry in `sharing.registry`, because the "
        "stack's identities have a role on that one. If absent, the version is in the stack's workspace.",
        examples=["mlops-models"],
    )

    @model_validator(mode="before")
    @classmethod
    def _from_reference(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = _IN_REGISTRY.fullmatch(value) or _IN_WORKSPACE.fullmatch(value)
        if found:
            return found.groupdict()
        if _LABEL.search(value):
            raise ValueError(_NO_LABEL)
        raise ValueError(
            "must be a model version: azureml:NAME:VERSION, "
            "azureml://registries/REGISTRY/models/NAME/versions/VERSION, or a group with name and version"
        )

    @field_validator("version")
    @classmethod
    def _no_label(cls, value: str) -> str:
        if value == "latest":
            raise ValueError(_NO_LABEL)
        return value
