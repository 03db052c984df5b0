"""The `release` command: deploy a stack, train, promote, roll out and score."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from infra import NAMESPACE
from infra.outputs import ModelOutput, StackOutputs
from pulumi_azureml.operations import Workspace, connect, job_log
from pulumi_azureml.planning import ENDPOINTS
from release import purging, scoring, training
from release.assets import adoption
from release.assets.sharing import KINDS, RegistrySharing
from release.ci.command import ci_login
from release.doctor.command import check_first_update, doctor
from release.errors import ReleaseError, first_line
from release.promotion import promote
from release.purging import Kept
from release.samples import sample_of
from release.stack import CWD_VARIABLE, ROOT, PulumiStack
from release.terminal import summary
from release.terminal.console import new_console
from release.terminal.options import inputs_option, output_option, stack_option
from release.terminal.preview import Plan
from release.terminal.progress import Phases, UpdateProgress
from release.training import Training
from release.updating import update
from release.workspace import client, registry_client

_PIPELINE = "training"
console = new_console()


class _Commands(click.Group):
    """Commands that print an error from Azure as one message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from azure.core.exceptions import AzureError  # only needed here, and slow to import

            if not isinstance(error, AzureError):
                raise
            raise ReleaseError(f"a request to Azure failed: {first_line(error)}") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C", "--cwd", envvar=CWD_VARIABLE, show_envvar=True, type=click.Path(exists=True, file_okay=False),
    help="Folder with Pulumi.yaml and the stack files. Default: this repository.",
)  # fmt: skip
def main(cwd: str | None) -> None:
    """Train, promote and serve models on a deployed platform. Every command works on any stack."""
    if cwd is not None:
        os.environ[CWD_VARIABLE] = str(Path(cwd).resolve())
    if shutil.which("pulumi") is None:
        # Called by its path: Pulumi is in the same folder.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


main.add_command(ci_login)
main.add_command(doctor)
main.add_command(promote)


@main.command()
@stack_option
@inputs_option
@click.option("--no-doctor", is_flag=True, help="Do not check a new stack as `release doctor` does.")
@click.option(
    "--replace-renamed", is_flag=True,
    help="Replace resources whose names have changed. Everything in them is lost. Default: ask on a terminal.",
)  # fmt: skip
@click.option(
    "--train/--no-train", "trains", default=True, show_default=True,
    help="Train a first model if an endpoint has no promoted one.",
)  # fmt: skip
def up(stack: str, inputs: tuple[str, ...], no_doctor: bool, replace_renamed: bool, trains: bool) -> None:
    """Deploy the stack, train a first model, and score a sample.

    Before the first update, does the checks of `release doctor`, and stops if there is a problem. If an endpoint has no
    promoted model, trains one. If the gate accepts the model, promotes it and rolls it out. Then sends the sample
    request to each online endpoint and prints a summary.
    """
    phases = Phases(console)
    target = PulumiStack(stack, create=True)
    if not no_doctor and target.outputs() is None:
        with phases.phase("Checks"):
            check_first_update(stack, console)
    with phases.phase("Platform and assets"):
        update(target, console, replace_renamed=replace_renamed)
    outputs = target.deployed()
    trained: Training | None = None
    waiting = [name for name, endpoint in outputs.endpoints.items() if endpoint.serves and name not in outputs.models]
    if waiting and trains:
        accepted, trained = _model(phases, outputs, inputs)
        if accepted is not None:
            with phases.phase("Rollout"):
                for endpoint in _serving(outputs, accepted.name, waiting):
                    target.promote(endpoint, accepted)
                update(target, console)
            outputs = target.deployed()
    predictions = _predictions(phases, outputs)
    summary.show(console, stack, outputs, trained, predictions, phases.took)


@main.command()
@stack_option
@inputs_option
@click.option(
    "--promote/--no-promote", default=True, show_default=True,
    help="Write an accepted version to the stack's configuration.",
)  # fmt: skip
@click.option("--endpoint", default=None, help="Endpoint to promote to. Default: all endpoints that serve the model.")
def train(stack: str, inputs: tuple[str, ...], promote: bool, endpoint: str | None) -> None:
    """Run the training pipeline and promote an accepted model.

    Submits the pipeline and waits for it. Fails if the job does not complete. If the gate accepts the model, the
    pipeline registers it, and this command writes its version to Pulumi.<stack>.yaml. The next `pulumi up` rolls it
    out.
    """
    target = PulumiStack(stack)
    outputs = target.deployed()
    chosen = [_choose_endpoint(outputs.endpoints, endpoint)] if endpoint else list(outputs.endpoints)
    trained = _train(Phases(console), outputs, inputs)
    if trained.version is None:
        console.print(f"\nThe gate refused the model: {trained.reason}\nNo model was registered or promoted.")
        return
    console.print(f"\nRegistered {trained.model} version {trained.version}: {trained.reason}")
    if not promote:
        return
    promoted = _serving(outputs, trained.model, chosen)
    for name in promoted:
        target.promote(name, ModelOutput(name=trained.model, version=trained.version))
        console.print(f"Promoted to endpoint {name} in Pulumi.{stack}.yaml")
    if promoted:
        console.print(f"Roll it out with: pulumi up --stack {stack}")
    else:
        console.print(
            f"Nothing was promoted: no endpoint serves {trained.model} (checked: {', '.join(chosen) or 'none'})."
        )


@main.command()
@stack_option
@output_option
@click.option("--refresh", is_flag=True, help="Read every resource from Azure first, and show what others changed.")
def preview(stack: str, output: str, refresh: bool) -> None:
    """Show what `pulumi up` would change, and why.

    Shows the old and new version of each asset, the changed files and keys, and which change causes which. With
    --refresh, also marks everything that others changed or deleted in Azure. Changes nothing, not even the state.
    docs/preview.schema.json describes the JSON.
    """
    plan = Plan()
    PulumiStack(stack, create=True).preview(plan, refresh=refresh)
    if output == "json":
        click.echo(plan.document(stack).model_dump_json(indent=2))
    else:
        plan.print(console)


@main.command()
@stack_option
@click.argument("endpoint")
@click.option(
    "--request", type=click.Path(path_type=Path),
    help="JSON file to send. Default: sample-request.json beside the endpoint's endpoint.yml.",
)  # fmt: skip
def score(stack: str, endpoint: str, request: Path | None) -> None:
    """Send a request to an online endpoint and print the response."""
    outputs = PulumiStack(stack).deployed()
    name = _choose_endpoint(_online(outputs), endpoint, "online endpoint")
    sample = sample_of(name, ROOT)
    if request is None and sample is None:
        raise ReleaseError(
            f"endpoint '{name}' has no sample-request.json beside its endpoint.yml",
            fix="add the file, or use --request FILE",
        )
    click.echo(json.dumps(scoring.score(outputs, name, request or ROOT / str(sample))))


@main.command()
@stack_option
@click.argument("endpoint")
def key(stack: str, endpoint: str) -> None:
    """Print the primary key of an online endpoint, or a token.

    Prints a token if the endpoint does not use keys. The output is a secret. Do not store it.
    """
    outputs = PulumiStack(stack).deployed()
    click.echo(scoring.key(outputs, _choose_endpoint(_online(outputs), endpoint, "online endpoint")))


@main.command()
@stack_option
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("name")
@click.argument("version", required=False)
@click.option("--registry", default=None, help="Name of the registry. Default: the stack's registry.")
def share(stack: str, kind: str, name: str, version: str | None, registry: str | None) -> None:
    """Copy an asset version to a registry, for other workspaces.

    KIND is component, data, environment or model. Copies the version, its files and the assets that it refers to, and
    adds tags for their origin. Without VERSION, takes the version that the stack deployed or, for a model, serves, and
    otherwise the latest. If the registry already has the version, its content must be the same.
    """
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


@main.command()
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
    """Write the YAML of assets that the project does not define.

    Reads the assets from a workspace. KIND and NAMES select assets, such as `component prep train`. Existing files are
    not overwritten, and secrets are not written. If azureml-platform:assets.adopt is true, the next `pulumi up` takes
    the assets over.
    """
    place = (subscription, resource_group, workspace)
    if any(place) and not all(place):
        raise ReleaseError("--subscription, --resource-group and --workspace must be used together")
    if all(place):
        ml, endpoints = connect(Workspace(*map(str, place))), {}
    else:
        outputs = PulumiStack(stack).deployed()
        ml, endpoints = client(outputs), {name: each.name for name, each in outputs.endpoints.items()}
    described = False
    written: dict[str, Any] = {}
    for found in adoption.survey(ml, ROOT, kind, names, endpoints):
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
    refusals = adoption.settle(ROOT, written)
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


@main.command()
@stack_option
@click.argument("job")
def logs(stack: str, job: str) -> None:
    """Print the logs of a job's steps."""
    from azure.core.exceptions import ResourceNotFoundError

    ml = client(PulumiStack(stack).deployed())
    try:
        steps = list(ml.jobs.list(parent_job_name=job))
    except ResourceNotFoundError as error:
        raise ReleaseError(
            f"the workspace has no job '{job}'", fix="use a name that `az ml job list` prints"
        ) from error
    for step in steps:
        click.echo(f"==> {step.display_name or step.name} ({step.status})\n{job_log(ml, step.name)}")
    if not steps:
        click.echo(job_log(ml, job))


@main.command()
@stack_option
@click.option(
    "--purge", is_flag=True,
    help="Also delete for good what Azure would keep: the workspace, and the key vault if it has no purge protection.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def down(stack: str, purge: bool, yes: bool) -> None:
    """Destroy all resources of the stack.

    Azure keeps a deleted workspace for 14 days and a deleted key vault for its retention, and so long their names are
    taken. With --purge, the names are free at once. You can also run it after the stack was destroyed.
    """
    target = PulumiStack(stack)
    kept = purging.planned(target, _say) if purge else Kept()
    if not yes:
        click.confirm(f"Destroy all resources of stack '{stack}'?", abort=True)
    purging.purge_workspaces(target, kept, UpdateProgress(console), _say)
    target.destroy(UpdateProgress(console))
    if purge:
        purging.purge_leftovers(target, _say)
    console.print(f"All resources of stack {stack} are destroyed.")
    purging.tell_what_azure_keeps(target, console.print, purged=purge)


def _say(line: str) -> None:
    console.print(f"  {line}", highlight=False)


def _model(
    phases: Phases, outputs: StackOutputs, inputs: tuple[str, ...]
) -> tuple[ModelOutput | None, Training | None]:
    """Return a model to promote, and the training that produced it.

    Does not train if an earlier run registered a version and was interrupted before it promoted the version.
    """
    found = training.registered(client(outputs), training.resolved_pipeline(outputs, _PIPELINE))
    if found is not None:
        console.print(f"\n{found[0]} version {found[1]} passed the gate in an earlier run and is not promoted yet.")
        return ModelOutput(name=found[0], version=found[1]), None
    done = _train(phases, outputs, inputs)
    return (ModelOutput(name=done.model, version=done.version) if done.version is not None else None), done


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
                console.print(f"  {name}: not scored, because there is no sample-request.json beside its endpoint.yml")
                continue
            answers[name] = scoring.score(outputs, name, ROOT / sample)
            console.print(f"  {name}: {json.dumps(answers[name])}", highlight=False)
    return answers


def _serving(outputs: StackOutputs, model: str, names: list[str]) -> list[str]:
    """Return the endpoints among `names` that serve promoted versions of a model."""
    return [name for name in names if outputs.endpoints[name].serves in (model, "*")]


def _online(outputs: StackOutputs) -> list[str]:
    return [name for name, endpoint in outputs.endpoints.items() if endpoint.kind == "online"]


def _choose_endpoint(names: Iterable[str], wanted: str, what: str = "endpoint") -> str:
    known = list(names)
    if wanted not in known:
        raise ReleaseError(f"the stack has no {what} '{wanted}'; it has: {', '.join(known) or 'none'}")
    return wanted


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ReleaseError(f"--input '{text}' must have the form NAME=VALUE")
    return name, value


if __name__ == "__main__":
    main()
