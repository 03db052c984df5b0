"""Callers of an endpoint, in a process of their own: `python -m tests.release_demo.load URI KEY REQUEST.JSON`.

Sends requests one after another from each of two workers, until standard input ends. Then prints the numbers as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from pathlib import Path

import requests

WORKERS = 2
_SECONDS = 30


def send(uri: str, key: str, body: str, ended: threading.Event, results: Counter[str]) -> None:
    """Send requests until the end, and count their results."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with requests.Session() as session:
        while not ended.is_set():
            try:
                answer = session.post(uri, data=body, headers=headers, timeout=_SECONDS)
                result = "answered" if answer.ok and "predictions" in answer.json() else f"{answer.status_code}"
            except (requests.RequestException, ValueError) as error:
                result = type(error).__name__
            results[result] += 1


def main(uri: str, key: str, request: str) -> None:
    """Send until standard input ends. A line on standard input asks for the numbers so far."""
    ended, counters = threading.Event(), [Counter[str]() for _ in range(WORKERS)]
    body = Path(request).read_text("utf-8")
    threads = [threading.Thread(target=send, args=(uri, key, body, ended, each)) for each in counters]
    for each in threads:
        each.start()
    for _line in sys.stdin:
        print(json.dumps(sum(counters, Counter())), flush=True)
    ended.set()
    for each in threads:
        each.join()
    print(json.dumps(sum(counters, Counter())), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
