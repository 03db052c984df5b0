"""The text of the issue: the resources that differ from the program, by stack."""

from __future__ import annotations

from collections.abc import Sequence

from release.hosts.notes import mark
from release.markdown.cutting import Block, fit
from release.markdown.escaping import code, one_line
from release.preview.document import PlannedChange, Preview
from release.preview.markdown import complete

NAME = "drift"
_MOST = 5  # keys of a resource
_WHAT = {
    "create": "deleted; the next update creates it again",
    "same": "changed to what the program wants",
}
_CHANGED = "changed; the next update reverts it"


def drifted(preview: Preview) -> list[PlannedChange]:
    """Return what others changed or deleted."""
    return [each for each in preview.changes if each.drifted]


def title(previews: Sequence[Preview]) -> str:
    """Return the title of the issue, such as `Drift in Azure: dev (3), prod (1)`."""
    found = {one_line(each.stack): len(drifted(each)) for each in previews}
    return f"Drift in Azure: {', '.join(f'{stack} ({count})' for stack, count in found.items() if count)}"[:250]


def body(previews: Sequence[Preview], run: str | None, limit: int) -> str:
    """Return the issue, of at most `limit` characters."""
    found = {each.stack: drifted(each) for each in previews}
    number = sum(map(len, found.values()))
    intro = (
        f"{'A resource was' if number == 1 else f'{number} resources were'} changed outside of Pulumi. "
        "To go back to what the program says, run `release up --no-train -s STACK`. To keep a change, first write it "
        "into the program or the asset files."
    )
    failed = [code(each.stack) for each in previews if each.errors]
    missing = (f"Not compared, because the preview failed: {', '.join(failed)}.", "") if failed else ()
    blocks = [Block(head=(intro, ""))]
    for stack, changes in found.items():
        if changes:
            head = (f"### {code(stack)}", "", "| resource | kind | what | differs in |", "|---|---|---|---|")
            blocks.append(Block(tuple(map(_row, changes)), head, ("",), "| … {count} more … | | | |", weight=1))
            blocks.append(complete("Old and new values", changes))
    source = Block(head=(f"From [this run]({run}).",)) if run else Block()
    whole = f"[The run]({run})" if run else "`release preview --refresh`"
    first = mark(NAME, "".join(map(str, [*missing, *blocks])))
    blocks[0] = Block(head=(first, "", intro, "", *missing))
    return fit([*blocks, source], limit, f"\n**This text is shortened.** {whole} shows everything.\n")


def clean(run: str | None) -> str:
    """Return the last text of the issue, when there is no drift any more."""
    text = "Azure is as the program says."
    return f"{mark(NAME, text)}\n\n{text}{f' From [this run]({run}).' if run else ''}\n"


def _row(change: PlannedChange) -> str:
    keys = [each.key for each in change.keys if each.drifted] or [each.key for each in change.keys]
    shown = ", ".join(map(code, keys[:_MOST])) + (f" and {len(keys) - _MOST} more" if len(keys) > _MOST else "")
    return f"| {code(change.name)} | {code(change.kind)} | {_WHAT.get(change.operation, _CHANGED)} | {shown} |"
