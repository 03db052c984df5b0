from __future__ import annotations

import json
import re

import pytest

from amlite.tools.base import RECIPES


def test_azurite_is_pinned_by_its_content_and_names_no_registry() -> None:
    packages = json.loads((RECIPES / "azurite" / "package-lock.json").read_text())["packages"]
    del packages[""]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


@pytest.mark.parametrize("name", ["node", "go"])
def test_wheels_are_pinned_by_their_content(name: str) -> None:
    assert re.fullmatch(
        r"[a-z-]+==[\d.]+( \\\n    --hash=sha256:[0-9a-f]{64})+\n", (RECIPES / f"{name}.lock").read_text()
    )
