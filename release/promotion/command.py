"""The command `release promote`."""

from __future__ import annotations

import click

from release.errors import ReleaseError
from release.promotion.promoter import Promoter
from release.stack import PulumiStack
from release.terminal.console import new_console


@click.command()
@click.option("--from", "source", required=True, metavar="STACK", help="Stack that serves the model now, such as dev.")
@click.option("--to", "target", required=True, metavar="STACK", help="Stack to promote it to, such as staging.")
@click.option("--endpoint", default=None, help="Endpoint to promote. Default: all endpoints with a promoted model.")
@click.option(
    "--share", is_flag=True, help="First copy the version to the registry if it is only in the first stack's workspace."
)
def promote(source: str, target: str, endpoint: str | None, share: bool) -> None:
    """Promote the models that one stack serves to another stack.

    A workspace cannot read the models of another workspace. The second stack therefore reads the version from its
    registry (sharing.registry). The command checks that the registry has the version and that you can read it there. It
    then writes the version to Pulumi.<stack>.yaml of the second stack. The next `pulumi up` rolls the version out.
    """
    if source == target:
        raise ReleaseError("--from and --to name the same stack", fix=f"release train --stack {source} promotes there")
    console = new_console()
    # The stacks may be in different tenants, and you are signed in to one. Only --share reads the first workspace.
    outputs = PulumiStack(source, asks_azure=share).deployed()
    destination = PulumiStack(target, create=True, asks_azure=False)
    promoter = Promoter(source, outputs, destination, share, lambda line: console.print(f"  {line}", highlight=False))
    promotions = promoter.promote(endpoint)
    for each in promotions:
        model = f"{each.model.name} version {each.model.version} of registry {each.model.registry}"
        file = f"Pulumi.{target}.yaml"
        console.print(
            f"Endpoint {each.endpoint}: {file} already has {model}" if each.is_there
            else f"Promoted {model} to endpoint {each.endpoint} in {file}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    if any(not each.is_there for each in promotions):
        console.print(f"Roll it out with: pulumi up --stack {target}")
