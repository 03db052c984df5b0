"""The kinds of objects: where they are in the API, what a new one gets, and what is wrong with one."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from amlite.core.wire import Json
from amlite.services.kubernetes.published.validation import QUANTITY

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_FACTORS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_RECLAIM, _BINDING = ("Delete", "Retain"), ("Immediate", "WaitForFirstConsumer")
IMMUTABLE_CLAIM = (
    "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims"
)


@dataclass(frozen=True)
class Kind:
    """One kind. `filled` adds defaults to an object, and `problems` says what is wrong with it, given the old one."""

    name: str
    plural: str
    group: str = ""
    namespaced: bool = True
    writable: bool = True
    filled: Callable[[Json], Json] = lambda body: body
    problems: Callable[[Json, Json | None], Iterator[str]] = lambda _body, _old: iter(())

    @property
    def api_version(self) -> str:
        """The group and version, such as `storage.k8s.io/v1`."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def resource(self) -> str:
        """The plural with the group, as in messages: `storageclasses.storage.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """The kind with the group, as in messages: `StorageClass.storage.k8s.io`."""
        return f"{self.name}.{self.group}" if self.group else self.name


def name_problem(kind: Kind, name: str) -> str | None:
    """Return what is wrong with the name of an object."""
    if kind.name == "Namespace":
        form, longest, rule = (
            _LABEL,
            63,
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters",
        )
        allowed = "or '-'"
    else:
        form, longest = rf"{_LABEL}(\.{_LABEL})*", 253
        rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters,"
        allowed = "'-' or '.'"
    if len(name) <= longest and re.fullmatch(form, name):
        return None
    return (
        f'metadata.name: Invalid value: "{name}": {rule} {allowed}, and must start and end with an alphanumeric '
        "character"
    )


def amount(quantity: object) -> float:
    """Return the number of a quantity, such as `5Gi`."""
    found = QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is not a quantity")
    return float(found[1]) * _FACTORS.get(found[3] or "", 1)


def requested(claim: Json) -> str | None:
    """Return the requested size of a claim."""
    size = ((claim.get("spec", {}).get("resources") or {}).get("requests") or {}).get("storage")
    return None if size is None else str(size)


def _namespace(body: Json) -> Json:
    metadata = body["metadata"]
    labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    return {
        **body,
        "metadata": {**metadata, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _secret(body: Json) -> Json:
    plain = body.pop("stringData", None) or {}
    encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in plain.items()}
    data = {**(body.get("data") or {}), **encoded}
    return {"type": "Opaque", **body, **({"data": data} if data else {})}


def _secret_problems(body: Json, old: Json | None) -> Iterator[str]:
    for name, value in (body.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            yield f"data[{name}]: Invalid value: must be base64"
    if old and body["type"] != old["type"]:
        yield f'type: Invalid value: "{body["type"]}": field is immutable'
    if old and old.get("immutable") and body.get("data") != old.get("data"):
        yield "data: Forbidden: field is immutable when `immutable` is set"


def _claim(body: Json) -> Json:
    spec = {"volumeMode": "Filesystem", **(body.get("spec") or {})}
    return {"status": {"phase": "Pending"}, **body, "spec": spec}


def _claim_problems(body: Json, old: Json | None) -> Iterator[str]:
    spec = body["spec"]
    modes = spec.get("accessModes") or []
    if not modes:
        yield "spec.accessModes: Required value: at least 1 access mode is required"
    for mode in modes:
        if mode not in _MODES:
            listed = ", ".join(f'"{each}"' for each in sorted(_MODES))
            yield f'spec.accessModes: Unsupported value: "{mode}": supported values: {listed}'
    size = requested(body)
    if size is None:
        yield "spec.resources[storage]: Required value"
    elif amount(size) <= 0:
        yield f'spec.resources[storage]: Invalid value: "{size}": must be greater than zero'
    if old is None:
        return
    before = {**old["spec"], "resources": None}
    if {**spec, "resources": None} != before:
        yield IMMUTABLE_CLAIM
    capacity = (old.get("status", {}).get("capacity") or {}).get("storage")
    if size is not None and capacity is not None and amount(size) < amount(capacity):
        yield "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    elif size is not None and capacity is None and size != requested(old):
        yield IMMUTABLE_CLAIM


def _storage_class(body: Json) -> Json:
    return {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", **body}


def _class_problems(body: Json, old: Json | None) -> Iterator[str]:
    if not body.get("provisioner"):
        yield "provisioner: Required value: must not be empty"
    for key, values in (("reclaimPolicy", _RECLAIM), ("volumeBindingMode", _BINDING)):
        if body[key] not in values:
            listed = ", ".join(f'"{each}"' for each in values)
            yield f'{key}: Unsupported value: "{body[key]}": supported values: {listed}'
    if old is None:
        return
    for key in ("parameters", "provisioner", "reclaimPolicy"):
        if body.get(key) != old.get(key):
            yield f"{key}: Forbidden: updates to {key} are forbidden."
    if body["volumeBindingMode"] != old["volumeBindingMode"]:
        yield f'volumeBindingMode: Invalid value: "{body["volumeBindingMode"]}": field is immutable'


NAMESPACE = Kind("Namespace", "namespaces", namespaced=False, filled=_namespace)
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts")
SECRET = Kind("Secret", "secrets", filled=_secret, problems=_secret_problems)
CLAIM = Kind("PersistentVolumeClaim", "persistentvolumeclaims", filled=_claim, problems=_claim_problems)
VOLUME = Kind("PersistentVolume", "persistentvolumes", namespaced=False, writable=False)
STORAGE_CLASS = Kind(
    "StorageClass",
    "storageclasses",
    "storage.k8s.io",
    namespaced=False,
    filled=_storage_class,
    problems=_class_problems,
)
KINDS = (NAMESPACE, SERVICE_ACCOUNT, SECRET, CLAIM, VOLUME, STORAGE_CLASS)
