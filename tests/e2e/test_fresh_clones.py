"""What needs a clone of its own: it ends what the other files share, or is another kind of machine."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.checkout import Checkout
from tests.documentation import ENDING, commands


def test_without_docker_the_platform_works_and_says_so(new_clone: Callable[[], Checkout]) -> None:
    clone = new_clone()
    clone.environment["AMLITE_DOCKER"] = "off"
    printed = clone.run("make up")
    assert '"delay_probability"' in printed
    assert "Switched the image build off" in printed
    assert "image.build is off" in printed
    found = json.loads(clone.run(".venv/bin/amlite run -- pulumi stack output --json -s local"))
    assert "environment_image" not in found
    clone.run("make down")
    assert clone.leftovers() == []


def test_commands_that_end_it(new_clone: Callable[[], Checkout]) -> None:
    shown = list(dict.fromkeys(command.text for command in commands() if command.text in ENDING))
    assert set(shown) == ENDING
    clone = new_clone()
    clone.run("make setup")
    for text in shown:
        clone.run(".venv/bin/amlite run -- .venv/bin/python -m bootstrap.local_stack fit local")
        clone.run(text)
        assert clone.leftovers() == [], text
        kept = text in ("make down", ".venv/bin/amlite stop")
        assert (clone.state / "amlite.db").exists() is kept, text
