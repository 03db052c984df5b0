from __future__ import annotations

import pytest

from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.service import Service, Services


def test_two_services_cannot_bring_the_same_type() -> None:
    with pytest.raises(ValueError, match="two services bring 'a/b'"):
        Services([Service(types=[ResourceType("A/b")]), Service(types=[ResourceType("a/B")])])


def test_two_services_cannot_bring_the_same_work() -> None:
    async def work(platform: Platform, arguments: object) -> None:
        pass

    with pytest.raises(ValueError, match="two services bring 'x'"):
        Services([Service(works={"x": work}), Service(works={"x": work})])


async def test_others_follow_a_creation_and_precede_a_deletion(platform: Platform) -> None:
    done: list[str] = []

    async def own(platform: Platform, id: ResourceId) -> None:
        done.append("own")

    async def other(platform: Platform, id: ResourceId) -> None:
        done.append("other")

    services = Services(
        [
            Service(types=[ResourceType("A/b", created=own, deleting=own)]),
            Service(created={"a/B": other}, deleting={"A/b": other}),
        ]
    )
    for hook in (*services.created("a/b"), *services.deleting("a/b")):
        await hook(platform, ResourceId.of("/subscriptions/s/providers/A/b/c"))
    assert done == ["own", "other", "other", "own"]


def test_a_part_is_made_once(platform: Platform) -> None:
    assert platform.part(dict) is platform.part(dict)
    assert platform.part(Services, lambda: Services([Service(works={})])) is platform.part(Services)
