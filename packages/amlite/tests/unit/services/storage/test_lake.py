from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from amlite.services.storage import blobs, lake, shared_key
from amlite.services.storage.blobs import Entry
from amlite.services.storage.lake import LakeError


def entry(name: str, length: int = 1, *, directory: bool = False) -> Entry:
    return Entry(name, length, "now", "tag", directory)


def listed(found: list[Entry], base: str = "", *, recursive: bool = True) -> list[tuple[str, bool]]:
    return [(path["name"], "isDirectory" in path) for path in lake.paths(found, base, recursive=recursive)]


def test_directories_that_no_blob_stands_for_are_listed() -> None:
    found = [entry("a/b/c"), entry("d")]
    assert listed(found) == [("a", True), ("a/b", True), ("a/b/c", False), ("d", False)]
    assert listed(found, recursive=False) == [("a", True), ("d", False)]


def test_a_directory_is_not_in_itself_and_a_file_is() -> None:
    assert listed([entry("a", 0, directory=True), entry("a/b")], "a") == [("a/b", False)]
    assert listed([entry("a/b/c")], "a", recursive=False) == [("a/b", True)]
    assert listed([entry("a/b")], "a/b") == [("a/b", False)]


def test_an_empty_blob_with_something_below_it_is_a_directory() -> None:
    found = blobs._with_directories([entry("a", 0), entry("a/b"), entry("a/e", 0), entry("c", 5), entry("c/d")])
    assert [each.directory for each in found] == [True, False, False, False, False]


def test_a_request_is_signed_with_either_key() -> None:
    keys = [base64.b64encode(name).decode() for name in (b"one", b"two")]
    headers = {"x-ms-version": "1", "x-ms-date": "today", "Content-Length": "0", "If-Match": "tag"}
    path = "/files/a%20b?position=7&action=flush"
    text = shared_key.signed_text("acct", "PATCH", path, headers)
    assert text == (
        "PATCH\n\n\n\n\n\n\n\ntag\n\n\n\nx-ms-date:today\nx-ms-version:1\n/acct/files/a%20b\naction:flush\nposition:7"
    )
    signature = base64.b64encode(hmac.digest(b"two", text.encode(), hashlib.sha256)).decode()
    good = f"SharedKey acct:{signature}"
    assert shared_key.permits(keys, "acct", "PATCH", path, headers, good)
    assert not shared_key.permits(keys[:1], "acct", "PATCH", path, headers, good)
    assert not shared_key.permits(keys, "acct", "PUT", path, headers, good)
    assert not shared_key.permits(keys, "other", "PATCH", path, headers, good)
    assert not shared_key.permits(keys, "acct", "PATCH", path, headers, "")


@pytest.mark.attack
@pytest.mark.parametrize(
    ("name", "value"),
    [("a", "x\r\nx-ms-copy-source: y"), ("a", "\0"), ("a", "\xff"), ("a b", "x"), ("a:b", "x"), ("", "x")],
)
def test_a_property_is_one_header(name: str, value: str) -> None:
    encoded = base64.b64encode(value.encode("latin-1")).decode()
    with pytest.raises(LakeError, match="x-ms-properties"):
        lake.metadata({"x-ms-properties": f"good=eA==,{name}={encoded}"})


def test_properties_become_metadata() -> None:
    assert lake.metadata({"x-ms-properties": "a=eA==, b_1=eSB6"}) == {"x-ms-meta-a": "x", "x-ms-meta-b_1": "y z"}
