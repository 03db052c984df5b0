from .arm import send
from .connection import Workspace, connect, credential
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
from .scoring import ScoringTarget, access_key, score

__all__ = [
    "CHANGED",
    "REGISTRATION",
    "EndedJob",
    "JobStep",
    "ScoringTarget",
    "StillRunningError",
    "Workspace",
    "access_key",
    "connect",
    "credential",
    "failure_text",
    "follow_job",
    "git_commit",
    "job_log",
    "job_output",
    "score",
    "send",
    "user_tags",
]
