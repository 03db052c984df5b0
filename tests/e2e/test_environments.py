"""dev and prod side by side on the local Azure, beside the stack `local`. tests/long has all three, and more."""

from __future__ import annotations

from tests.documentation import commands
from tests.e2e.conftest import Platform
from tests.environments import Environments


def test_two_environments_stand_side_by_side(platform: Platform) -> None:
    both = Environments(platform.clone, ("dev", "prod"))
    before = both.tracked()
    both.up()
    names = both.endpoints()
    assert len({*names.values()}) == 2
    for stack in both.stacks:
        both.pulumi(f"preview --expect-no-changes -s {stack}")
    documented = [each for each in commands() if each.page == "docs/environments.md" and not each.azure]
    asking = [each.text for each in documented if ".amlite/environments" in each.text]
    assert len(asking) == 2
    for command in asking:
        platform.run(command)
    assert "cannot be deleted" in both.pulumi("destroy --yes -s prod", expect=1)
    both.down()
    assert both.tracked() == before
