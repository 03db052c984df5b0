"""The environment variables that Azure ML gives a job, and those with which it reaches amlite."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from amlite.core import runtime
from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.entra.tokens import tokens
from amlite.services.jobs import data
from amlite.services.jobs.documents import Job
from amlite.services.machinelearning import references
from amlite.services.machinelearning.addresses import RUN_AUDIENCE
from amlite.services.managedidentity import identities
from amlite.services.mlflow import tracking

# The user's own sign-in: a job acts as the identity of its compute, never as the user who started it.
_CREDENTIALS = (
    "AZURE_CLIENT_",
    "AZURE_TENANT_ID",
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_SUBSCRIPTION_ID",
    "ARM_",
    "PULUMI_",
)
TOKEN_SECONDS = 2 * 24 * 3600


def variables(
    platform: Platform, job: Job, who: Principal | None, inputs: Mapping[str, str], outputs: Mapping[str, Path]
) -> dict[str, str]:
    """Return the variables of a job with the identity `who`. `inputs` are values and paths as text.

    The job signs in as the identity until `identities.forget` with its id.
    """
    workspace = references.workspace(platform, job.workspace_id).body
    id = ResourceId.parse(job.workspace_id)
    assert id is not None  # noqa: S101
    endpoint = f"https://{tracking.host(workspace)}"
    experiment = str(job.properties["experimentName"])
    experiment_id = tracking.experiment(platform, workspace, experiment)
    token = run_token(platform, job)
    given = {name: value for name, value in platform.environment.items() if not name.startswith(_CREDENTIALS)}
    given.pop(runtime.VARIABLE, None)
    written = {name: str(data.as_given(job, name, path)) for name, path in outputs.items()}
    return {
        **given,
        **(_sign_in(platform, job, who) if who else {}),
        "AZUREML_RUN_ID": job.name,
        "AZUREML_ROOT_RUN_ID": str(job.run["root"]),
        "AZUREML_ARM_SUBSCRIPTION": id.subscription,
        "AZUREML_ARM_RESOURCEGROUP": id.group or "",
        "AZUREML_ARM_WORKSPACE_NAME": id.name,
        "AZUREML_ARM_PROJECT_NAME": experiment,
        "AZUREML_EXPERIMENT_NAME": experiment,
        "AZUREML_EXPERIMENT_ID": experiment_id,
        "AZUREML_WORKSPACE_ID": str(workspace["properties"]["workspaceId"]),
        "AZUREML_WORKSPACE_SCOPE": job.workspace_id,
        "AZUREML_EXPERIMENT_SCOPE": f"{job.workspace_id}/experiments/{experiment}",
        "AZUREML_SERVICE_ENDPOINT": endpoint,
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{endpoint}/discovery",
        "AZUREML_CURRENT_CLOUD": "AzureCloud",
        "AZUREML_RUN_TOKEN": token,
        "AZUREML_RUN_TOKEN_EXPIRY": str(int(time.time()) + TOKEN_SECONDS),
        "MLFLOW_TRACKING_URI": str(workspace["properties"]["mlFlowTrackingUri"]),
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_RUN_ID": job.name,
        "MLFLOW_EXPERIMENT_ID": experiment_id,
        "MLFLOW_EXPERIMENT_NAME": experiment,
        **{f"AZURE_ML_INPUT_{name}": value for name, value in inputs.items()},
        **{f"AZURE_ML_OUTPUT_{name}": value for name, value in written.items()},
        # Source: the docstring of azure-ai-ml's CommandJob.
        **{f"AZUREML_PARAMETER_{name}": value for name, value in {**inputs, **written}.items()},
        **{str(name): str(value) for name, value in (job.properties.get("environmentVariables") or {}).items()},
    }


def _sign_in(platform: Platform, job: Job, who: Principal) -> dict[str, str]:
    """Return the variables with which a job signs in. One with its user's identity has that of the user."""
    given = identities.environment(platform, who, job.id)
    return {**given, **(identities.on_behalf_of(given) if who == job.submitter else {})}


def run_token(platform: Platform, job: Job) -> str:
    """Return a token with which a job reaches only run history, artifacts and MLflow, as its submitter.

    As on Azure, its scope is the workspace.
    """
    signer = tokens(platform)
    principal = job.submitter or signer.principal_with_secret(*signer.deployer())
    limited = replace(principal, scope=job.workspace_id, root=str(job.run["root"]))
    return signer.issue(limited, RUN_AUDIENCE, TOKEN_SECONDS)
