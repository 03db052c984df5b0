"""The provider ends with the engine that started it."""

from __future__ import annotations

import os
import socket
import sys
import threading

import pytest

from pulumi_azureml import engine_watch


def test_the_provider_ends_when_no_engine_listens_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = socket.create_server(("127.0.0.1", 0))
    host, port = engine.getsockname()

    def ended(code: int) -> None:
        raise SystemExit(code)

    def pause(_seconds: float) -> None:
        engine.close()

    def idle() -> None:
        engine.accept()[0].close()  # as the engine does with a connection that asks for nothing

    monkeypatch.setattr(os, "_exit", ended)
    monkeypatch.setattr(engine_watch.time, "sleep", pause)
    closing = threading.Thread(target=idle)
    closing.start()
    with pytest.raises(SystemExit):
        engine_watch._watch(host, port)
    closing.join()


@pytest.mark.parametrize(("last", "watches"), [("127.0.0.1:4711", True), ("tests/unit", False), ("example:80", False)])
def test_only_a_process_of_an_engine_watches_it(last: str, watches: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    class Thread:
        def __init__(self, *, target: object, args: tuple[str, int], daemon: bool) -> None:
            assert (target, daemon) == (engine_watch._watch, True)
            started.append(args)

        def start(self) -> None:
            pass

    monkeypatch.setattr(sys, "argv", ["-m", last])
    monkeypatch.setattr(threading, "Thread", Thread)
    engine_watch.end_with_engine.cache_clear()
    engine_watch.end_with_engine()
    assert started == ([("127.0.0.1", 4711)] if watches else [])
