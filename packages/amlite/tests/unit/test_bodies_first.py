"""A function that answers a request reads its body first: what it reads before can change before the body is complete.

Nothing is locked meanwhile, and a body can take as long as its sender likes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import amlite

pytestmark = pytest.mark.attack
_BODIES = {"call.json", "call.read", "call.form", "bodies.multipart", "_body", "_given"}
# What looks at the request or at the types only, and what refuses a request without changing anything.
_HARMLESS = {
    "_check_tenant", "_check_version", "_chosen", "_deployment", "_door", "_endpoint", "_name", "_require_public",
    "_scope", "keys.check", "kind_of", "type_of", "bodies.multipart", "call.number",
}  # fmt: skip


def _handlers() -> Iterator[tuple[str, ast.AsyncFunctionDef]]:
    root = Path(amlite.__file__).parent
    for path in sorted((root / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef) and [each.arg for each in node.args.args][:1] == ["call"]:
                yield f"{path.relative_to(root)}:{node.name}", node


def _place(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _reads_body(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Call) and ast.unparse(each.func) in _BODIES for each in ast.walk(node))


def _early(handler: ast.AsyncFunctionDef) -> list[str]:
    """Return what a function reads before its body. Branches count as if they followed each other.

    What is answered at once, and what is only checked, is not used afterwards.
    """
    calls = [node for node in ast.walk(handler) if isinstance(node, ast.Call)]
    bodies = [_place(node) for node in calls if ast.unparse(node.func) in _BODIES]
    unused = {
        inner
        for node in ast.walk(handler)
        if isinstance(node, ast.Return | ast.Expr) and not _reads_body(node)
        for inner in ast.walk(node)
    }
    return [
        ast.unparse(node)
        for node in calls
        if bodies
        and _place(node) < min(bodies)
        and node not in unused
        and ast.unparse(node.func) not in _HARMLESS
        and any(ast.unparse(each) in ("call", "call.platform", "platform") for each in node.args)
        and not _reads_body(node)
    ]


def test_nothing_is_read_before_the_body() -> None:
    early = {name: found for name, handler in _handlers() if (found := _early(handler))}
    assert early == {}


def test_the_check_finds_what_it_is_for() -> None:
    bad = ast.parse("async def put(call):\n    old = find(call)\n    return old, await call.json()\n").body[0]
    assert isinstance(bad, ast.AsyncFunctionDef)
    assert _early(bad) == ["find(call)"]
