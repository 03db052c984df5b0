"""The sample repository passes its own tests, outside this repository and with nothing of it but the wheel."""

from __future__ import annotations

from amlite_fixtures.installation import Shell


def test_the_sample_repository_passes_its_tests(installed_for_tests: Shell) -> None:
    assert "4 passed" in installed_for_tests.run("pytest --quiet")
