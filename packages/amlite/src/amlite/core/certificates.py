"""The private certificate authority for the production host names on this machine."""

from __future__ import annotations

import logging
import os
import re
import ssl
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

_log = logging.getLogger("amlite.core.certificates")
# The files of trusted authorities on common systems. Python's own default may not exist.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Certificates:
    """Issues a certificate per host name on demand, signed by one authority in the state folder.

    The key has a folder of its own: jobs and model servers see the folder with the certificates.
    """

    def __init__(self, folder: Path, keys: Path) -> None:
        """Load the authority from `folder` and `keys`, or create it there. Only the owner can read the key."""
        for each in (folder, keys):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._key_path = keys / "ca.key"
        if (beside := folder / self._key_path.name).exists():  # of an earlier version
            beside.replace(self._key_path)
        self.authority_path = folder / "ca.pem"
        self._ca = self._load() or self._create()
        self._contexts: dict[str, ssl.SSLContext] = {}

    def bundle(self, inherited: list[str]) -> Path:
        """Write and return a bundle of amlite's authority and the machine's, because clients use only one bundle.

        The machine's are those of the `inherited` files and of the system, or certifi's if there are none.
        """
        path = self._folder / "bundle.pem"
        sources = [*inherited, ssl.get_default_verify_paths().cafile or "", *_SYSTEM_BUNDLES]
        found = [Path(source) for source in dict.fromkeys(sources) if source and Path(source) != path]
        files = [file for file in found if file.is_file()] or [Path(_certifi())]
        blocks = dict.fromkeys(block for file in files for block in _CERTIFICATE.findall(file.read_bytes()))
        content = b"\n".join([self.authority_path.read_bytes(), *blocks]) + b"\n"
        if not path.exists() or path.read_bytes() != content:
            _write(path, content, 0o644)
        return path

    def wget_settings(self, bundle: Path) -> Path:
        """Write and return the settings of wget: no variable tells it of a bundle."""
        path = self._folder / "wgetrc"
        _write(path, f"ca_certificate = {bundle}\n".encode(), 0o644)
        return path

    def _load(self) -> trustme.CA | None:
        """Return the stored authority. Return None if it is missing or broken."""
        try:
            certificate, key = self.authority_path.read_bytes(), self._key_path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            public = serialization.load_pem_private_key(key, None).public_key()
            if x509.load_pem_x509_certificate(certificate).public_key() != public:
                raise ValueError("the key does not match the certificate")
            return trustme.CA.from_pem(certificate, key)
        except ValueError as error:
            _log.warning("%s is broken (%s): a new authority is made", self.authority_path, error)
            return None

    def _create(self) -> trustme.CA:
        authority = trustme.CA(organization_name="amlite", organization_unit_name="local Azure")
        _write(self._key_path, authority.private_key_pem.bytes(), 0o600)
        _write(self.authority_path, authority.cert_pem.bytes(), 0o644)
        return authority

    def server_context(self) -> ssl.SSLContext:
        """Return a TLS context that presents the certificate of the host name that the client requests."""
        context = self._context_for("localhost")
        context.sni_callback = self._on_server_name
        return context

    def _on_server_name(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name:
            try:
                connection.context = self._context_for(name.lower())
            except ValueError:  # not a host name: the client gets the certificate of `localhost` and refuses it
                _log.warning("no certificate for %r", name)

    def _context_for(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._ca.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]


def _certifi() -> str:
    import certifi

    return certifi.where()


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file atomically."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    temporary.replace(path)
