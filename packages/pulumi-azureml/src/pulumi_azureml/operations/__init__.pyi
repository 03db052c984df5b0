from .arm import pages, send, tail
from .connection import Registry, Workspace, blob_options, chain, connect, credential, sign_in_again, transport
from .destinations import of_azure
from .endpoint_names import endpoints_elsewhere
from .errors import AGAIN
from .federation import FederatedIdentity, federated_identity
from .jobs import (
    ENDED,
    REGISTRATION,
    EndedJob,
    GitError,
    JobStep,
    StillRunningError,
    failure_text,
    follow_job,
    git_commit,
    job_log,
    job_output,
    status_of,
)
from .kinds.online_endpoint import deployment_need
from .models import deployed_model
from .ownership import CHANGED, user_tags
from .quota import Demand, Need, demands, family_key, reserved_instances
from .runs import Logged, Point, Run, Runs
from .scoring import ScoringTarget, access_key, score
from .submission import submit_pipeline

__all__ = [
    "AGAIN",
    "CHANGED",
    "ENDED",
    "REGISTRATION",
    "Demand",
    "EndedJob",
    "FederatedIdentity",
    "GitError",
    "JobStep",
    "Logged",
    "Need",
    "Point",
    "Registry",
    "Run",
    "Runs",
    "ScoringTarget",
    "StillRunningError",
    "Workspace",
    "access_key",
    "blob_options",
    "chain",
    "connect",
    "credential",
    "demands",
    "deployed_model",
    "deployment_need",
    "endpoints_elsewhere",
    "failure_text",
    "family_key",
    "federated_identity",
    "follow_job",
    "git_commit",
    "job_log",
    "job_output",
    "of_azure",
    "pages",
    "reserved_instances",
    "score",
    "send",
    "sign_in_again",
    "status_of",
    "submit_pipeline",
    "tail",
    "transport",
    "user_tags",
]
