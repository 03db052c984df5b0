"""Storage of an asset's file listings in the state.

Pulumi stores a dynamic resource's inputs and outputs, but passes only the outputs to a refresh, which must return all
inputs. Therefore the outputs also contain each listing (path → digest), compressed to a fifth of its size.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

Props = dict[str, Any]


def packed(props: Mapping[str, Any]) -> Props:
    """Return properties with compressed listings of the asset and its deployment."""
    return _with_listings(props, lambda listing: _pack(listing) if isinstance(listing, dict) and listing else listing)


def unpacked(props: Mapping[str, Any]) -> Props:
    """Return properties with listings as dictionaries. The listings may be compressed or not."""
    return _with_listings(props, lambda listing: _unpack(listing) if isinstance(listing, str) else listing)


def as_kept(observed: Mapping[str, Any], kept: Mapping[str, Any]) -> Props:
    """Return observed properties with the listings of `kept`, because Azure does not store listings."""
    result = dict(observed)
    if "files" in kept:
        result["files"] = kept["files"]
    inner, inner_kept = result.get("deployment"), kept.get("deployment")
    if isinstance(inner, dict) and isinstance(inner_kept, dict):
        result["deployment"] = as_kept(inner, inner_kept)
    return result


def _with_listings(props: Mapping[str, Any], change: Callable[[Any], Any]) -> Props:
    result = dict(props)
    if "files" in result:
        result["files"] = change(result["files"])
    if isinstance(result.get("deployment"), dict):
        result["deployment"] = _with_listings(result["deployment"], change)
    return result


def _pack(listing: Mapping[str, str]) -> str:
    text = json.dumps(listing, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _unpack(text: str) -> dict[str, str]:
    return dict(json.loads(zlib.decompress(base64.b64decode(text))))
