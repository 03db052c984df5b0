from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from amlite.core.errors import StartError
from amlite.core.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "amlite.db")
    yield opened
    opened.close()


def test_ids_are_compared_without_case_and_kept_as_first_written(store: Store) -> None:
    store.put("/Subscriptions/S/RG", "T", {"n": 1})
    again = store.put("/subscriptions/s/rg", "t", {"n": 2})
    assert (again.id, again.body, again.type) == ("/Subscriptions/S/RG", {"n": 2}, "t")
    assert store.get("/SUBSCRIPTIONS/S/RG") == again


def test_below_is_the_subtree_and_not_what_shares_letters(store: Store) -> None:
    for id in ("/g", "/g/a", "/G/B/c", "/gg/x", "/g-1/x", "/g0"):
        store.put(id, "t", {})
    assert [doc.id for doc in store.below("/g")] == ["/g/a", "/G/B/c"]


def test_below_of_one_type(store: Store) -> None:
    store.put("/g/a", "One", {})
    store.put("/g/b", "two", {})
    assert [doc.id for doc in store.below("/g", "ONE")] == ["/g/a"]


def test_rewriting_keeps_the_place_and_changes_the_tag(store: Store) -> None:
    first = store.put("/a", "t", {})
    store.put("/b", "t", {})
    again = store.put("/a", "t", {"x": 1})
    assert [doc.id for doc in store.of_type("t")] == ["/a", "/b"]
    assert again.sequence == first.sequence
    assert again.etag != first.etag


def test_delete_takes_what_is_below(store: Store) -> None:
    for id in ("/a", "/a/b", "/A/c/d", "/ab"):
        store.put(id, "t", {})
    assert store.delete("/A") == 3
    assert [doc.id for doc in store.of_type("t")] == ["/ab"]
    assert store.delete("/nothing") == 0


def test_counters_never_go_back(store: Store) -> None:
    assert [store.next("a"), store.next("a"), store.next("b")] == [1, 2, 1]


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    first = Store(tmp_path / "x.db")
    written = first.put("/a", "t", {"ü": [1, None, "✓"]})
    first.next("n")
    first.close()
    again = Store(tmp_path / "x.db")
    assert again.get("/a") == written
    assert again.next("n") == 2
    again.close()


@pytest.mark.parametrize(("written", "reads"), [(0, True), (1, True), (2, False)])
def test_a_state_is_read_by_an_amlite_that_knows_its_format(tmp_path: Path, written: int, reads: bool) -> None:
    """An amlite that wrote no number has the first format."""
    Store(tmp_path / "x.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        database.execute(f"PRAGMA user_version = {written}")
    before = (tmp_path / "x.db").read_bytes()
    with contextlib.nullcontext() if reads else pytest.raises(StartError, match="by a newer amlite"):
        Store(tmp_path / "x.db").close()
    assert reads or (tmp_path / "x.db").read_bytes() == before


def test_two_processes_may_read_and_write(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "x.db"), Store(tmp_path / "x.db")
    one.put("/a", "t", {})
    two.put("/b", "t", {})
    assert [doc.id for doc in one.of_type("t")] == ["/a", "/b"]
    one.close()
    two.close()
