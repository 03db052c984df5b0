"""The text of the comment: all stacks that change."""

from __future__ import annotations

from collections.abc import Sequence

from release.hosts.notes import mark
from release.markdown.cutting import Block, fit
from release.markdown.escaping import code
from release.preview import markdown
from release.preview.document import Preview

NAME = "preview"
_OPERATIONS = ("create", "update", "replace", "delete")


def changed(previews: Sequence[Preview]) -> list[Preview]:
    """Return the previews that have changes, or whose update would be refused or fail."""
    return [each for each in previews if each.changes or markdown.is_refused(each)]


def needs_attention(previews: Sequence[Preview]) -> bool:
    """Whether a reviewer must look: something is deleted or replaced, or the update would be refused."""
    return any(markdown.is_destructive(each) or markdown.is_refused(each) for each in changed(previews))


def body(previews: Sequence[Preview], run: str | None, limit: int) -> str:
    """Return the comment, of at most `limit` characters.

    Args:
        previews: The previews of all stacks.
        run: URL of the CI run, whose summary has the complete previews.
        limit: The most characters that the host accepts.
    """
    source = f"From [this run]({run})." if run else ""
    shown = changed(previews)
    if not shown:
        text = "## Preview: no changes\n\nNo stack changes."
        return f"{mark(NAME, text)}\n\n{text} {source}".rstrip() + "\n"
    title = f"## Preview: {len(shown)} of {len(previews)} {'stacks change' if len(previews) > 1 else 'stack changes'}"
    blocks = [Block(head=(title, ""))]
    if len(shown) > 1:
        head = ("| stack | create | update | replace | delete | cost a month |", "|---|---|---|---|---|---|")
        blocks.append(Block(tuple(map(_row, shown)), head, ("",), "| … {count} more … | | | | | |", weight=9))
    for each in shown:
        blocks += markdown.blocks(each)
    whole = f"[The summary of the run]({run})" if run else "`release preview --output markdown`"
    shortened = f"\n**This comment is shortened.** {whole} shows the complete preview.\n"
    first = mark(NAME, "".join(map(str, blocks)))
    blocks[0] = Block(head=(first, "", title, ""))
    if source:
        blocks.append(Block(head=(source,)))
    return fit(blocks, limit, shortened)


def _row(preview: Preview) -> str:
    numbers = [sum(each.operation == word for each in preview.changes) for word in _OPERATIONS]
    cost = f"{preview.cost.difference:+.2f} {code(preview.cost.currency)}" if preview.cost else ""
    failed = " (failed)" if preview.errors else ""
    return f"| {code(preview.stack)}{failed} | {' | '.join(str(number or '') for number in numbers)} | {cost} |"
