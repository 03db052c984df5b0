"""The command `release cost`."""

from __future__ import annotations

import click

from release.cost import assumptions, prices
from release.cost.check import estimated, show
from release.cost.estimate import meters
from release.cost.retail import RetailPrices
from release.errors import ReleaseError
from release.planned import PlannedResource, PlannedResources
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import output_option
from release.untrusted import escaped


@click.command()
@click.option("-s", "--stack", envvar="PULUMI_STACK", show_envvar=True, help="Stack to estimate, such as dev.")
@click.option(
    "--assume", "given", multiple=True, metavar="NAME=VALUE",
    help="Use another assumption than release/cost/assumptions.yml. You can repeat this option.",
)  # fmt: skip
@click.option(
    "--refresh-prices", is_flag=True,
    help="Update release/cost/prices.yml from Azure's public list of prices. With --stack, also add its meters.",
)  # fmt: skip
@output_option
def cost(stack: str | None, given: tuple[str, ...], refresh_prices: bool, output: str) -> None:
    """Estimate the monthly cost of a stack before and after an update.

    Compares the deployed resources with those of a preview, and changes nothing. An unknown price is shown
    as unknown and is not in the totals.
    """
    if stack is None and not refresh_prices:
        raise click.UsageError("Missing option '-s' / '--stack'.")
    assumed = dict(_pair(each) for each in given)
    assumptions.read(assumed)  # before the preview, which takes seconds
    planned = _planned(stack) if stack else []
    if refresh_prices:
        _refresh(planned, assumed)
    if stack is None:
        return
    result = estimated(planned, assumed)
    if output == "json":
        click.echo(escaped(result.model_dump_json(indent=2)))
    else:
        show(new_console(), result)


def _planned(stack: str) -> list[PlannedResource]:
    planned = PlannedResources()
    PulumiStack(stack, create=True).preview(planned)
    return planned.resources


def _refresh(planned: list[PlannedResource], assumed: dict[str, str]) -> None:
    """Read every price of the table, and those that a stack needs. Write the table only if all could be read."""
    table = prices.read()
    wanted = {region: set(each) for region, each in table.regions.items()}
    for region, keys in meters(planned, assumptions.read(assumed)).items():
        wanted.setdefault(region, set()).update(keys)
    listed = RetailPrices(table.currency)
    for region, keys in wanted.items():
        table = table.with_prices(region, {key: listed.price(region, key) for key in sorted(keys)})
    prices.write(table)
    found = [each.price for meters_ in table.regions.values() for each in meters_.values()]
    click.echo(f"Read {len(found)} prices. {found.count(None)} are not in Azure's list.", err=True)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ReleaseError(f"--assume '{text}' must have the form NAME=VALUE")
    return name, value
