"""Who may do what in the example, and why. The README shows this table.

The pages are Microsoft's, below https://learn.microsoft.com/azure/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from cluster.settings import PipelineAccess

_AKS = "aks/use-managed-identity"
_REGISTRY = "aks/cluster-container-registry-integration"
_ATTACH = "machine-learning/how-to-attach-kubernetes-to-workspace"
_ML = "machine-learning/how-to-assign-roles"
_BLOBS = "storage/blobs/assign-azure-role-data-access"
_IDENTITIES = "role-based-access-control/built-in-roles/identity"
_PRIVILEGED = "role-based-access-control/built-in-roles/privileged"


class Who(Enum):
    """An identity. The values are parts of resource names."""

    PLANE = "control-plane"
    NODES = "nodes"
    WORKSPACE = "workspace"
    PIPELINE = "pipeline"


class Scope(Enum):
    """The resource that a role is assigned on. The values are parts of resource names."""

    GROUP = "group"
    NODES_IDENTITY = "nodes-identity"
    ENDPOINT_IDENTITY = "endpoint-identity"
    REGISTRY = "registry"
    CLUSTER = "cluster"
    WORKSPACE = "workspace"
    STORAGE = "storage"


class Role(Enum):
    """Azure's built-in roles. Their GUIDs are the same in every tenant."""

    CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    AKS_CLUSTER_ADMIN = "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8"
    AZUREML_DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
    KUBERNETES_EXTENSION_CONTRIBUTOR = "85cb6faf-e071-4c9b-8136-154b5a04f717"
    MANAGED_IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
    STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"

    @property
    def slug(self) -> str:
        """The role as part of a resource's name."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class Grant:
    """A role of an identity at a scope: the reason, Microsoft's page, and the pipeline's access that it belongs to."""

    who: Who
    scope: Scope
    role: Role
    reason: str
    page: str
    access: PipelineAccess | None = None


_LEAST, _MOST = PipelineAccess.LEAST_PRIVILEGE, PipelineAccess.CONTRIBUTOR
GRANTS: tuple[Grant, ...] = (
    Grant(Who.PLANE, Scope.NODES_IDENTITY, Role.MANAGED_IDENTITY_OPERATOR, "give the nodes their identity", _AKS),
    Grant(Who.NODES, Scope.REGISTRY, Role.ACR_PULL, "pull the images of the steps (`--attach-acr`)", _REGISTRY),
    Grant(Who.WORKSPACE, Scope.CLUSTER, Role.READER, "find the attached cluster", _ATTACH),
    Grant(
        Who.WORKSPACE,
        Scope.CLUSTER,
        Role.KUBERNETES_EXTENSION_CONTRIBUTOR,
        "find the machine learning extension; without it, the cluster cannot be attached",
        _ATTACH,
    ),
    Grant(Who.WORKSPACE, Scope.CLUSTER, Role.AKS_CLUSTER_ADMIN, "submit jobs and endpoints to the cluster", _ATTACH),
    Grant(
        Who.PIPELINE,
        Scope.WORKSPACE,
        Role.AZUREML_DATA_SCIENTIST,
        "register the model, and create the endpoint and its deployment",
        _ML,
        _LEAST,
    ),
    Grant(
        Who.PIPELINE,
        Scope.STORAGE,
        Role.STORAGE_BLOB_DATA_CONTRIBUTOR,
        "upload the model's files; Contributor does not allow it",
        _BLOBS,
    ),
    Grant(
        Who.PIPELINE,
        Scope.ENDPOINT_IDENTITY,
        Role.MANAGED_IDENTITY_OPERATOR,
        "create an endpoint that has this identity",
        _IDENTITIES,
        _LEAST,
    ),
    Grant(Who.PIPELINE, Scope.GROUP, Role.CONTRIBUTOR, "everything in the group, except roles", _PRIVILEGED, _MOST),
)


def grants(who: Who, access: PipelineAccess) -> Iterator[Grant]:
    """Yield the grants of an identity in a stack whose pipeline has an access."""
    yield from (grant for grant in GRANTS if grant.who is who and grant.access in (None, access))
