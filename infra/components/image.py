"""The Docker images of environments: built, pushed to the registry, and identified by their digests."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.roles.propagation import waits_for_roles
from pulumi_azureml.planning import BuildPlan

# The user name that the registry expects with the token of an Entra ID identity.
TOKEN_USERNAME = "00000000-0000-0000-0000-000000000000"  # noqa: S105
PLATFORM = "linux/amd64"


class ImageError(pulumi.RunError):
    """The image cannot be pushed, or has no digest."""


@dataclass(frozen=True, kw_only=True)
class ContainerImageArgs:
    """Inputs of `ContainerImage`. `requires` has the role assignments that allow the push."""

    plan: BuildPlan
    login_server: pulumi.Output[str]
    tenant_id: str
    requires: Sequence[pulumi.Resource]


class ContainerImage(pulumi.ComponentResource):
    """An image in the registry.

    Outputs: `reference`, always `<login server>/<repository>@sha256:<digest>`.
    """

    reference: pulumi.Output[str]

    def __init__(self, name: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:ContainerImage", name, None, opts)
        plan = args.plan
        repository = pulumi.Output.concat(args.login_server, "/", plan.repository)
        image = docker.Image(
            name,
            image_name=pulumi.Output.concat(repository, ":", plan.tag),
            build=docker.DockerBuildArgs(
                # Relative to the project, so that the inputs are the same on every machine.
                context=plan.context,
                dockerfile=f"{plan.context}/{plan.dockerfile}",
                args=dict(plan.arguments),
                platform=PLATFORM,
            ),
            build_on_preview=False,
            registry=docker.RegistryArgs(
                server=args.login_server,
                username=TOKEN_USERNAME,
                password=pulumi.Output.secret(
                    args.login_server.apply(lambda server: _registry_password(server, args.tenant_id))
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.requires, hooks=waits_for_roles(name)),
        )
        self.reference = pulumi.Output.all(repository, image.repo_digest).apply(
            lambda known: verified_reference(known[0], known[1])
        )
        self.register_outputs({"reference": self.reference})


def verified_reference(repository: str, digest: str) -> str:
    """Return the image's `name@digest`, after a check of its form.

    Raises:
        ImageError: The build did not report a digest in this repository.
    """
    if not re.fullmatch(rf"{re.escape(repository)}@sha256:[0-9a-f]{{64}}", digest):
        raise ImageError(f"The pushed image {repository} has no digest. The build reported {digest!r}.")
    return digest


def _registry_password(server: str, tenant_id: str) -> str:
    """Return a registry token, or a placeholder in a preview, which does not push."""
    return "not needed by a preview" if pulumi.runtime.is_dry_run() else refresh_token(server, tenant_id)


def refresh_token(server: str, tenant_id: str) -> str:
    """Exchange the signed-in identity's token for a registry token that is valid for some hours.

    Args:
        server: Login server, such as `name.azurecr.io`.
        tenant_id: Entra ID tenant of the registry.

    Raises:
        ImageError: Nobody is signed in, or the registry refuses the identity.
    """
    # Imported here, because these imports would slow down a preview.
    from pulumi_azureml.operations.connection import credential
    from pulumi_azureml.operations.destinations import of_azure
    from pulumi_azureml.operations.sdk import AzureError, HttpRequest, HttpResponse, PipelineClient, RetryPolicy

    try:
        url = of_azure(f"https://{server}/oauth2/exchange", "azurecr.io")
        with PipelineClient[HttpRequest, HttpResponse](url, policies=[RetryPolicy()]) as client:
            token = credential().get_token("https://management.azure.com/.default", tenant_id=tenant_id).token
            form = {"grant_type": "access_token", "service": server, "tenant": tenant_id, "access_token": token}
            # The exchange changes nothing, so azure-core may repeat it.
            response = client.send_request(HttpRequest("POST", url, data=form), retry_on_methods=["POST"])
            response.read()
    except AzureError as error:
        raise ImageError(f"Cannot sign in to the container registry {server}: {error}") from error
    if response.status_code != 200:
        raise ImageError(
            f"The container registry {server} refuses the signed-in identity (HTTP {response.status_code}): "
            f"{response.text()[:300]}\n"
            "      fix: add a group of the identity to azureml-platform:access, or set access.deployer to true"
        )
    try:
        return str(json.loads(response.text())["refresh_token"])
    except (ValueError, KeyError) as error:
        raise ImageError(f"The container registry {server} did not return a refresh token.") from error
