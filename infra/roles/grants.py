"""Who may do what, and why: every role that the platform assigns, at the narrowest scope that works.

`docs/access.md` shows this table. The pages are Microsoft's, below https://learn.microsoft.com/azure/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from infra.roles.definitions import CI_ROLE, RETRAIN_ROLE, CustomRole, Role

_SERVICES = "machine-learning/how-to-identity-based-service-authentication"
_KEYLESS = "machine-learning/how-to-disable-local-auth-storage"
_NETWORK = "machine-learning/how-to-managed-network"
_ENDPOINTS = "machine-learning/concept-endpoints-online-auth"
_COLLECTION = "machine-learning/how-to-collect-production-data"
_REGISTRIES = "machine-learning/how-to-assign-roles"
_EVENTS = "event-grid/managed-service-identity"
_QUEUES = "storage/queues/assign-azure-role-data-access"
_BLOBS = "storage/blobs/assign-azure-role-data-access"
_IMAGES = "container-registry/container-registry-rbac-built-in-roles-overview"
_IDENTITIES = "role-based-access-control/built-in-roles/identity"
_PRIVILEGED = "role-based-access-control/built-in-roles/privileged"
_GENERAL = "role-based-access-control/built-in-roles/general"
_CUSTOM = "role-based-access-control/custom-roles"


class Who(Enum):
    """An identity of the platform, or people."""

    WORKSPACE = "workspace identity"
    CLUSTER = "cluster identity"
    ENDPOINT = "endpoint identity"
    CI = "CI identity"
    EVENTS = "system topic's identity"
    RETRAINING = "retraining workflow's identity"
    OWNERS = "groups in `access.owners`"
    CONTRIBUTORS = "groups in `access.contributors`"
    READERS = "groups in `access.readers`"
    DEPLOYER = "who runs `pulumi up`"

    @property
    def slug(self) -> str:
        """The identity as part of a resource's name."""
        return self.name.lower()


class Scope(Enum):
    """The resource that a role is assigned on. The values are parts of resource names."""

    GROUP = "group"
    STORAGE = "storage"
    COLLECTED_DATA = "collected-data"
    VAULT = "vault"
    REGISTRY = "registry"
    INSIGHTS = "insights"
    WORKSPACE = "workspace"
    QUEUE = "queue"
    CLUSTER_IDENTITY = "cluster-identity"
    ENDPOINT_IDENTITY = "endpoint-identity"
    SHARED_REGISTRY = "shared-registry"


class When(Enum):
    """The settings under which a role is assigned."""

    ALWAYS = "always"
    MANAGED_NETWORK = "`network.isolation` is not `Disabled`"
    NO_STORAGE_KEYS = "`storage.sharedKeyAccess` is false"
    IMAGES_ON_CLUSTER = "the cluster builds images, because the network is restricted"
    DEPLOYER = "`access.deployer` is true"
    SHARING = "`sharing.registry` is set, and the stack knows its resource group"
    EVENTS = "something reacts to drift: `monitoring.retrain`, or a receiver of alerts"
    RETRAINING = "`monitoring.retrain` is set"


@dataclass(frozen=True)
class Grant:
    """A role of somebody at a scope: the reason, Microsoft's page, and when it is assigned."""

    who: Who
    scope: Scope
    role: Role | CustomRole
    reason: str
    page: str
    when: When = When.ALWAYS

    @property
    def guid(self) -> str:
        """The GUID of a built-in role."""
        if isinstance(self.role, CustomRole):
            raise TypeError(f"the GUID of {self.role.title} depends on its scope")
        return self.role.value


def _people(who: Who, role: Role, page: str) -> Iterator[Grant]:
    yield Grant(who, Scope.GROUP, role, "work on the platform", page)
    if who is not Who.READERS:
        yield from _data(who)


def _data(who: Who, when: When = When.ALWAYS) -> Iterator[Grant]:
    yield Grant(
        who,
        Scope.STORAGE,
        Role.STORAGE_BLOB_DATA_CONTRIBUTOR,
        "upload code and data: neither Owner nor Contributor allows it",
        _BLOBS,
        when,
    )
    yield Grant(who, Scope.REGISTRY, Role.ACR_PUSH, "push the images of environments", _IMAGES, when)


GRANTS: tuple[Grant, ...] = (
    Grant(Who.WORKSPACE, Scope.WORKSPACE, Role.CONTRIBUTOR, "manage what is in the workspace", _SERVICES),
    Grant(Who.WORKSPACE, Scope.STORAGE, Role.CONTRIBUTOR, "make the containers of the default datastores", _SERVICES),
    Grant(Who.WORKSPACE, Scope.STORAGE, Role.STORAGE_BLOB_DATA_CONTRIBUTOR, "preview data in the studio", _SERVICES),
    Grant(Who.WORKSPACE, Scope.VAULT, Role.CONTRIBUTOR, "find the key vault", _SERVICES),
    Grant(Who.WORKSPACE, Scope.VAULT, Role.KEY_VAULT_ADMINISTRATOR, "keep the secrets of connections", _SERVICES),
    Grant(Who.WORKSPACE, Scope.REGISTRY, Role.CONTRIBUTOR, "build and pull images", _SERVICES),
    Grant(Who.WORKSPACE, Scope.INSIGHTS, Role.CONTRIBUTOR, "send telemetry of endpoints", _SERVICES),
    Grant(
        Who.WORKSPACE,
        Scope.GROUP,
        Role.NETWORK_CONNECTION_APPROVER,
        "approve the managed network's private endpoints, also to the workspace itself, which does not exist yet when "
        "its network is made",
        _NETWORK,
        When.MANAGED_NETWORK,
    ),
    Grant(
        Who.CLUSTER,
        Scope.STORAGE,
        Role.STORAGE_BLOB_DATA_CONTRIBUTOR,
        "read inputs and write outputs of jobs",
        _KEYLESS,
    ),
    Grant(
        Who.CLUSTER,
        Scope.STORAGE,
        Role.STORAGE_TABLE_DATA_CONTRIBUTOR,
        "run parallel steps and batch deployments of models, which keep their progress in a table",
        _KEYLESS,
        When.NO_STORAGE_KEYS,
    ),
    Grant(
        Who.CLUSTER,
        Scope.STORAGE,
        Role.STORAGE_QUEUE_DATA_CONTRIBUTOR,
        "run parallel steps and batch deployments of models, which hand out work in a queue",
        _KEYLESS,
        When.NO_STORAGE_KEYS,
    ),
    Grant(Who.CLUSTER, Scope.REGISTRY, Role.ACR_PULL, "pull the images of jobs", _SERVICES),
    Grant(
        Who.CLUSTER, Scope.REGISTRY, Role.ACR_PUSH, "push the images that it builds", _NETWORK, When.IMAGES_ON_CLUSTER
    ),
    Grant(Who.ENDPOINT, Scope.STORAGE, Role.STORAGE_BLOB_DATA_READER, "read models and code", _ENDPOINTS),
    Grant(
        Who.ENDPOINT,
        Scope.COLLECTED_DATA,
        Role.STORAGE_BLOB_DATA_CONTRIBUTOR,
        "write the data that deployments collect",
        _COLLECTION,
    ),
    Grant(Who.ENDPOINT, Scope.REGISTRY, Role.ACR_PULL, "pull the images of deployments", _ENDPOINTS),
    Grant(Who.ENDPOINT, Scope.WORKSPACE, Role.AZUREML_METRICS_WRITER, "write metrics to the workspace", _ENDPOINTS),
    Grant(Who.CI, Scope.GROUP, CI_ROLE, "deploy assets, jobs, schedules and endpoints", _CUSTOM),
    *_data(Who.CI),
    Grant(Who.CI, Scope.CLUSTER_IDENTITY, Role.MANAGED_IDENTITY_OPERATOR, "resize a cluster that has it", _IDENTITIES),
    Grant(
        Who.CI, Scope.ENDPOINT_IDENTITY, Role.MANAGED_IDENTITY_OPERATOR, "create an endpoint that has it", _IDENTITIES
    ),
    *(
        Grant(
            who,
            Scope.SHARED_REGISTRY,
            Role.AZUREML_REGISTRY_USER,
            "use shared assets",
            _REGISTRIES,
            When.SHARING,
        )
        for who in (Who.WORKSPACE, Who.CLUSTER, Who.ENDPOINT, Who.CI)
    ),
    Grant(
        Who.EVENTS,
        Scope.QUEUE,
        Role.STORAGE_QUEUE_DATA_MESSAGE_SENDER,
        "put the events of drift into the queue",
        _EVENTS,
        When.EVENTS,
    ),
    Grant(
        Who.RETRAINING,
        Scope.QUEUE,
        Role.STORAGE_QUEUE_DATA_MESSAGE_PROCESSOR,
        "take the events of drift from the queue",
        _QUEUES,
        When.RETRAINING,
    ),
    Grant(
        Who.RETRAINING,
        Scope.WORKSPACE,
        RETRAIN_ROLE,
        "start the training, which acts for the identity that submits it",
        _REGISTRIES,
        When.RETRAINING,
    ),
    *_people(Who.OWNERS, Role.OWNER, _PRIVILEGED),
    *_people(Who.CONTRIBUTORS, Role.CONTRIBUTOR, _PRIVILEGED),
    *_people(Who.READERS, Role.READER, _GENERAL),
    *_data(Who.DEPLOYER, When.DEPLOYER),
)


def grant_of(who: Who, scope: Scope) -> Grant:
    """Return the only grant of an identity at a scope."""
    (only,) = (grant for grant in GRANTS if grant.who is who and grant.scope is scope)
    return only


def grants(who: Who, *, conditions: frozenset[When]) -> list[Grant]:
    """Return the grants of an identity or group in a stack that meets some conditions."""
    return [grant for grant in GRANTS if grant.who is who and grant.when in {When.ALWAYS, *conditions}]
