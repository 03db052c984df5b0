"""The quota: how many vCPUs the subscription may use."""

from __future__ import annotations

from urllib.parse import quote

import click

from amlite.cli.connection import ask, running
from amlite.workspace import LOCATION


@click.group()
def quota() -> None:
    """Limit the vCPUs of the subscription."""


@quota.command("set")
@click.argument("family")
@click.argument("cores", type=click.IntRange(min=0))
@click.option("--region", help="The region. The default is every region without a limit of its own.")
def set_(family: str, cores: int, region: str | None) -> None:
    """Limit FAMILY to CORES vCPUs.

    FAMILY is a VM family such as standardDSv2Family, a VM size of it, or `total`.
    """
    told = ask(running(), "POST", "/quota", {"family": family, "cores": cores, "region": region})
    click.echo(f"{told['family']}: {told['cores']} vCPUs in {region or 'every region'}")


@quota.command("list")
@click.option("--region", default=LOCATION, show_default=True, help="The region.")
def list_(region: str) -> None:
    """List the vCPUs in use and the limit of each family."""
    for row in ask(running(), "GET", f"/quota?region={quote(region)}")["value"]:
        click.echo(f"{row['used']:>5} of {row['limit']:<5} {row['family']}")


@quota.command()
def clear() -> None:
    """Remove every limit that was set."""
    click.echo(f"{ask(running(), 'DELETE', '/quota')['cleared']} limits taken back")
