"""Wait for a job, for as long as it runs."""

from __future__ import annotations

from collections.abc import Callable

from infra.outputs import StackOutputs
from pulumi_azureml.operations import EndedJob, failure_text, follow_job
from release.errors import ReleaseError, first_line
from release.workspace import client


class JobEndedError(ReleaseError):
    """A job ended with another status than Completed."""

    def __init__(self, message: str, status: str) -> None:
        """Take the message and the job's status."""
        super().__init__(message)
        self.status = status


def watch(outputs: StackOutputs, stack: str, job: str, say: Callable[[str], None]) -> EndedJob:
    """Wait for a job and report when its steps start and end. Signs in again if Azure rejects a token.

    Raises:
        JobEndedError: The job did not complete. The message has the last lines of the failed step's log.
        ReleaseError: The user pressed Ctrl-C, or Azure cannot be reached. The job continues.
    """
    from azure.core.exceptions import AzureError

    place = f"--workspace-name {outputs.workspace} --resource-group {outputs.resource_group}"
    continues = f"follow it: release logs {job} --follow -s {stack}\n  cancel it: az ml job cancel --name {job} {place}"
    try:
        ended = follow_job(client(outputs), job, say, reconnect=lambda: client(outputs))
    except KeyboardInterrupt as error:
        raise ReleaseError(f"stopped watching. Job {job} continues\n  {continues}") from error
    except AzureError as error:
        raise ReleaseError(f"cannot watch job {job}, which continues: {first_line(error)}\n  {continues}") from error
    if ended.status != "Completed":
        reason = failure_text(client(outputs), ended)
        raise JobEndedError(f"job {job} ended with status {ended.status}{reason}", ended.status)
    return ended
