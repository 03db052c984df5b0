from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
import trustme

from amlite.core.certificates import Certificates


def _handshake(certificates: Certificates, authority: Path, host: str) -> dict[str, object]:
    """Shake hands in memory as a client that trusts `authority` and wants `host`; return the certificate it got."""
    context = ssl.create_default_context(cafile=str(authority))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificates.server_context().wrap_bio(to_server, to_client, server_side=True)
    client = context.wrap_bio(to_client, to_server, server_hostname=host)
    done = False
    while not done:
        done = True
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                done = False
    return dict(client.getpeercert() or {})


@pytest.mark.parametrize(
    "host", ["management.azure.com", "st1.blob.core.windows.net", "a-b.westeurope.inference.ml.azure.com"]
)
def test_every_host_gets_its_own_certificate(tmp_path: Path, host: str) -> None:
    certificates = Certificates(tmp_path / "certificates", tmp_path / "certificates-keys")
    assert _handshake(certificates, certificates.authority_path, host)["subjectAltName"] == (("DNS", host),)


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    certificates, other = (
        Certificates(tmp_path / "a", tmp_path / "a-keys"),
        Certificates(tmp_path / "b", tmp_path / "b-keys"),
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(certificates, other.authority_path, "management.azure.com")


def test_authority_is_kept(tmp_path: Path) -> None:
    before = Certificates(tmp_path / "c", tmp_path / "c-keys").authority_path.read_bytes()
    again = Certificates(tmp_path / "c", tmp_path / "c-keys")
    assert again.authority_path.read_bytes() == before
    _handshake(again, again.authority_path, "management.azure.com")


def test_key_is_the_owners_alone(tmp_path: Path) -> None:
    Certificates(tmp_path / "c", tmp_path / "c-keys")
    assert stat.S_IMODE((tmp_path / "c-keys" / "ca.key").stat().st_mode) == 0o600
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700 for name in ("c", "c-keys"))


@pytest.mark.attack
def test_the_key_is_not_where_jobs_read_the_certificates(tmp_path: Path) -> None:
    """An earlier version had it there."""
    before = Certificates(tmp_path / "c", tmp_path / "c-keys").authority_path.read_bytes()
    (tmp_path / "c-keys" / "ca.key").rename(tmp_path / "c" / "ca.key")
    assert Certificates(tmp_path / "c", tmp_path / "c-keys").authority_path.read_bytes() == before
    assert [each.name for each in (tmp_path / "c").iterdir()] == ["ca.pem"]


@pytest.mark.parametrize("broken", ["ca.key", "ca.pem"])
@pytest.mark.parametrize("how", ["half", "garbage", "empty", "missing", "of another"])
def test_broken_authority_is_made_anew(tmp_path: Path, broken: str, how: str) -> None:
    old = Certificates(tmp_path / "c", tmp_path / "c-keys").authority_path.read_bytes()
    file = tmp_path / ("c-keys" if broken == "ca.key" else "c") / broken
    if how == "missing":
        file.unlink()
    else:
        another = trustme.CA()
        content = another.private_key_pem.bytes() if broken == "ca.key" else another.cert_pem.bytes()
        file.write_bytes(
            {"half": file.read_bytes()[:100], "garbage": b"\0garbage", "empty": b"", "of another": content}[how]
        )
    again = Certificates(tmp_path / "c", tmp_path / "c-keys")
    assert again.authority_path.read_bytes() != old
    _handshake(again, again.authority_path, "management.azure.com")


def test_bundle_holds_our_authority_and_each_of_the_machines_once(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "c", tmp_path / "c-keys")
    corporate = tmp_path / "corporate.pem"
    corporate.write_bytes(trustme.CA().cert_pem.bytes())
    bundle = certificates.bundle([str(corporate), str(corporate), str(tmp_path / "missing.pem")])
    text = bundle.read_text()
    assert text.count(certificates.authority_path.read_text().strip()) == 1
    assert text.count(corporate.read_text().strip()) == 1
    ssl.create_default_context(cafile=str(bundle))
    assert certificates.bundle([str(corporate), str(bundle)]).read_text() == text, "its own bundle is no source"


def test_name_that_is_no_host_name_gets_no_certificate_and_harms_nobody(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "c", tmp_path / "c-keys")
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(certificates, certificates.authority_path, "not_a_host.example")
    _handshake(certificates, certificates.authority_path, "management.azure.com")
