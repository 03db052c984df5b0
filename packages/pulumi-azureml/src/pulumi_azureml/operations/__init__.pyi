from .arm import send
from .connection import Workspace, connect, credential, transport
from .endpoint_names import endpoints_elsewhere
from .federation import FederatedIdentity, federated_identity
from .jobs import (
    REGISTRATION,
    EndedJob,
    JobStep,
    StillRunningError,
    failure_text,
    follow_job,
    git_commit,
    job_log,
    job_output,
)
from .ownership import CHANGED, user_tags
from .quota import family_key, reserved_instances
from .scoring import ScoringTarget, access_key, score

__all__ = [
    "CHANGED",
    "REGISTRATION",
    "EndedJob",
    "FederatedIdentity",
    "JobStep",
    "ScoringTarget",
    "StillRunningError",
    "Workspace",
    "access_key",
    "connect",
    "credential",
    "endpoints_elsewhere",
    "failure_text",
    "family_key",
    "federated_identity",
    "follow_job",
    "git_commit",
    "job_log",
    "job_output",
    "reserved_instances",
    "score",
    "send",
    "transport",
    "user_tags",
]
