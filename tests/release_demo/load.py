"""Callers of an endpoint, in a process of their own: `python -m tests.release_demo.load URI KEY REQUEST.JSON`.

Each caller keeps its connection open and sends one request after another, until standard input ends. Then the process
prints the number of requests by result, as JSON. A line on standard input asks for the numbers so far.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import aiohttp

CALLERS = 2
_SECONDS = 30


async def send(
    session: aiohttp.ClientSession, uri: str, body: bytes, ended: asyncio.Event, results: Counter[str]
) -> None:
    """Send requests until the end, and count their results."""
    while not ended.is_set():
        try:
            async with session.post(uri, data=body) as answer:
                content = await answer.read()
            result = "answered" if answer.ok and b'"predictions"' in content else f"{answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            result = type(error).__name__
        results[result] += 1


async def call(uri: str, key: str, body: bytes) -> None:
    """Let the callers send until standard input ends."""
    ended, results = asyncio.Event(), Counter[str]()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=True) as session:
        callers = [asyncio.create_task(send(session, uri, body, ended, results)) for _ in range(CALLERS)]
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(results), flush=True)
        ended.set()
        await asyncio.gather(*callers)
    print(json.dumps(results), flush=True)


def main(uri: str, key: str, request: str) -> None:
    """Call the endpoint until standard input ends."""
    asyncio.run(call(uri, key, Path(request).read_bytes()))


if __name__ == "__main__":
    main(*sys.argv[1:])
