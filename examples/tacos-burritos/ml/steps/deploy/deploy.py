"""Step `deploy`: deploys the model to the stack's endpoint on the selected size, tries it, and gives it traffic.

The stack owns the endpoint. Each model, size and script gets a deployment of its own. The old one is deleted after the
new one has answered and has the traffic, so that a bad model never serves.
"""

import argparse
import hashlib
import json
import logging
import sys
from pathlib import Path

import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    CodeConfiguration,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    OnlineRequestSettings,
    ProbeSettings,
)
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

log = logging.getLogger("deploy")

HERE = Path(__file__).parent
SAMPLE = HERE / "sample.png"


class DeploymentError(Exception):
    """The model is not served. The message says why."""


def deployment_name(*settings: str) -> str:
    """Return a name that differs for each model, size and script."""
    content = [path.read_bytes() for path in sorted((HERE / "score").glob("*.py"))]
    digest = hashlib.sha256(b"\0".join([*content, *(each.encode() for each in settings)])).hexdigest()
    return f"model-{digest[:12]}"


def deploy(ml: MLClient, arguments: argparse.Namespace) -> dict[str, str]:
    """Create the deployment, try it, and move the traffic. Return the endpoint's address and the deployment's name.

    Raises:
        DeploymentError: There is no endpoint, or the deployment does not answer.
    """
    try:
        endpoint = ml.online_endpoints.get(arguments.endpoint)
    except ResourceNotFoundError as error:
        message = f"there is no endpoint {arguments.endpoint}; the stack creates it: pulumi up"
        raise DeploymentError(message) from error
    model = f"azureml:{arguments.model_name}:{arguments.model_version}"
    name = deployment_name(model, arguments.instance_type, arguments.environment, arguments.private_hosts)
    log.info("deploying %s as %s on %s", model, name, arguments.instance_type)
    ml.online_deployments.begin_create_or_update(
        ManagedOnlineDeployment(
            name=name,
            endpoint_name=arguments.endpoint,
            model=model,
            environment=arguments.environment,
            code_configuration=CodeConfiguration(code=str(HERE / "score"), scoring_script="score.py"),
            environment_variables={"ALLOWED_PRIVATE_HOSTS": arguments.private_hosts},
            instance_type=arguments.instance_type,
            instance_count=1,
            request_settings=OnlineRequestSettings(request_timeout_ms=20000, max_concurrent_requests_per_instance=4),
            liveness_probe=ProbeSettings(initial_delay=5, period=5),
            readiness_probe=ProbeSettings(initial_delay=5, period=5),
        )
    ).result()
    key = ml.online_endpoints.get_keys(arguments.endpoint).primary_key
    answer = ask(endpoint.scoring_uri, key, name, SAMPLE.read_bytes())
    log.info("the deployment answers: %s", answer)
    move_traffic(ml, endpoint, name)
    return {"scoring_uri": endpoint.scoring_uri, "deployment": name, "model": model}


def ask(uri: str, key: str, deployment: str, picture: bytes) -> dict[str, object]:
    """Send a picture to a deployment. Raises DeploymentError if it does not return a label."""
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "image/png",
        "azureml-model-deployment": deployment,
    }
    try:
        response = requests.post(uri, picture, headers=headers, timeout=30)
        response.raise_for_status()
        answer = response.json()
    except requests.RequestException as error:
        detail = error.response.text if error.response is not None else ""
        message = f"deployment {deployment} does not answer: {error} {detail}".rstrip()
        raise DeploymentError(message) from error
    if "label" not in answer:
        message = f"deployment {deployment} answers without a label: {answer}"
        raise DeploymentError(message)
    return dict(answer)


def move_traffic(ml: MLClient, endpoint: ManagedOnlineEndpoint, name: str) -> None:
    """Give all traffic to a deployment, and delete the others."""
    endpoint.traffic = {name: 100}
    ml.online_endpoints.begin_create_or_update(endpoint).result()
    for other in ml.online_deployments.list(endpoint.name):
        if other.name != name:
            log.info("deleting the deployment %s", other.name)
            ml.online_deployments.begin_delete(other.name, endpoint.name).result()


def main() -> None:
    """Deploy, and write the address of the endpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    logging.getLogger("azure").setLevel(logging.WARNING)
    arguments = parse_arguments()
    try:
        with DefaultAzureCredential() as credential:
            ml = MLClient(credential, arguments.subscription_id, arguments.resource_group, arguments.workspace)
            result = deploy(ml, arguments)
    except (AzureError, DeploymentError) as error:
        sys.exit(f"deploy: {error}")
    for path, text in (
        (arguments.scoring_uri, result["scoring_uri"]),
        (arguments.deployment, json.dumps(result, indent=2)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in kubeflow/pipeline.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscription_id", required=True)
    parser.add_argument("--resource_group", required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--endpoint", required=True, help="name of the endpoint in Azure")
    parser.add_argument("--environment", required=True, help="reference to the registered environment")
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_version", required=True)
    parser.add_argument("--instance_type", required=True, help="size that profile selected")
    parser.add_argument("--private_hosts", required=True, help="private hosts that pictures may come from, or nothing")
    parser.add_argument("--scoring_uri", type=Path, required=True, help="output: address of the endpoint")
    parser.add_argument("--deployment", type=Path, required=True, help="output: what was deployed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
