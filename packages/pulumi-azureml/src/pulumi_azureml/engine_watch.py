"""Ends the provider's process with the engine, even if the engine was killed.

The engine ends its plugins when it ends, unless it was killed. Pulumi's dynamic provider then continues with its work,
beside the next update. Its last argument is the address at which the engine listens.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import sys
import threading
import time

_ADDRESS = re.compile(r"(127\.0\.0\.1|localhost):(\d+)")
_PAUSE_SECONDS = 1.0
_CODE = 1


@functools.cache
def end_with_engine() -> None:
    """Watch the engine that started this process. Does nothing in a process that no engine started."""
    found = _ADDRESS.fullmatch(sys.argv[-1])
    if found:
        threading.Thread(target=_watch, args=(found[1], int(found[2])), daemon=True).start()


def _watch(host: str, port: int) -> None:
    while True:
        try:
            # The connection breaks at the moment at which the engine ends. The engine closes an idle one, too.
            with socket.create_connection((host, port)) as connection:
                while connection.recv(1024):
                    pass
        except ConnectionRefusedError:
            os._exit(_CODE)  # not sys.exit, which would wait for the calls that are still running
        except OSError:
            pass  # the connection broke; whether the engine still listens shows the next attempt
        time.sleep(_PAUSE_SECONDS)
