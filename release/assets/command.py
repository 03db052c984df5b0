"""The commands `release share` and `release adopt`."""

from __future__ import annotations

import click

from infra import NAMESPACE
from pulumi_azureml.operations import Workspace, connect
from pulumi_azureml.planning import ENDPOINTS
from release.assets import adoption
from release.assets.definitions import Found
from release.assets.sharing import KINDS, RegistrySharing
from release.errors import ReleaseError
from release.project import program_folder
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import stack_option
from release.terminal.progress import Phases
from release.workspace import client, registry_client


@click.command()
@stack_option
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("name")
@click.argument("version", required=False)
@click.option("--registry", default=None, help="Name of the registry. Default: the stack's registry.")
def share(stack: str, kind: str, name: str, version: str | None, registry: str | None) -> None:
    """Copy an asset version to a registry, for other workspaces.

    KIND is component, data, environment or model. The command copies the version with its files and the assets that it
    refers to, and adds tags that describe their origin. VERSION defaults to the version that the stack deployed or, for
    a model, serves, and otherwise to the latest version. If the registry already has the version, the command compares
    the content, and fails if it differs.
    """
    console = new_console()
    outputs = PulumiStack(stack).deployed()
    target = registry or outputs.registry
    if target is None:
        raise ReleaseError(
            f"stack '{stack}' has no registry",
            fix=f"use --registry NAME, or set {NAMESPACE}:sharing.registry in Pulumi.{stack}.yaml and run pulumi up",
        )
    served = {model.name: model.version for model in outputs.models.values() if model.registry is None}
    chosen = version or outputs.assets.get(kind, {}).get(name) or (served.get(name) if kind == "model" else None)
    with Phases(console).phase(f"Sharing with registry {target}"):
        ml = client(outputs)
        sharing = RegistrySharing(
            ml, registry_client(target), target, outputs.workspace_id,
            lambda line: console.print(f"  {line}", highlight=False),
        )  # fmt: skip
        shared = sharing.share(kind, name, chosen)
    console.print(f"\n{shared.id}", highlight=False, soft_wrap=True)


@click.command()
@stack_option
@click.argument("kind", required=False)
@click.argument("names", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Print the YAML, but write no files.")
@click.option("--subscription", help="Subscription of --workspace.")
@click.option("--resource-group", help="Resource group of --workspace.")
@click.option("--workspace", help="Workspace to read. Default: the stack's workspace.")
def adopt(
    stack: str, kind: str | None, names: tuple[str, ...], dry_run: bool,
    subscription: str | None, resource_group: str | None, workspace: str | None,
) -> None:  # fmt: skip
    """Write the YAML of a workspace's assets that the project does not define.

    KIND and NAMES select assets, such as `component prep train`. The command does not overwrite files, and does not
    write secrets. If azureml-platform:assets.adopt is true, the next `pulumi up` takes the assets over.
    """
    console = new_console()
    place = (subscription, resource_group, workspace)
    if any(place) and not all(place):
        raise ReleaseError("--subscription, --resource-group and --workspace must be used together")
    if all(place):
        ml, endpoints = connect(Workspace(*map(str, place))), {}
    else:
        outputs = PulumiStack(stack).deployed()
        ml, endpoints = client(outputs), {name: each.name for name, each in outputs.endpoints.items()}
    described = False
    refusals: list[Found] = []
    with adoption.undone_after_an_error(program_folder()) as written:
        for found in adoption.survey(ml, program_folder(), kind, names, endpoints):
            what = f"{found.kind} {found.name}{f' version {found.version}' if found.version else ''}"
            if found.reason:
                console.print(f"  - {what}: {found.reason}", highlight=False)
                continue
            paths = [*found.files, *(f"{each}/" for each in found.folders)]
            described = True
            if not dry_run:
                written.update(dict.fromkeys(adoption.write(ml, program_folder(), found), found))
            note = f" ({found.note})" if found.note else ""
            console.print(f"  + {what}: {', '.join(paths)}{note}", highlight=False)
            if dry_run:
                for path, text in found.files.items():
                    console.print(f"\n# {path}\n{text}", highlight=False)
        if written:
            refusals = adoption.settle(program_folder(), written)
    if not described:
        console.print("There is nothing to adopt.")
    if not written:
        return
    for refused in refusals:
        console.print(f"  - {refused.kind} {refused.name}: files deleted again: {refused.reason}", highlight=False)
    left = {(each.kind, each.name) for each in written.values()} - {(each.kind, each.name) for each in refusals}
    # An endpoint without this setting would get another name in Azure, and so be created anew.
    kept = sorted(name for kind, name in left if kind in ENDPOINTS)
    console.print(
        "\nReview the files. Then take the assets over:",
        f"  pulumi config set --path {NAMESPACE}:assets.adopt true -s {stack}",
        *(f"  pulumi config set --path {NAMESPACE}:naming.endpoints.{name} {name} -s {stack}" for name in kept),
        f"  pulumi up -s {stack}",
        sep="\n", highlight=False, soft_wrap=True,
    )  # fmt: skip
