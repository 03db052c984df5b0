"""Addresses of git repositories, which can contain a password or a token."""

from __future__ import annotations

import re

# A name alone, as in ssh://git@host, is no secret. A token is often in its place, with https.
_SECRET = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*@|(?<=https://)[^/@\s]+@", re.IGNORECASE)


def without_secret(text: str) -> str:
    """Return a text without the passwords and tokens in its addresses."""
    return _SECRET.sub("", text)


def has_secret(address: str) -> bool:
    """Whether an address contains a password or a token."""
    return _SECRET.search(address) is not None
