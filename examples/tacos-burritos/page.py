"""Serves a page on this machine to which a person can drop a picture. The key of the endpoint stays here.

python page.py -s dev
"""

from __future__ import annotations

import http.server
import json
import secrets
import threading
import webbrowser
from pathlib import Path

import click
import requests
from endpoint import Endpoint

from release.errors import ReleaseError
from release.stack import PulumiStack
from release.terminal.options import folder_option, stack_option

HERE = Path(__file__).parent
PAGE = HERE / "page" / "index.html"
ENDPOINT = "tacos-burritos"
MOST_BYTES = 5 << 20
_NAMES, _OWN = ("127.0.0.1", "localhost"), "same-origin"


@click.command(help=__doc__)
@folder_option(HERE)
@click.option("--port", default=8000, show_default=True, help="Port on loopback.")
@click.option("--open/--no-open", "opens", default=True, help="Open the page in a browser.")
@stack_option
def main(port: int, opens: bool, stack: str) -> None:
    """Serve the page until you press Ctrl-C."""
    outputs = PulumiStack(stack).deployed()
    endpoint = Endpoint.of(outputs, ENDPOINT)
    place = f"/{secrets.token_urlsafe(16)}/"  # other users of the machine reach the port, too
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler(endpoint, place))
    except OSError as error:
        raise ReleaseError(f"port {port} cannot be used: {error.strerror}", fix="choose another with --port") from error
    address = f"http://127.0.0.1:{server.server_address[1]}{place}"
    click.echo(f"{address}  (Ctrl-C ends it)")
    if opens:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo()


def handler(endpoint: Endpoint, place: str) -> type[http.server.BaseHTTPRequestHandler]:
    """Return the handler of requests below a secret path: the page, and a picture for the endpoint."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == place
            self._send(200 if found else 404, "text/html; charset=utf-8", PAGE.read_bytes() if found else b"")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length") or "0"
            size = int(length) if length.isdecimal() else MOST_BYTES + 1
            # A page of another site could send pictures too, but a browser tells where a request comes from, and which
            # name led here: the DNS of that site may say that it is this machine.
            here = self.headers.get("Host", "").rpartition(":")[0] in _NAMES
            if not here or self.path != f"{place}score" or self.headers.get("Sec-Fetch-Site", _OWN) != _OWN:
                self._answer(403, {"error": "only this page may ask"})
            elif size > MOST_BYTES:
                self._answer(413, {"error": f"the picture is larger than {MOST_BYTES >> 20} MB"})
            else:
                try:
                    answer = endpoint.post(self.rfile.read(size), self.headers.get("Content-Type", "image/png"))
                except requests.RequestException as error:
                    self._answer(502, {"error": f"the endpoint does not answer: {error}"})
                else:
                    self._answer(answer.status, answer.content)

        def _answer(self, status: int, content: dict[str, object]) -> None:
            self._send(status, "application/json", json.dumps(content).encode())

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler


if __name__ == "__main__":
    main()
