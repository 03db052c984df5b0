"""The roles that the platform assigns: Azure's built-in ones, and a custom one for continuous integration (CI)."""

import uuid
from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """The built-in roles that the platform uses. Their GUIDs are the same in every tenant."""

    OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
    STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    STORAGE_BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    STORAGE_TABLE_DATA_CONTRIBUTOR = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"
    STORAGE_QUEUE_DATA_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
    STORAGE_QUEUE_DATA_MESSAGE_PROCESSOR = "8a0f0c08-91a1-4084-bc3d-661d67233fed"
    STORAGE_QUEUE_DATA_MESSAGE_SENDER = "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a"
    KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
    MANAGED_IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
    AZUREML_METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
    AZUREML_REGISTRY_USER = "1823dd4f-9b8c-4ab6-ab4e-7397a3684615"
    NETWORK_CONNECTION_APPROVER = "b556d68e-0be0-4f35-a333-ad7ee1ce17ea"

    @property
    def slug(self) -> str:
        """The role as part of a resource's name, such as `acr-pull`."""
        return self.name.lower().replace("_", "-")

    @property
    def title(self) -> str:
        """The role's name in Azure, such as `AcrPull`."""
        return _TITLES.get(self, self.name.replace("_", " ").title())


_TITLES = {
    Role.ACR_PULL: "AcrPull",
    Role.ACR_PUSH: "AcrPush",
    Role.AZUREML_METRICS_WRITER: "AzureML Metrics Writer (preview)",
    Role.AZUREML_REGISTRY_USER: "AzureML Registry User",
    Role.NETWORK_CONNECTION_APPROVER: "Azure AI Enterprise Network Connection Approver",
}


@dataclass(frozen=True, kw_only=True)
class CustomRole:
    """A role that Azure does not have: what it allows, except what it excludes."""

    slug: str
    title: str
    description: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def guid(self, scope: str) -> str:
        """Return the role's GUID at a scope (a resource id). It differs between scopes and never changes."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{self.slug}"))


_ML = "Microsoft.MachineLearningServices/workspaces"
CI_ROLE = CustomRole(
    slug="asset-deployer",
    title="Azure ML asset deployer",
    description="Reads everything, and deploys what runs in the workspace. Changes neither the workspace itself, nor "
    "an identity, nor a role.",
    actions=(
        "*/read",
        f"{_ML}/*",
        "Microsoft.Insights/autoscaleSettings/*",
        "Microsoft.Insights/metricAlerts/*",
    ),
    # Azure refuses a role with an action that it does not have (InvalidActionOrNotAction). Its list has none for the
    # outbound rules of a managed network.
    not_actions=(
        f"{_ML}/write",
        f"{_ML}/delete",
        f"{_ML}/listKeys/action",
        f"{_ML}/listStorageAccountKeys/action",
        f"{_ML}/connections/listsecrets/action",
        f"{_ML}/privateEndpointConnections/write",
        f"{_ML}/privateEndpointConnections/delete",
    ),
)
RETRAIN_ROLE = CustomRole(
    slug="retrainer",
    title="Azure ML retrainer",
    description="Reads the workspace and submits jobs. A job acts for its submitter, so it may also write runs, their "
    "artifacts and models. Changes no endpoint, schedule, datastore or compute.",
    actions=(
        f"{_ML}/read",
        f"{_ML}/*/read",
        f"{_ML}/jobs/write",
        f"{_ML}/experiments/*",
        f"{_ML}/metadata/*",
        f"{_ML}/models/*",
        f"{_ML}/environments/build/action",
        f"{_ML}/environments/readSecrets/action",
    ),
)
