"""The settings of assets: the keys below `azureml-platform:assets` and `azureml-platform:models`."""

from pydantic import Field

from infra.settings.group import Group, NumericText


class AssetsSettings(Group):
    """How the stack takes over, keeps, runs and waits for what is in the workspace."""

    adopt: bool = Field(
        default=False,
        description="Whether an asset, schedule or endpoint that exists under a planned name and was not made by this "
        "stack is taken over. If false, `pulumi up` refuses it.",
    )
    retain: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="How many versions of an environment, data asset, component or model stay listed. When a new one "
        "is made, older ones of this stack are archived, which can be undone and hurts nothing that uses them. 0 "
        "archives none.",
    )
    datastores: list[str] = Field(
        default_factory=list,
        max_length=500,
        description="Datastores that the workspace has and no `datastore.yml` defines, beside its own such as "
        "`workspaceblobstore`. Paths may name these; any other name is taken for a mistake.",
        examples=["lake"],
    )
    run: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Pipelines of `pipelines/` that `pulumi up` runs and waits for, each when what it runs changed. "
        "Others are run by schedules and `release train`.",
        examples=["training"],
    )
    run_timeout_minutes: int = Field(
        default=1440,
        ge=1,
        le=43200,
        description="Minutes that `pulumi up` waits for such a job. It goes on after that; the next one waits again.",
    )
    operation_minutes: int = Field(
        default=60,
        ge=1,
        le=1440,
        description="How long an operation of Azure's, such as the creation of a deployment, is waited for. Azure goes "
        "on with one that takes longer, and the next `pulumi up` resumes it.",
    )

    @property
    def runs(self) -> dict[str, int]:
        """Pipelines that an update runs, and how many minutes it waits for each."""
        return dict.fromkeys(self.run, self.run_timeout_minutes)


class ModelSettings(Group):
    """The promoted model of an endpoint. The release writes it here once the gate accepts a version."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$", description="Name of the registered model.")
    version: NumericText = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,29}$", description="Version of the registered model.", examples=["7"]
    )
