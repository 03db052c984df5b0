"""Documents that fit the limit of a host: blocks whose lines are left out from the middle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


def length(text: str) -> int:
    """Return the number of characters as Azure DevOps counts them: UTF-16 units.

    GitHub counts code points, which are never more.
    """
    return len(text.encode("utf-16-le")) // 2


@dataclass(frozen=True)
class Block:
    """Lines of a document.

    Attributes:
        lines: Lines that can be left out.
        head: Lines before them, which stay.
        tail: Lines after them, which stay.
        left_out: Line in place of those that are left out. `{count}` stands for their number.
        weight: Blocks with a lower weight lose lines first.
    """

    lines: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    left_out: str = "… {count} more …"
    weight: int = 0

    def __str__(self) -> str:
        """Return all lines."""
        return "".join(f"{line}\n" for line in (*self.head, *self.lines, *self.tail))

    def without(self, excess: int) -> Block:
        """Return the block without lines in the middle, shorter by at least `excess` characters if possible."""
        excess += length(self.left_out) + len(str(len(self.lines)))
        first = last = len(self.lines) // 2
        # From the middle in both directions, so that as many lines stay before it as after it.
        while excess > 0 and (first > 0 or last < len(self.lines)):
            if first > 0 and first >= len(self.lines) - last:
                first -= 1
                excess -= length(self.lines[first]) + 1
            else:
                excess -= length(self.lines[last]) + 1
                last += 1
        left_out = self.left_out.format(count=last - first)
        return replace(self, lines=(*self.lines[:first], left_out, *self.lines[last:]))


def fit(blocks: Iterable[Block], limit: int, ending: str = "") -> str:
    """Return the blocks as one text of at most `limit` characters.

    If they are too long, lines are left out of the blocks with the lowest weight, the longest block first, and the text
    ends with `ending`. If that is not enough, whole blocks are left out. The first block always stays whole.
    """
    kept = list(blocks)
    sizes = [length(str(block)) for block in kept]
    if sum(sizes) <= limit:
        return "".join(map(str, kept))
    room = limit - length(ending)
    for place in _order(kept, sizes):
        excess = sum(sizes) - room
        if excess <= 0:
            break
        shorter = kept[place].without(excess)
        if length(str(shorter)) < sizes[place]:
            kept[place], sizes[place] = shorter, length(str(shorter))
    while sum(sizes) > room and len(kept) > 1:
        middle = max(1, len(kept) // 2)
        del kept[middle], sizes[middle]
    return "".join(map(str, kept)) + ending


def _order(blocks: Sequence[Block], sizes: Sequence[int]) -> list[int]:
    return sorted(range(1, len(blocks)), key=lambda place: (blocks[place].weight, -sizes[place]))
