"""Soft-deleted resources, and the end of their retention."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from amlite.core.clock import Clock
from amlite.core.deleted import Deleted
from amlite.core.store import Store

TYPE = "Microsoft.KeyVault/vaults"
ID = f"/subscriptions/s/resourceGroups/g/providers/{TYPE}/Name"
BODY = {"id": ID, "name": "Name", "type": TYPE}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deleted(tmp_path: Path, clock: Clock) -> Iterator[Deleted]:
    store = Store(tmp_path / "store")
    yield Deleted(store, clock)
    store.close()


def test_a_deleted_resource_is_found_by_its_id_and_its_name_whatever_their_case(deleted: Deleted) -> None:
    deleted.keep(BODY, dt.timedelta(days=14))
    by_id, by_name = deleted.get(ID.upper()), deleted.named(TYPE, "NAME")
    assert by_id is not None
    assert by_id == by_name
    assert by_id.body == BODY
    assert by_id.purged - by_id.deleted == dt.timedelta(days=14)
    assert deleted.named("Microsoft.Storage/storageAccounts", "Name") is None


def test_the_retention_ends_by_the_clock_that_can_be_moved(deleted: Deleted, clock: Clock) -> None:
    deleted.keep(BODY, dt.timedelta(days=14))
    clock.advance(dt.timedelta(days=13, hours=23).total_seconds())
    assert deleted.get(ID) is not None
    clock.advance(dt.timedelta(hours=1).total_seconds())
    assert deleted.get(ID) is None
    assert list(deleted.of_type(TYPE)) == []


def test_a_resource_that_is_purged_or_recovered_is_deleted_no_longer(deleted: Deleted) -> None:
    deleted.keep(BODY, dt.timedelta(days=14))
    deleted.forget(ID)
    assert deleted.get(ID) is None
