"""The alerts that fired, and the events that Event Grid delivered."""

from __future__ import annotations

import json

import click

from amlite.cli.connection import ask, running


@click.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The format.")
def alerts(output: str) -> None:
    """List the alerts that fired with their notifications, and the events that subscriptions got."""
    here = running()
    fired = ask(here, "GET", "/alerts")["value"]
    delivered = ask(here, "GET", "/deliveries")["value"]
    if output == "json":
        click.echo(json.dumps({"alerts": fired, "events": delivered}, indent=2))
        return
    for alert in fired:
        name = alert["rule"].rpartition("/")[2]
        click.echo(f"{alert['at'][:19]}Z  {alert['condition']:<9} sev {alert['severity']}  {name}")
        for told in alert["notifications"]:
            click.echo(f"    {told['kind']:<8} {told['to']}  {told['status']}")
    for event in delivered:
        kind, subject = event["event"]["eventType"].rpartition(".")[2], event["event"]["subject"]
        name = event["subscription"].rpartition("/")[2]
        click.echo(f"{event['published'][:19]}Z  {kind} -> {name}  {event['status']}  {subject}")
    if not fired and not delivered:
        click.echo("No alert fired, and no subscription got an event.")
