"""The demo of releases, as `make release-demo` plays it. Each chapter checks what it promises."""

from __future__ import annotations

from pathlib import Path

from tests.release_demo.__main__ import play_all

REQUESTS = 20_000


def test_a_month_of_releases_ends_as_it_should(tmp_path: Path) -> None:
    play_all(tmp_path / "clone", REQUESTS)
