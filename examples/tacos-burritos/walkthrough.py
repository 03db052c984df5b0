"""Runs the example to its end: starts the pipeline, follows it, and asks the endpoint about two drawings.

The stack must be up. `make example NAME=tacos-burritos` does both.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import click
import requests
from azure.core.exceptions import AzureError
from deployed import Deployed
from endpoint import Answer, Endpoint
from pipeline_runner.errors import RunnerError
from pipeline_runner.records import RunRecord
from rich.console import Console
from runs import Printed
from stored import documents
from stored.documents import DocumentError
from submission import ENDPOINT, ENGINES, HERE, EngineName

from release.errors import ReleaseError, first_line
from release.terminal.console import new_console
from release.terminal.options import folder_option, stack_option
from release.terminal.progress import Phases
from release.terminal.tables import columns, grid

HELD_OUT = "openmoji"
PICTURES = {label: HERE / "page" / f"{label}.png" for label in ("taco", "burrito")}
METADATA = "http://169.254.169.254/metadata/instance?api-version=2021-02-01"
CHANCE = 0.5


@click.command(help=__doc__)
@folder_option(HERE)
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="What runs the steps.")
@stack_option
def main(engine: EngineName, stack: str) -> None:
    """Run the phases. The first one that fails ends the run with one error."""
    try:
        Walkthrough(stack, engine).run()
    except (RunnerError, DocumentError) as error:
        raise ReleaseError(str(error)) from error
    except AzureError as error:
        raise ReleaseError(f"a request to Azure failed: {first_line(error)}") from error
    except requests.RequestException as error:
        raise ReleaseError(f"the endpoint does not answer: {error}") from error


class Walkthrough:
    """The phases, in order."""

    def __init__(self, stack: str, engine: EngineName) -> None:
        """Read the outputs of the stack."""
        self.engine = engine
        self.deployed = Deployed.read(stack)
        uri = self.deployed.outputs.endpoints[ENDPOINT].scoring_uri
        # An endpoint that is not in the DNS is on this machine, where the storage account has a private address.
        self.is_here = not _is_known(str(urlsplit(uri).hostname))
        self.console: Console = new_console()
        self.phases = Phases(self.console)

    def run(self) -> None:
        """Run all phases and print the result."""
        with self.phases.phase("Pipeline"):
            record = self.pipeline()
        with self.phases.phase("Accuracy on styles that the training did not see"):
            accuracy = self.accuracy(record)
        with self.phases.phase("Profile"):
            size = self.profile(record)
        with self.phases.phase(f"Drawings in the style {HELD_OUT}, which the deployed model does not know"):
            answers = self.answers()
        with self.phases.phase("An address that is not allowed"):
            refusal = self.refused()
        deployment = json.loads(_artifact(record, "deploy", "deployment").read_text("utf-8"))
        table = grid("Tacos and burritos")
        table.add_row("run", record.id)
        table.add_row("model", deployment["model"].removeprefix("azureml:"))
        table.add_row("accuracy", accuracy)
        table.add_row("instance size", size)
        table.add_row("scoring URI", deployment["scoring_uri"])
        for asked, answer in answers.items():
            table.add_row(asked, json.dumps(answer.content))
        table.add_row("refused", f"{refusal.status} {refusal.content.get('error')}")
        table.add_row("logs", str(Path(record.tasks[0].log).parent))
        self.console.print(table)

    def pipeline(self) -> RunRecord:
        """Run the pipeline. The deployed model gets pictures from the storage account."""
        submission = self.deployed.submission
        given = {"held_out": HELD_OUT, "private_hosts": submission.storage_host if self.is_here else ""}
        return submission.run(given, self.engine, Printed(self.console, submission))

    def accuracy(self, record: RunRecord) -> str:
        """Print the accuracy on each style, of a model that was trained on the others."""
        metrics = json.loads(_artifact(record, "train", "metrics").read_text("utf-8"))
        rows = [(style, f"{value:.3f}") for style, value in metrics["accuracy_by_held_out_style"].items()]
        self.console.print(columns(("style", "accuracy"), rows))
        if metrics["accuracy_mean"] <= CHANCE:
            raise ReleaseError(f"the model is not better than chance: mean accuracy {metrics['accuracy_mean']}")
        return (
            f"{metrics['accuracy_mean']:.3f} in the mean of {len(rows)} held-out styles, standard deviation "
            f"{metrics['accuracy_spread']:.3f}, worst {metrics['accuracy_worst']:.3f}; photographs are not tested"
        )

    def profile(self, record: RunRecord) -> str:
        """Print the figures of each instance size."""
        table = json.loads(_artifact(record, "profile", "table").read_text("utf-8"))
        rows = [
            (
                size["name"],
                f"{size['measured_cpus']} of {size['cpus']}",
                f"{size['p50_ms']:g} ms",
                f"{size['p95_ms']:g} ms",
                f"{size['memory_mb']} MB",
                "unknown" if size["price"] is None else f"{size['price']:.3f}",
                size["verdict"],
            )
            for size in table["sizes"]
        ]
        header = ("size", "CPUs measured", "p50", "p95", "memory", "USD an hour", "verdict")
        self.console.print(columns(header, rows))
        return f"{table['selected']}, the cheapest with a p95 below {table['target_ms']:g} ms"

    def answers(self) -> dict[str, Answer]:
        """Ask about both drawings, with GET and with POST."""
        endpoint, workspace = self._endpoint(), self.deployed.outputs.workspace_id
        found: dict[str, Answer] = {}
        for label, path in PICTURES.items():
            content = path.read_bytes()
            url = documents.shared(workspace, f"{label}.png", content, "image/png")
            for method, answer in (("GET", endpoint.get(url)), ("POST", endpoint.post(content))):
                self.console.print(f"  {method} {label}: {answer.content}", highlight=False)
                found[f"{method} {label}"] = answer
                if answer.status != 200 or answer.content.get("label") not in PICTURES:
                    raise ReleaseError(
                        f"{method} of the drawing of a {label} was answered with {answer.status}: {answer.content}"
                    )
        return found

    def refused(self) -> Answer:
        """Ask about an address that only the server could reach. It must refuse."""
        answer = self._endpoint().get(METADATA)
        if answer.status != 403:
            raise ReleaseError(f"the endpoint must refuse {METADATA}, and answers {answer.status}: {answer.content}")
        self.console.print(f"  GET {METADATA}: {answer.status} {answer.content}", highlight=False)
        return answer

    def _endpoint(self) -> Endpoint:
        return Endpoint.of(self.deployed.outputs, ENDPOINT)


def _artifact(record: RunRecord, task: str, name: str) -> Path:
    return Path(record.task(task).artifacts[name]["uri"])


def _is_known(host: str) -> bool:
    """Whether the DNS knows a host."""
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
