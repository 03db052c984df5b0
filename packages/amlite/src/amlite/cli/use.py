"""Use amlite: a workspace to work in, and commands that reach it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys

import click

from amlite import SUBSCRIPTION_ID, environment
from amlite.cli.connection import ensure_started
from amlite.workspace import LOCATION, RESOURCE_GROUP, WORKSPACE, Layout

_READY = """\
resource group      {layout.resource_group}
workspace           {layout.name}
storage account     {layout.storage_account}
key vault           {layout.key_vault}
container registry  {layout.container_registry}.azurecr.io

In Python:

    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential
    ml = MLClient(DefaultAzureCredential(), "{subscription}", "{layout.resource_group}", "{layout.name}")

Run it with: amlite run -- python YOUR_SCRIPT.py"""
_ASSIGNMENTS = {
    "shell": "export {name}={value}",
    "github": "{name}={value}",
    "azure-devops": "##vso[task.setvariable variable={name}]{value}",
}
# Azure DevOps masks these in logs, and gives them only to steps that name them.
_SECRETS = frozenset(("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET"))
_MASKED = "##vso[task.setvariable variable={name};issecret=true]{value}"
_resource_group = click.option(
    "--resource-group", default=RESOURCE_GROUP, show_default=True, help="The name of the resource group."
)


@click.command()
@click.option("--workspace", default=WORKSPACE, show_default=True, help="The name of the workspace.")
@_resource_group
@click.option("--location", default=LOCATION, show_default=True, help="The Azure region.")
@click.option("--identity", is_flag=True, help="Let the datastores sign in by identity instead of an account key.")
def up(workspace: str, resource_group: str, location: str, identity: bool) -> None:
    """Create a workspace that is ready to use.

    It has a resource group, a storage account, a key vault and a container registry. What exists stays as it is.
    Starts amlite if needed.
    """
    from amlite import provisioning
    from amlite.arm_client import ArmError

    layout = Layout(workspace, resource_group, location, identity)
    try:
        provisioning.create(ensure_started(), layout)
    except ArmError as error:
        raise click.ClickException(str(error)) from error
    click.echo(_READY.format(layout=layout, subscription=SUBSCRIPTION_ID))


@click.command()
@_resource_group
def down(resource_group: str) -> None:
    """Delete a resource group and all that is in it."""
    from amlite import provisioning
    from amlite.arm_client import ArmError

    try:
        found = provisioning.delete(ensure_started(), Layout(resource_group=resource_group))
    except ArmError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{resource_group} is gone" if found else f"there is no resource group {resource_group}")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run a command against amlite: amlite run -- COMMAND.

    Starts amlite if needed. Programs in the project's virtual environment come first: the activated one, or .venv in
    the working folder.

    The command gets no credentials of real clouds from its surroundings, such as AZURE_STORAGE_KEY. To give it one:
    amlite run -- env NAME="$NAME" COMMAND.
    """
    variables = {**environment.over(os.environ, ensure_started()), "PATH": environment.path(os.environ)}
    found = shutil.which(command[0], path=variables["PATH"])
    if found is None:
        raise click.ClickException(f"{command[0]}: command not found")
    sys.stdout.flush()
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python. The command would inherit that
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(found, [found, *command[1:]], variables)  # noqa: S606 - running the caller's command is the purpose


@click.command()
@click.option(
    "--for", "reader", type=click.Choice(list(_ASSIGNMENTS)), default="shell", show_default=True,
    help="The format: for a shell, for $GITHUB_ENV, or for a script step of Azure DevOps.",
)  # fmt: skip
def env(reader: str) -> None:
    """Print the variables that `amlite run` sets.

    It takes the variables away, or empties them for a CI host, that contain credentials of real clouds.

    For a shell: eval "$(amlite env)". For the following steps of a job in GitHub Actions:
    amlite env --for github >> "$GITHUB_ENV". In Azure DevOps, the client secret is a secret variable. Each step that
    signs in maps it: AZURE_CLIENT_SECRET: $(AZURE_CLIENT_SECRET).
    """
    added = environment.added(ensure_started())
    foreign = sorted(environment.of_real_clouds(os.environ) - added.keys())
    if reader == "shell":
        added |= {"PATH": environment.path(os.environ)}
        for name in foreign:
            click.echo(f"unset {name}")
    else:  # a host cannot unset a variable
        added |= {name: "" for name in foreign if environment.is_credential(name)}
    for name, value in sorted(added.items()):
        form = _MASKED if reader == "azure-devops" and name in _SECRETS else _ASSIGNMENTS[reader]
        click.echo(form.format(name=name, value=shlex.quote(value) if reader == "shell" else value))
