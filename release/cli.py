"""`release`: bring a platform up, train, gate, promote, roll out and score, on any stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from infra import NAMESPACE
from infra.outputs import StackOutputs
from pulumi_azureml.operations.connection import Workspace, connect
from pulumi_azureml.operations.jobs import log_of
from release import scoring, training
from release.assets import adoption
from release.assets.sharing import KINDS, RegistrySharing
from release.errors import ReleaseError
from release.samples import sample_of
from release.stack import ROOT, PulumiStack
from release.terminal import summary
from release.terminal.console import new_console
from release.terminal.preview import Plan
from release.terminal.progress import Phases, UpdateProgress
from release.training import Training
from release.workspace import client, registry_client

_PIPELINE = "training"
console = new_console()


def _stack_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("-s", "--stack", required=True, envvar="PULUMI_STACK", help="The stack, such as dev.")(command)


def _inputs_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input of the training pipeline; repeatable."
    )(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Release models on a platform that `pulumi up` made. Every command works on any stack."""


@main.command()
@_stack_option
@_inputs_option
def up(stack: str, inputs: tuple[str, ...]) -> None:
    """Bring everything up: platform, a first trained model, its endpoint, and a scored sample request."""
    phases = Phases(console)
    target = PulumiStack(stack)
    outputs = target.outputs()
    if outputs is None and target.forget_models():
        console.print("The stack is new: models promoted in an earlier life are forgotten.")
    with phases.phase("Platform and assets"):
        _update(target)
    outputs = target.deployed()
    trained: Training | None = None
    waiting = [name for name, endpoint in outputs.endpoints.items() if endpoint.serves and name not in outputs.models]
    if waiting:
        accepted, trained = _model(phases, outputs, inputs)
        if accepted is not None:
            with phases.phase("Rollout"):
                for endpoint in _serving(outputs, accepted[0], waiting):
                    target.promote(endpoint, *accepted)
                _update(target)
            outputs = target.deployed()
    predictions = _predictions(phases, outputs)
    summary.show(console, stack, outputs, trained, predictions, phases.took)


@main.command()
@_stack_option
@_inputs_option
@click.option("--promote/--no-promote", default=True, help="Write an accepted version to the stack's configuration.")
@click.option("--endpoint", default=None, help="The endpoint to promote to (default: all that serve the model).")
def train(stack: str, inputs: tuple[str, ...], promote: bool, endpoint: str | None) -> None:
    """Submit the training pipeline and watch it; fails on any end but Completed.

    A model that passes the gate is registered and, unless --no-promote, written to the stack's configuration: the next
    `pulumi up` rolls it out.
    """
    target = PulumiStack(stack)
    outputs = target.deployed()
    chosen = [_choose_endpoint(outputs.endpoints, endpoint)] if endpoint else list(outputs.endpoints)
    trained = _train(Phases(console), outputs, inputs)
    if trained.version is None:
        console.print(f"\nThe gate refused the model: {trained.reason}\nNothing was registered and nothing changes.")
        return
    console.print(f"\nRegistered {trained.model} version {trained.version}: {trained.reason}")
    if not promote:
        return
    promoted = _serving(outputs, trained.model, chosen)
    for name in promoted:
        target.promote(name, trained.model, trained.version)
        console.print(f"Promoted to endpoint {name} in Pulumi.{stack}.yaml")
    if promoted:
        console.print(f"Roll it out with: pulumi up --stack {stack}")
    else:
        console.print(
            f"No endpoint of {', '.join(chosen) or 'the stack'} serves {trained.model}: nothing was promoted."
        )


@main.command()
@_stack_option
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def preview(stack: str, output: str) -> None:
    """Say what `pulumi up` would do: each asset's old → new version, and the changed files and keys.

    Also which changes follow which. docs/preview.schema.json describes the JSON.
    """
    plan = Plan()
    PulumiStack(stack).preview(plan)
    if output == "json":
        click.echo(plan.json())
    else:
        plan.print(console)


@main.command()
@_stack_option
@click.argument("endpoint")
@click.option(
    "--request", type=click.Path(path_type=Path), help="A JSON file (default: the sample beside its endpoint.yml)."
)
def score(stack: str, endpoint: str, request: Path | None) -> None:
    """Send a request to an endpoint and print the answer."""
    outputs = PulumiStack(stack).deployed()
    name = _choose_endpoint(_online(outputs), endpoint)
    sample = sample_of(name, ROOT)
    if request is None and sample is None:
        raise ReleaseError(f"endpoint '{name}' has no sample-request.json beside its endpoint.yml; use --request FILE")
    click.echo(json.dumps(scoring.score(outputs, name, request or ROOT / str(sample))))


@main.command()
@_stack_option
@click.argument("endpoint")
def key(stack: str, endpoint: str) -> None:
    """Print an endpoint's primary key (or a token, where it has no keys). It is a secret: use it, do not store it."""
    outputs = PulumiStack(stack).deployed()
    click.echo(scoring.key(outputs, _choose_endpoint(_online(outputs), endpoint)))


@main.command()
@_stack_option
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.argument("version", required=False)
@click.option("--registry", default=None, help="The registry's name (default: the stack's).")
def share(stack: str, kind: str, name: str, version: str | None, registry: str | None) -> None:
    """Share an asset's version with other workspaces, in a registry: same version, same bytes, with its lineage.

    Without VERSION: the version that the stack deployed, of a model the one it serves, else the latest. What the asset
    refers to comes along. A version that is there with the same content is left as it is; with other content it is an
    error.
    """
    outputs = PulumiStack(stack).deployed()
    target = registry or outputs.registry
    if target is None:
        raise ReleaseError(f"stack '{stack}' has no registry; name one with --registry, or in azureml-platform:sharing")
    served = {model.name: model.version for model in outputs.models.values()}
    chosen = version or outputs.assets.get(kind, {}).get(name) or (served.get(name) if kind == "model" else None)
    with Phases(console).phase(f"Sharing with registry {target}"):
        ml = client(outputs)
        sharing = RegistrySharing(
            ml, registry_client(target), target, outputs.workspace_id,
            lambda line: console.print(f"  {line}", highlight=False),
        )  # fmt: skip
        shared = sharing.share(kind, name, chosen)
    console.print(f"\n{shared.id}", highlight=False, soft_wrap=True)


@main.command()
@_stack_option
@click.argument("kind", required=False)
@click.argument("names", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Print what would be written.")
@click.option("--subscription", help="Of another workspace than the stack's.")
@click.option("--resource-group", help="Of another workspace than the stack's.")
@click.option("--workspace", help="Another workspace than the stack's.")
def adopt(
    stack: str, kind: str | None, names: tuple[str, ...], dry_run: bool,
    subscription: str | None, resource_group: str | None, workspace: str | None,
) -> None:  # fmt: skip
    """Write the YAML of what a workspace holds and this project does not define, all of it or KIND, or NAMES of KIND.

    The next `pulumi up` with azureml-platform:assets.adopt takes it over. No file is overwritten, no secret is written.
    """
    place = (subscription, resource_group, workspace)
    if any(place) and not all(place):
        raise ReleaseError("another workspace needs all of --subscription, --resource-group and --workspace")
    ml = connect(Workspace(*map(str, place))) if all(place) else client(PulumiStack(stack).deployed())
    described = False
    written: dict[str, Any] = {}
    for found in adoption.survey(ml, ROOT, kind, names):
        what = f"{found.kind} {found.name}{f' version {found.version}' if found.version else ''}"
        if found.reason:
            console.print(f"  - {what}: {found.reason}", highlight=False)
            continue
        paths = [*found.files, *(f"{each}/" for each in found.folders)]
        described = True
        if not dry_run:
            written |= dict.fromkeys(adoption.write(ml, ROOT, found), found)
        note = f" ({found.note})" if found.note else ""
        console.print(f"  + {what}: {', '.join(paths)}{note}", highlight=False)
        if dry_run:
            for path, text in found.files.items():
                console.print(f"\n# {path}\n{text}", highlight=False)
    if not described:
        console.print("There is nothing to adopt.")
        return
    if dry_run:
        return
    for refused in adoption.settle(ROOT, written):
        console.print(f"  - {refused.kind} {refused.name}: taken back, {refused.reason}", highlight=False)
    console.print(
        f"\nLook at the files, then take over: pulumi config set --path {NAMESPACE}:assets.adopt true -s {stack}\n"
        f"and: pulumi up -s {stack}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@main.command()
@_stack_option
@click.argument("job")
def logs(stack: str, job: str) -> None:
    """Print the logs of a job's steps."""
    ml = client(PulumiStack(stack).deployed())
    steps = list(ml.jobs.list(parent_job_name=job))
    for step in steps:
        click.echo(f"==> {step.display_name or step.name} ({step.status})\n{log_of(ml, step.name)}")
    if not steps:
        click.echo(log_of(ml, job))


@main.command()
@_stack_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def down(stack: str, yes: bool) -> None:
    """Destroy the stack: everything it made goes."""
    target = PulumiStack(stack)
    if not yes:
        click.confirm(f"Destroy everything that stack '{stack}' made?", abort=True)
    target.destroy(UpdateProgress(console))
    target.forget_models()
    console.print(f"Stack {stack} is empty.")


def _update(target: PulumiStack) -> None:
    interrupted = target.interrupted()
    if interrupted:
        names = ", ".join(urn.rpartition("::")[2] for urn in interrupted)
        console.print(f"  an earlier update was cut off: looking what became of {names}", highlight=False, markup=False)
        target.refresh(interrupted, UpdateProgress(console))
    changes = target.up(UpdateProgress(console))
    if changes.unchanged:
        console.print("  no changes")


def _model(
    phases: Phases, outputs: StackOutputs, inputs: tuple[str, ...]
) -> tuple[tuple[str, str] | None, Training | None]:
    """Return (name, version) of a model to promote and the training it came from.

    A version that was registered but never promoted (an earlier run was cut off in between) needs no new training.
    """
    found = training.registered(client(outputs), training.resolved_pipeline(outputs, _PIPELINE))
    if found is not None:
        console.print(f"\n{found[0]} version {found[1]} passed the gate earlier and was not promoted yet.")
        return found, None
    done = _train(phases, outputs, inputs)
    return ((done.model, done.version) if done.version is not None else None), done


def _train(phases: Phases, outputs: StackOutputs, inputs: tuple[str, ...]) -> Training:
    given = dict(_pair(text) for text in inputs)
    with phases.phase("Training"):
        ml = client(outputs)
        job = training.submit(ml, outputs, _PIPELINE, given)
        console.print(f"  job {job.name}", highlight=False)
        done = training.watch(ml, job, lambda line: console.print(f"  {line}", highlight=False))
        console.print(f"  gate: {done.reason}", highlight=False)
    return done


def _predictions(phases: Phases, outputs: StackOutputs) -> dict[str, Any]:
    live = [name for name in _online(outputs) if outputs.endpoints[name].deployment]
    if not live:
        console.print("\nNo endpoint has a model yet, so there is nothing to score.")
        return {}
    answers = {}
    with phases.phase("Scoring"):
        for name in live:
            sample = sample_of(name, ROOT)
            if sample is None:
                console.print(f"  {name}: no sample-request.json beside its endpoint.yml, so it is not scored")
                continue
            answers[name] = scoring.score(outputs, name, ROOT / sample)
            console.print(f"  {name}: {json.dumps(answers[name])}", highlight=False)
    return answers


def _serving(outputs: StackOutputs, model: str, names: list[str]) -> list[str]:
    """Return those of the endpoints that serve promoted versions of a model."""
    return [name for name in names if outputs.endpoints[name].serves in (model, "*")]


def _online(outputs: StackOutputs) -> list[str]:
    return [name for name, endpoint in outputs.endpoints.items() if endpoint.kind == "online"]


def _choose_endpoint(names: Iterable[str], wanted: str) -> str:
    known = list(names)
    if wanted not in known:
        raise ReleaseError(f"there is no endpoint '{wanted}'; endpoints: {', '.join(known) or 'none'}")
    return wanted


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ReleaseError(f"--input {text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    main()
