"""`python -m tests.acceptance --stack STACK`: run every step on a stack that is not deployed, and write a report."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import click

from bootstrap.stack_files import write_project
from tests.acceptance.report import Result, report
from tests.acceptance.steps import STEPS, Run, Step, StepError

_ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("-s", "--stack", required=True, help="Stack to deploy, such as dev. It must not be deployed yet.")
@click.option(
    "--stack-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Stack file to use. Default: Pulumi.<stack>.yaml of the repository.",
)  # fmt: skip
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("acceptance"), show_default=True,
    help="Folder for the report and the copy of the stack file.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Do not destroy the stack at the end.")
def main(stack: str, stack_file: Path | None, folder: Path, keep: bool) -> None:
    """Deploy a stack, train, roll out, destroy it, and write a report that you can attach to an issue.

    Takes about 30 minutes in a real subscription and costs about as much as one small cluster in that time. The stack
    file is copied, without the protection of its resources, so no file of the repository changes.
    """
    source = stack_file or _ROOT / f"Pulumi.{stack}.yaml"
    if not source.is_file():
        raise click.ClickException(f"stack '{stack}' has no file {source.name}")
    project = folder.resolve() / stack
    write_project(_ROOT, project)
    copy = project / f"Pulumi.{stack}.yaml"
    shutil.copyfile(source, copy)
    run = Run(stack, project)
    was_there = _prepare(run)
    started = time.strftime("%Y%m%d-%H%M%S")
    results: list[Result] = []
    for step in STEPS:
        if keep and step.always:
            continue
        results.append(_perform(step, run, failed=any(each.outcome == "failed" for each in results)))
    if not (was_there or keep) and results[-1].outcome == "passed":
        run.command("pulumi", "stack", "rm", "--yes", "--preserve-config", "--stack", stack)
    path = folder / f"{stack}-{started}.md"
    path.write_text(report(stack, copy.read_text("utf-8"), run.command("pulumi", "version").strip(), results), "utf-8")
    click.echo(f"\nThe report is in {path}. Read it before you attach it to an issue.")
    sys.exit(any(each.outcome == "failed" for each in results))


def _prepare(run: Run) -> bool:
    """Turn the protection off in the copy of the stack file. Return whether the stack existed.

    Raises:
        click.ClickException: The stack is deployed, or cannot be opened.
    """
    try:
        known = json.loads(run.command("pulumi", "stack", "ls", "--json"))
        exists = any(each["name"].rpartition("/")[2] == run.stack for each in known)
        if not exists:
            run.command("pulumi", "stack", "init", "--no-select", "--stack", run.stack)
        count = len(run.resources())
        if count:
            raise click.ClickException(
                f"stack '{run.stack}' has {count} resources, and this run would destroy them. Use a stack of its own: "
                f"copy Pulumi.{run.stack}.yaml to Pulumi.acceptance.yaml, change its postfix, and use STACK=acceptance"
            )
        run.configure("protect", "false")
    except StepError as error:
        raise click.ClickException(f"{error}\n{run.printed[-1].strip()}") from error
    return exists


def _perform(step: Step, run: Run, *, failed: bool) -> Result:
    if failed and not step.always:
        return Result(step.name, "skipped", 0, "an earlier step failed")
    click.echo(f"{step.name} ...", nl=False)
    run.printed.clear()
    began = time.monotonic()
    try:
        detail, outcome = step.run(run), "passed"
    except StepError as error:
        detail, outcome = str(error), "failed"
    took = time.monotonic() - began
    click.echo(f" {outcome} in {took:.0f} s: {detail}")
    output = "".join(run.printed)
    if outcome == "failed":
        click.echo("\n".join(f"  {line}" for line in output.strip().splitlines()[-20:]), err=True)
        return Result(step.name, "failed", took, detail, output)
    return Result(step.name, "passed", took, detail)


if __name__ == "__main__":
    main()
