"""amlite from nothing to ready, beside moto_server, each with an empty state."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground
from tests.checkout import ROOT, clean_environment


def measure(ground: Ground) -> list[Figure]:
    """Time `amlite start`, which returns when Resource Manager and tokens answer, and moto_server's first answer."""
    moto = str(ground.peer("moto") / "moto_server")
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ground.runs):
        _amlite(ground, ours)
        _moto(moto, theirs)
    return [Figure("amlite start to ready", ours, "<= 1 s, and faster", "moto_server to its first answer", theirs)]


def _amlite(ground: Ground, samples: list[float]) -> None:
    state = ground.folder()
    program = str(ROOT / ".venv" / "bin" / "amlite")
    environment = {**clean_environment(), "AMLITE_STATE": str(state)}
    try:
        with timed(samples):
            subprocess.run([program, "start"], env=environment, check=True, capture_output=True)
    finally:
        subprocess.run([program, "stop"], env=environment, check=True, capture_output=True)
        shutil.rmtree(state)


def _moto(program: str, samples: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "-H", "127.0.0.1", "-p", str(port)]
    with timed(samples):
        server = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not _answers(port):
            if server.poll() is not None:
                raise RuntimeError(f"moto_server ended with {server.returncode}")
            time.sleep(0.005)
    server.terminate()
    server.wait()


def _answers(port: int) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
