"""dev, staging and prod side by side on the local Azure, by the real engine; down, and up again under their names."""

from __future__ import annotations

from pathlib import Path

from tests.checkout import checkout
from tests.environments import Environments


def test_three_environments_stand_side_by_side_and_come_back(tmp_path: Path) -> None:
    with checkout(tmp_path / "clone") as clone:
        clone.run("make setup")
        all_three = Environments(clone, ("dev", "staging", "prod"))
        before = all_three.tracked()
        all_three.up()
        names = all_three.endpoints()
        assert len({*names.values()}) == 3
        for stack in all_three.stacks:
            all_three.pulumi(f"preview --expect-no-changes -s {stack}")
        assert "cannot be deleted" in all_three.pulumi("destroy --yes -s prod", expect=1)
        all_three.down()
        again = Environments(clone, ("prod",))
        again.up()
        assert again.endpoints() == {"prod": names["prod"]}
        again.pulumi("preview --expect-no-changes -s prod")
        again.down()
        assert all_three.tracked() == before
        assert clone.leftovers() == []
