"""Sources of copies, written in every form but the ordinary one."""

from __future__ import annotations

import pytest

from amlite.services.storage import copies
from amlite.services.storage.access import StorageError, refuse_other_forms
from amlite.services.storage.blobs import BlobPath

pytestmark = pytest.mark.attack
HOST = "https://st1.blob.core.windows.net"


def test_the_ordinary_form_is_taken_and_written_again() -> None:
    source = copies.parse("HTTPS://ST1.blob.core.windows.net:443/c/a%20b/d?sv=1&sig=x")
    assert source.blob == BlobPath("st1", "c", "a b/d")
    assert source.address == f"{HOST}/c/a%20b/d?sv=1&sig=x"


@pytest.mark.parametrize(
    "text",
    [
        "http://st1.blob.core.windows.net/c/a",
        "https://st1.blob.core.windows.net:8443/c/a",
        "https://user@st1.blob.core.windows.net/c/a",
        "https://st1.blob.core.windows.net./c/a",
        "https://127.0.0.1/st1/c/a",
        "http://127.0.0.1:10000/st1/c/a",
        "https://st1.blob.core.windows.net\\@evil/c/a",
        "//st1.blob.core.windows.net/c/a",
        "/c/a",
        "",
        f"{HOST}/c",
        f"{HOST}/c/",
        f"{HOST}//c/a",
        f"{HOST}/c/../secret/a",
        f"{HOST}/c/%2e%2e/secret/a",
        f"{HOST}/c/%2e./secret/a",
        f"{HOST}/c/./a",
        f"{HOST}/c/..%5csecret/a",
        f"{HOST}/c\\..\\secret\\a",
        f"{HOST}/c/a#?sig=x",
        f" {HOST}/c/a",
        f"{HOST}/c/a\n",
    ],
)
def test_every_other_form_is_refused(text: str) -> None:
    with pytest.raises(StorageError) as raised:
        copies.parse(text)
    assert raised.value.status == 400


@pytest.mark.parametrize("path", ["//c/a", "/c/../d/a", "/../c/a", "/c/./a", "/c\\a", "/c/.."])
def test_paths_that_could_mean_another_blob_are_refused(path: str) -> None:
    with pytest.raises(StorageError, match="not canonical"):
        refuse_other_forms(path)


def test_ordinary_paths_are_taken() -> None:
    for path in ("/", "/c", "/c/a", "/c/a//b", "/c/a..b/.c", "/c/..a"):
        refuse_other_forms(path)
