"""The pull request: its commit, title and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from infra.outputs import ModelOutput
from release.hosts.branches import ProposedChange
from release.markdown.escaping import code
from release.proposing.stack_files import ChangedFile, models

_INTRO = (
    "A CI job chose these model versions and wrote them to the stack files. If you merge this pull request, updates "
    "from the repository keep them. Until then, the next update restores the earlier versions. An endpoint that does "
    "not serve its version yet gets it with the next update."
)


def proposal(branch: str, base: str, file: ChangedFile, paths: Sequence[str], run: str | None) -> ProposedChange:
    """Return the change that a pull request proposes for one stack file.

    Args:
        branch: The branch of the pull request.
        base: The branch that it is merged into.
        file: The changed stack file.
        paths: The paths of all stack files.
        run: Page of the CI run.
    """

    def describe(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> tuple[str, str]:
        changed = [path for path in paths if before[path] != after[path]]
        return title(changed), body(changed, before, after, run)

    served = "\n".join(f"{endpoint}: {_named(model)}" for endpoint, model in file.models.items())
    message = f"Update the models of {stack(file.path)}\n\n{served}".rstrip()
    return ProposedChange(branch, base, {file.path: file.on}, paths, message, describe)


def title(changed: Sequence[str]) -> str:
    """Return the title, such as `Update the models of dev and prod`."""
    *first, last = map(stack, changed)
    return f"Update the models of {', '.join(first)} and {last}" if first else f"Update the models of {last}"


def body(
    changed: Sequence[str], before: Mapping[str, str | None], after: Mapping[str, str | None], run: str | None
) -> str:
    """Return the description: each endpoint with its model on the base and on the branch."""
    rows = []
    for path in changed:
        old, new = models(before[path], path), models(after[path], path)
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        rows += [f"| {code(stack(path))} | {code(name)} | {_cell(old, name)} | {_cell(new, name)} |" for name in names]
        if not names:
            rows.append(f"| {code(stack(path))} | | | other settings |")
    lines = [_INTRO, "", "| stack | endpoint | version now | version after the merge |", "|---|---|---|---|", *rows]
    return "\n".join([*lines, *(["", f"From [this run]({run})."] if run else [])]) + "\n"


def stack(path: str) -> str:
    """Return the stack of a file, such as `prod` of `Pulumi.prod.yaml`."""
    return PurePosixPath(path).name.removeprefix("Pulumi.").removesuffix(".yaml")


def _cell(served: Mapping[str, ModelOutput], endpoint: str) -> str:
    return code(_named(served[endpoint])) if endpoint in served else "none"


def _named(model: ModelOutput) -> str:
    place = f" of registry {model.registry}" if model.registry else ""
    return f"{model.name} version {model.version}{place}"
