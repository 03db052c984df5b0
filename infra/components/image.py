"""The Docker images of environments: built here, pushed to the registry, known by their digests."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from pulumi_azureml.planning import BuildPlan

# What the registry calls the user of a token that stands for an Entra ID identity.
TOKEN_USERNAME = "00000000-0000-0000-0000-000000000000"  # noqa: S105
PLATFORM = "linux/amd64"


class ImageError(pulumi.RunError):
    """The image cannot be pushed, or the registry does not say which image it holds."""


@dataclass(frozen=True, kw_only=True)
class ContainerImageArgs:
    """Inputs of `ContainerImage`; `requires` are the role assignments without which nobody may push."""

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
                # Relative to the project, so that the same tree is the same on every machine.
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
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.requires),
        )
        self.reference = pulumi.Output.all(repository, image.repo_digest).apply(
            lambda known: verified_reference(known[0], known[1])
        )
        self.register_outputs({"reference": self.reference})


def verified_reference(repository: str, digest: str) -> str:
    """The image's `name@digest` if that is what it is.

    Raises:
        ImageError: the build did not end in a digest of this repository; an environment must never guess one.
    """
    if not re.fullmatch(rf"{re.escape(repository)}@sha256:[0-9a-f]{{64}}", digest):
        raise ImageError(f"The pushed image {repository} has no digest; the build reported {digest!r}.")
    return digest


def _registry_password(server: str, tenant_id: str) -> str:
    """A preview pushes nothing, so it needs no password and asks nobody for one."""
    return "not needed by a preview" if pulumi.runtime.is_dry_run() else refresh_token(server, tenant_id)


def refresh_token(server: str, tenant_id: str) -> str:
    """Exchange the signed-in identity's token for a registry token that lives for some hours.

    Args:
        server: login server, e.g. `name.azurecr.io`.
        tenant_id: Entra ID tenant of the registry.

    Raises:
        ImageError: nobody is signed in, or the registry refuses the identity.
    """
    # Imported here because a preview must not pay for it.
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.identity import DefaultAzureCredential

    url = f"https://{server}/oauth2/exchange"
    try:
        with (
            DefaultAzureCredential() as credential,
            PipelineClient[HttpRequest, HttpResponse](url, policies=[RetryPolicy()]) as client,
        ):
            token = credential.get_token("https://management.azure.com/.default", tenant_id=tenant_id).token
            form = {"grant_type": "access_token", "service": server, "tenant": tenant_id, "access_token": token}
            response = client.send_request(HttpRequest("POST", url, data=form))
            response.read()
    except AzureError as error:
        raise ImageError(f"Cannot sign in to the container registry {server}: {error}") from error
    if response.status_code != 200:
        raise ImageError(
            f"The container registry {server} refuses the signed-in identity (HTTP {response.status_code}): "
            f"{response.text()[:300]}"
        )
    try:
        return str(json.loads(response.text())["refresh_token"])
    except (ValueError, KeyError) as error:
        raise ImageError(f"The container registry {server} answered without a refresh token.") from error
