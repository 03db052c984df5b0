from __future__ import annotations

import pytest

from bootstrap.versions import dotted, version_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.26 linux/amd64", (1, 26, 0)),
        ("v3.259.0", (3, 259, 0)),
        ("3.260.0-alpha.xdeadbeef\n", (3, 260, 0)),
        ("uv 0.13.8 (abcdef 2026-01-01)", (0, 13, 8)),
        ("no number here 7", None),
        ("", None),
    ],
)
def test_version_in(text: str, expected: tuple[int, int, int] | None) -> None:
    assert version_in(text) == expected


def test_versions_compare_by_number_not_by_text() -> None:
    old, new = version_in("1.9.0"), version_in("1.25.11")
    assert old is not None
    assert new is not None
    assert new > old
    assert dotted(new) == "1.25.11"
