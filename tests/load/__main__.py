"""Callers of an endpoint: `python -m tests.load ADDRESS REQUEST.JSON --connections N`.

The first line of standard input is the endpoint's key. Each caller keeps its connection open and sends one request
after another, until standard input ends. Then the process prints the number of requests by result, as JSON. Another
line on standard input asks for the numbers so far.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import click

_SECONDS = 60


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


async def call(address: str, key: str, body: bytes, connections: int) -> None:
    """Let the callers send until standard input ends."""
    ended, results = asyncio.Event(), Counter[str]()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    is_url = "://" in address
    connector = aiohttp.TCPConnector(limit=connections) if is_url else aiohttp.UnixConnector(address, limit=connections)
    uri = address if is_url else "http://localhost/score"
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, trust_env=is_url, connector=connector
    ) as session:
        callers = [asyncio.create_task(send(session, uri, body, ended, results)) for _ in range(connections)]
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(results), flush=True)
        ended.set()
        await asyncio.gather(*callers)
    print(json.dumps(results), flush=True)


@click.command()
@click.argument("address")
@click.argument("request", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--connections", default=1, show_default=True, help="The number of callers.")
def main(address: str, request: Path, connections: int) -> None:
    """Call the endpoint until standard input ends."""
    asyncio.run(call(address, sys.stdin.readline().strip(), request.read_bytes(), connections))


if __name__ == "__main__":
    main()
