"""Conversion between Pulumi property values and plain JSON.

The SDK's own `PropertyValue` is not used: in pulumi 3.259, it neither reads nor writes nested unknown values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.runtime import rpc


class _Unknown:
    """A value that only a later operation will know (an output of a resource not created yet)."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = _Unknown()


class UnsupportedValueError(ValueError):
    """A property has a value without a JSON form: an asset, an archive or a resource reference."""


def _opened(value: struct_pb2.Value) -> struct_pb2.Value:
    """Return the value inside a secret or an output value, which are objects with a signature on the wire."""
    fields = value.struct_value.fields if value.HasField("struct_value") else {}
    signature = fields[rpc._special_sig_key].string_value if rpc._special_sig_key in fields else ""
    if signature == rpc._special_secret_sig:
        return _opened(fields["value"])
    if signature == rpc._special_output_value_sig:
        return _opened(fields["value"]) if "value" in fields else struct_pb2.Value(string_value=rpc.UNKNOWN)
    if signature:
        raise UnsupportedValueError("assets, archives and resources cannot be sent to Azure, give a plain value")
    return value


def _plain(value: struct_pb2.Value) -> Any:
    value = _opened(value)
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return plain(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        # Protobuf has only doubles, but ARM needs integers.
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    return value.bool_value if kind == "bool_value" else None


def plain(properties: struct_pb2.Struct) -> dict[str, Any]:
    """Return the properties as JSON values: secrets as plain values, without nulls, with `UNKNOWN` for unknown values.

    Keys that start with `__` belong to the engine and are omitted. Raises `UnsupportedValueError`.
    """
    return {
        key: content
        for key, value in properties.fields.items()
        if not key.startswith("__") and (content := _plain(value)) is not None
    }


def _is_secret(value: struct_pb2.Value) -> bool:
    if value.HasField("list_value"):
        return any(_is_secret(item) for item in value.list_value.values)
    if not value.HasField("struct_value"):
        return False
    fields = value.struct_value.fields
    if rpc._special_sig_key in fields:
        signature = fields[rpc._special_sig_key].string_value
        if signature == rpc._special_secret_sig or ("secret" in fields and fields["secret"].bool_value):
            return True
    return any(_is_secret(item) for item in fields.values())


def secret_keys(properties: struct_pb2.Struct) -> frozenset[str]:
    """Return the names of the top-level properties that are or contain a secret."""
    return frozenset(key for key, value in properties.fields.items() if _is_secret(value))


def _value(content: Any) -> struct_pb2.Value:
    if content is UNKNOWN:
        return struct_pb2.Value(string_value=rpc.UNKNOWN)
    if isinstance(content, Mapping):
        return struct_pb2.Value(struct_value=struct(content))
    if isinstance(content, (list, tuple)):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_value(item) for item in content]))
    if isinstance(content, bool):
        return struct_pb2.Value(bool_value=content)
    if isinstance(content, (int, float)):
        return struct_pb2.Value(number_value=content)
    if content is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    return struct_pb2.Value(string_value=content)


def _secret(value: struct_pb2.Value) -> struct_pb2.Value:
    signature = struct_pb2.Value(string_value=rpc._special_secret_sig)
    fields = {rpc._special_sig_key: signature, "value": value}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))


def struct(content: Mapping[str, Any], secrets: frozenset[str] = frozenset()) -> struct_pb2.Struct:
    """Return JSON values (and `UNKNOWN`) as properties. Those in `secrets` are marked as secret."""
    return struct_pb2.Struct(
        fields={key: _secret(_value(item)) if key in secrets else _value(item) for key, item in content.items()}
    )


def contains_unknown(content: Any) -> bool:
    """Whether a value is or contains `UNKNOWN`."""
    if isinstance(content, Mapping):
        return any(contains_unknown(item) for item in content.values())
    if isinstance(content, (list, tuple)):
        return any(contains_unknown(item) for item in content)
    return content is UNKNOWN


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the differences between two property maps: path (`a.b[0].c`) -> "add", "delete" or "update".

    An unknown new value counts as an update, because it may differ.
    """
    found: dict[str, str] = {}
    for key in sorted(old.keys() | new.keys()):
        path = f"{prefix}.{key}" if prefix else key
        if key not in old:
            found[path] = "add"
        elif key not in new:
            found[path] = "delete"
        else:
            found |= _difference(old[key], new[key], path)
    return found


def _difference(old: Any, new: Any, path: str) -> dict[str, str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return differences(old, new, path)
    if isinstance(old, list) and isinstance(new, list):
        found: dict[str, str] = {}
        for index in range(max(len(old), len(new))):
            item = f"{path}[{index}]"
            if index >= len(old):
                found[item] = "add"
            elif index >= len(new):
                found[item] = "delete"
            else:
                found |= _difference(old[index], new[index], item)
        return found
    return {path: "update"} if new is UNKNOWN or old != new else {}
