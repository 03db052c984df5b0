"""A preview as Markdown: what a reviewer must see comes first, and the complete list of changes is folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from release.cost.document import Cost, amount
from release.markdown.cutting import Block
from release.markdown.escaping import code, fences, link, one_line, prose
from release.policy.findings import PolicyFinding
from release.preview.document import GateResult, PlannedChange, Preview, QuotaNeed
from release.preview.text import SIGNS, counts, reasons, versions

_MOST = 5  # names in a cell
# What is left out last.
_VERDICT, _LOST, _CHECKS, _ASSETS, _COST, _DIFF = 5, 4, 3, 2, 1, 0


def document(preview: Preview) -> str:
    """Return the preview of one stack."""
    return "".join(map(str, blocks(preview)))


def blocks(preview: Preview) -> Iterator[Block]:
    """Yield the parts of one stack's preview."""
    changes = preview.changes
    said = [("Error", each) for each in preview.errors] + [("Warning", each) for each in preview.warnings]
    lines = tuple(line for title, each in said for line in _quoted(title, each))
    head = (f"### {code(preview.stack)}: {_result(preview)}", "", verdict(preview), "")
    yield Block(lines, head, ("",) if lines else (), "> … {count} more lines …", _VERDICT)
    yield from _named("Replaced", [each for each in changes if each.operation == "replace"])
    yield from _named("Deleted", [each for each in changes if each.operation == "delete"])
    yield from _gate(preview.gate or [])
    yield from _quota(preview.quota or [])
    yield from _policy(preview.policy or [])
    yield from _cost(preview.cost)
    yield from _assets(changes)
    if changes or preview.notes:
        yield complete(f"All changes of {prose(preview.stack)}", changes, preview.notes)


def is_refused(preview: Preview) -> bool:
    """Whether the preview failed, or a check says that the update would be refused."""
    return (
        bool(preview.errors)
        or any(each.severity == "mandatory" for each in preview.policy or ())
        or any(each.needed > each.free for each in preview.quota or ())
    )


def is_destructive(preview: Preview) -> bool:
    """Whether the update deletes or replaces a resource."""
    return any(each.operation in ("delete", "replace") for each in preview.changes)


def verdict(preview: Preview) -> str:
    """Return the sentence that a reviewer reads first."""
    if preview.errors:
        return "⛔ **The preview failed.** The changes may be incomplete."
    if is_refused(preview):
        return "⛔ **The update would be refused.** See the policy and quota below."
    if is_destructive(preview):
        return "⚠️ **The update deletes or replaces resources.** Check that you do not need what is in them."
    return "✅ The update deletes and replaces nothing."


def _result(preview: Preview) -> str:
    if preview.errors:
        return "the preview failed"
    return counts(preview.changes) or "no changes"


def _quoted(title: str, message: str) -> Iterator[str]:
    for number, line in enumerate(filter(None, map(str.strip, message.splitlines()))):
        # Two spaces at the end break the line.
        yield f"> {'' if number else f'**{title}:** '}{prose(line)}  "


def _named(title: str, changes: Sequence[PlannedChange]) -> Iterator[Block]:
    if changes:
        lines = tuple(f"- {code(each.name)} ({code(each.kind)}){_keys(each)}" for each in changes)
        yield Block(lines, (f"**{title}**", ""), ("",), "- … {count} more …", _LOST)


def _keys(change: PlannedChange) -> str:
    return f": {_some([each.key for each in change.keys])}" if change.keys else ""


def _gate(results: Sequence[GateResult]) -> Iterator[Block]:
    if results:
        lines = []
        for each in results:
            metrics = "".join(f", {code(name)} {value:.4g}" for name, value in each.metrics.items())
            report = f" ([report]({link(each.report)}))" if each.report else ""
            word = "accepted" if each.deploy_flag else "**refused**"
            lines.append(f"- {code(each.model)} is {word}: {prose(each.reason)}{metrics}{report}")
        yield Block(tuple(lines), ("**Gate**", ""), ("",), "- … {count} more …", _CHECKS)


def _quota(needs: Sequence[QuotaNeed]) -> Iterator[Block]:
    if needs:
        lines = tuple(
            f"| {code(each.family)} | {code(each.location)} | {each.needed} | {each.free} | "
            f"{'yes' if each.needed <= each.free else '**no**'} |"
            for each in needs
        )
        head = ("**Quota**", "", "| limit | region | vCPUs needed | left | enough |", "|---|---|---|---|---|")
        yield Block(lines, head, ("",), "| … {count} more … | | | | |", _CHECKS)


def _policy(findings: Sequence[PolicyFinding]) -> Iterator[Block]:
    if findings:
        ordered = sorted(findings, key=lambda each: each.severity == "advisory")
        lines = tuple(
            f"| {'**mandatory**' if each.severity == 'mandatory' else 'advisory'} | {code(each.rule)} | "
            f"{code(each.resource)} | {prose(each.reason)} | {prose(each.fix)} |"
            for each in ordered
        )
        head = ("**Policy**", "", "| severity | rule | resource | problem | fix |", "|---|---|---|---|---|")
        yield Block(lines, head, ("",), "| … {count} more … | | | | |", _CHECKS)


def _cost(cost: Cost | None) -> Iterator[Block]:
    if cost is not None:
        rows = [
            f"| {code(each.resource)} | {prose(each.detail)} | {amount(each.before, each.unknown_before)} | "
            f"{amount(each.after, each.unknown_after)} |"
            for each in cost.lines
        ]
        amounts = f"{cost.before:.2f} → {cost.after:.2f} {code(cost.currency)} (**{cost.difference:+.2f}**)"
        if cost.unknown:
            without = [each.resource for each in cost.lines if each.unknown_before or each.unknown_after]
            amounts += f", without the unknown prices of {_some(without)}"
        head = (
            f"**Monthly cost**: {amounts}",
            "", "<details><summary>Lines and assumptions</summary>", "",
            *(f"- {prose(each)}" for each in cost.assumptions),
            *(f"- No price in `release/cost/prices.yml`: {code(each)}" for each in cost.unknown),
            *([""] if cost.assumptions or cost.unknown else []),
            "| resource | what | before | after |", "|---|---|---|---|",
        )  # fmt: skip
        yield Block(tuple(rows), head, ("", "</details>", ""), "| … {count} more … | | | |", _COST)


def _assets(changes: Sequence[PlannedChange]) -> Iterator[Block]:
    """Yield the assets by changed file with what follows from them, and then the remaining changes."""
    named = {each.name: each for each in changes}
    by_file: dict[str, list[str]] = {}
    for change in changes:
        for path in (*change.files.changed, *change.files.added, *change.files.removed):
            by_file.setdefault(path, []).append(change.name)
    by_assets: dict[tuple[str, ...], list[str]] = {}
    for path, changed in by_file.items():
        by_assets.setdefault(tuple(changed), []).append(path)
    shown = {name for changed in by_file.values() for name in changed}
    rows = []
    for names, paths in by_assets.items():
        follows = list(_following(names, named))
        shown.update(follows)
        assets = [f"{code(name)}{_versions(named[name])}" for name in names]
        rows.append(f"| {_some(paths)} | {_some(assets, plain=True)} | {_some(follows)} |")
    if rows:
        head = ("**Assets by changed file**", "", "| file | asset | what follows |", "|---|---|---|")
        yield Block(tuple(rows), head, ("",), "| … {count} more … | | |", _ASSETS)
    left = [each for each in changes if each.name not in shown]
    others = [
        *_created([each for each in left if each.operation == "create"]),
        *(
            f"- {each.operation} {code(each.name)} ({code(each.kind)}){_versions(each)}{_keys(each)}"
            for each in left
            if each.operation in ("update", "same")
        ),
    ]
    if others:
        title = "**Other changes**" if rows else "**Changes**"
        yield Block(tuple(others), (title, ""), ("",), "- … {count} more …", _ASSETS)


def _created(changes: Sequence[PlannedChange]) -> Iterator[str]:
    """Yield one line for each kind, because a new stack has dozens of resources. The complete list names them all."""
    by_kind: dict[str, list[PlannedChange]] = {}
    for each in changes:
        by_kind.setdefault(each.kind, []).append(each)
    for kind, same in by_kind.items():
        count = "" if len(same) == 1 else f"{len(same)} "
        names = [f"{code(each.name)}{_versions(each)}" for each in same]
        yield f"- create {count}{code(kind)}: {_some(names, plain=True)}"


def _following(names: Iterable[str], named: dict[str, PlannedChange]) -> Iterator[str]:
    """Yield everything that changes because of some changes, the nearest first."""
    seen = set(names)
    waiting = list(names)
    for name in waiting:
        for follower in named[name].dependants if name in named else ():
            if follower not in seen:
                seen.add(follower)
                waiting.append(follower)
                yield follower


def complete(title: str, changes: Sequence[PlannedChange], notes: Sequence[str] = ()) -> Block:
    """Return a folded block with everything about some changes."""
    lines = []
    for change in changes:
        lines.append(one_line(f"{SIGNS[change.operation]} {change.name} ({change.kind}){versions(change)}"))
        # Without spaces before its sign, a line gets the colour of an added, removed or changed one.
        lines += [f"{each[:2]}    {one_line(each[2:])}" for each in reasons(change)]
    lines += [f"# {one_line(each)}" for each in notes]
    first, last = fences(lines, "diff")
    head = (f"<details><summary>{title}</summary>", "", first)
    return Block(tuple(lines), head, (last, "", "</details>", ""), "# … {count} more lines …", _DIFF)


def _versions(change: PlannedChange) -> str:
    if change.new is None or change.new == change.old:
        return ""
    return f" {code(change.old) if change.old else '(new)'} → {code(change.new)}"


def _some(items: Sequence[str], *, plain: bool = False) -> str:
    shown = ", ".join(each if plain else code(each) for each in items[:_MOST])
    return shown if len(items) <= _MOST else f"{shown} and {len(items) - _MOST} more"
