"""What a command prints if the running process refuses its request."""

from __future__ import annotations

import email.message
import io
import json
import urllib.error

import click
import pytest

from amlite.cli import connection
from amlite.control import client
from amlite.core.runtime import Runtime


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            json.dumps({"error": {"code": "UserError", "message": "There is no job 'x'.", "details": []}}),
            "There is no job 'x'.",
        ),
        ("Bad gateway", "Bad gateway"),
        ("[]", "[]"),
    ],
)
def test_a_refusal_is_told_by_its_message(monkeypatch: pytest.MonkeyPatch, answer: str, said: str) -> None:
    def refuse(*_: object) -> None:
        body = io.BytesIO(answer.encode())
        raise urllib.error.HTTPError("https://amlite", 400, "Bad Request", email.message.Message(), body)

    monkeypatch.setattr(client, "ask", refuse)
    running = Runtime(1, 0.0, 1, {})
    with pytest.raises(click.ClickException) as raised:
        connection.ask(running, "GET", "/jobs/x")
    assert raised.value.message == f"amlite refused: {said}"
