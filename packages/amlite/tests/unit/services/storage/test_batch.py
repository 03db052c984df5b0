from __future__ import annotations

import pytest

from amlite.services.storage import batch

TYPE = "multipart/mixed; boundary=batch_1"
ONE = (
    "--batch_1\r\nContent-Type: application/http\r\nContent-ID: 7\r\n\r\n"
    "DELETE /c/a%20b?timeout=1 HTTP/1.1\r\nx-ms-date: now\r\nAuthorization: Bearer x\r\n\r\n\r\n"
)


def test_requests_are_found_with_their_ids_and_headers() -> None:
    (part,) = batch.parse(TYPE, f"{ONE}--batch_1--\r\n".encode())
    assert part == batch.Part("7", "DELETE", "/c/a%20b?timeout=1", {"x-ms-date": "now", "authorization": "Bearer x"})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        (TYPE, b""),
        (TYPE, b"--batch_1--"),
        (TYPE, b"--batch_1\r\n\r\nhello\r\n--batch_1--"),
        (TYPE, b"\xff\xfe"),
        (TYPE, (ONE * 257 + "--batch_1--").encode()),
        pytest.param(
            TYPE,
            f"{ONE.replace('now', 'now' + chr(13) + 'x-ms-a: b')}--batch_1--".encode(),
            id="a control character in a header",
            marks=pytest.mark.attack,
        ),
    ],
)
def test_what_is_no_batch_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each with words of its own
        batch.parse(content_type, body)


async def test_answers_keep_their_requests_ids() -> None:
    async def send(part: batch.Part) -> tuple[int, dict[str, str], str]:
        return (404, {"x-ms-error-code": "BlobNotFound"}, "gone")

    answer = await batch.answer([batch.Part("7", "DELETE", "/c/a", {})], send)
    assert isinstance(answer.body, bytes)
    text = answer.body.decode()
    assert answer.status == 202
    assert text.startswith(f"--{answer.headers['Content-Type'].partition('boundary=')[2]}\r\n")
    assert "Content-ID: 7\r\n\r\nHTTP/1.1 404 Not Found\r\nx-ms-error-code: BlobNotFound\r\n\r\ngone\r\n--" in text
