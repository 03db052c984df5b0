"""The private certificate authority that vouches for the production host names on this machine."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme


class Certificates:
    """Issues a certificate per host name on demand, signed by one authority kept in the state folder."""

    def __init__(self, folder: Path) -> None:
        """Load the authority from `folder`, or create it there (key readable by the owner alone)."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.authority_path = folder / "ca.pem"
        key_path = folder / "ca.key"
        if self.authority_path.exists() and key_path.exists():
            self._ca = trustme.CA.from_pem(self.authority_path.read_bytes(), key_path.read_bytes())
        else:
            self._ca = trustme.CA(organization_name="amlite", organization_unit_name="local Azure")
            _write_private(key_path, self._ca.private_key_pem.bytes())
            self.authority_path.write_bytes(self._ca.cert_pem.bytes())
        self._contexts: dict[str, ssl.SSLContext] = {}

    def bundle(self, inherited: str | None) -> Path:
        """Write and return a bundle of the machine's authorities and ours (clients replace, never extend, theirs)."""
        path = self._folder / "bundle.pem"
        parts = [self.authority_path.read_bytes()]
        for candidate in (inherited, ssl.get_default_verify_paths().cafile, _certifi()):
            if candidate and Path(candidate).is_file() and Path(candidate) != path:
                parts.append(Path(candidate).read_bytes())
                break
        content = b"\n".join(parts)
        if not path.exists() or path.read_bytes() != content:
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(content)
            temporary.replace(path)
        return path

    def server_context(self) -> ssl.SSLContext:
        """Return a TLS context that answers to whichever host name the client asks for."""
        context = self._context_for("localhost")
        context.sni_callback = self._on_server_name
        return context

    def _on_server_name(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name:
            connection.context = self._context_for(name.lower())

    def _context_for(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._ca.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]


def _certifi() -> str:
    import certifi

    return certifi.where()


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
