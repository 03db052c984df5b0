"""The objects of one cluster: their storage, and what a change of one does to others."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.kubernetes import apply, volumes
from amlite.services.kubernetes.errors import KubernetesError, invalid, not_found
from amlite.services.kubernetes.kinds import (
    CLAIM,
    KINDS,
    NAMESPACE,
    SERVICE_ACCOUNT,
    STORAGE_CLASS,
    Kind,
    name_problem,
)
from amlite.services.kubernetes.published import validation
from amlite.services.kubernetes.storage import Key, Objects

_SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_ADDON_MANAGER = "kubectl-client-side-apply"


@dataclass(frozen=True)
class Request:
    """How an object is written: by whom, whether only to see what would happen, and whether by force."""

    manager: str
    dry: bool = False
    force: bool = False
    strict: bool = True


def found(objects: Objects, key: Key) -> Json:
    """Return an object. KubernetesError 404 if it does not exist."""
    body = objects.get(key)
    if body is None:
        raise not_found(key.kind.resource, key.name)
    return body


def create(objects: Objects, key: Key, wanted: Json, request: Request) -> Json:
    """Create an object. KubernetesError 409 if it exists."""
    if objects.get(key) is not None:
        raise KubernetesError(409, "AlreadyExists", f'{key.kind.resource} "{key.name}" already exists')
    _check_shape(key, wanted, request, by_apply=False)
    return _write(objects, key, wanted, None, {request.manager: wanted}, request)


def applied(objects: Objects, key: Key, wanted: Json, request: Request) -> Json:
    """Create or change an object by server-side apply."""
    _check_shape(key, wanted, request, by_apply=True)
    old, managers = objects.get(key), objects.managers(key)
    body = wanted
    if old is not None:
        body = apply.merged(old, managers, request.manager, wanted, force=request.force)
    owners = apply.owned(managers, request.manager, wanted, force=request.force)
    return _write(objects, key, body, old, owners, request)


def delete(objects: Objects, key: Key, request: Request) -> Json:
    """Delete an object and what belongs to it. A namespace takes everything in it along."""
    body = found(objects, key)
    if key.kind is NAMESPACE and key.name in _SYSTEM_NAMESPACES:
        raise KubernetesError(
            403, "Forbidden", f'namespaces "{key.name}" is forbidden: this namespace may not be deleted'
        )
    if request.dry:
        return body
    if key.kind is NAMESPACE:
        for kind in KINDS:
            for each in objects.list(kind, key.name) if kind.namespaced else []:
                delete(objects, Key(kind, each["metadata"]["name"], key.name), request)
    if key.kind is CLAIM:
        volumes.release(objects, body)
    objects.remove(key)
    return body


def populate(platform: Platform, cluster: str) -> None:
    """Give a new cluster (its ARM id) the objects that every managed cluster has."""
    objects = Objects(platform, cluster)
    request = Request(_ADDON_MANAGER)
    for name in _SYSTEM_NAMESPACES:
        if objects.get(Key(NAMESPACE, name)) is None:
            create(objects, Key(NAMESPACE, name), _object(NAMESPACE, name), request)
    for name, sku in volumes.BUILT_IN.items():
        if objects.get(Key(STORAGE_CLASS, name)) is None:
            create(objects, Key(STORAGE_CLASS, name), volumes.built_in(name, sku), request)


def _write(
    objects: Objects, key: Key, body: Json, old: Json | None, managers: dict[str, Json], request: Request
) -> Json:
    body = _complete(objects, key, body, old)
    if problems := list(key.kind.problems(body, old)):
        raise invalid(key.kind.qualified, key.name, *problems)
    if key.kind is CLAIM and old is not None:
        volumes.check_growth(objects, old, body)
    if old is not None and body == old:
        if not request.dry:
            objects.keep_managers(key, managers)
        return old
    if request.dry:
        return body
    stored = objects.put(key, body, managers)
    if key.kind is NAMESPACE and old is None:
        account = Key(SERVICE_ACCOUNT, "default", key.name)
        create(objects, account, _object(SERVICE_ACCOUNT, "default"), Request("kube-controller-manager"))
    if key.kind in (CLAIM, STORAGE_CLASS):
        volumes.bind_pending(objects)
        return found(objects, key)
    return stored


def _complete(objects: Objects, key: Key, body: Json, old: Json | None) -> Json:
    """Return an object with what the server adds to it."""
    body = copy.deepcopy(body)
    shown = (old or {}).get("metadata") or {}
    metadata = {
        **(body.get("metadata") or {}),
        "name": key.name,
        **({"namespace": key.namespace} if key.namespace is not None else {}),
        "uid": shown.get("uid") or str(uuid.uuid4()),
        "creationTimestamp": shown.get("creationTimestamp") or objects.now(),
        **({"resourceVersion": shown["resourceVersion"]} if old else {}),
    }
    body = {**body, "kind": key.kind.name, "apiVersion": key.kind.api_version, "metadata": metadata}
    body.pop("status", None)  # the server's, whatever a client says
    if old is not None and "status" in old:
        body["status"] = old["status"]
    if old is None:
        if problem := name_problem(key.kind, key.name):
            raise invalid(key.kind.qualified, key.name, problem)
        if key.namespace is not None:
            found(objects, Key(NAMESPACE, key.namespace))
        if key.kind is CLAIM:
            body = volumes.with_default_class(objects, body)
    return key.kind.filled(body)


def _check_shape(key: Key, wanted: Json, request: Request, *, by_apply: bool) -> None:
    """Raise the error of a real API server for a body that is not one of the kind, or not of the request's path."""
    metadata = wanted.get("metadata") or {}
    for field, expected in (("kind", key.kind.name), ("apiVersion", key.kind.api_version)):
        if wanted.get(field, expected) != expected:
            raise KubernetesError(400, "BadRequest", f"{field} must be {expected}, not {wanted[field]}")
    if metadata.get("namespace", key.namespace) != key.namespace:
        raise KubernetesError(
            400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"
        )
    if metadata.get("name", key.name) != key.name:
        raise KubernetesError(
            400,
            "BadRequest",
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({key.name})",
        )
    unknown = validation.unknown_fields(key.kind.name, wanted) if request.strict or by_apply else []
    wrong = validation.wrong_values(key.kind.name, wanted)
    if not (unknown or wrong):
        return
    if by_apply:
        version = key.kind.api_version if key.kind.group else "/v1"
        told = [f"{path}: field not declared in schema" for path in unknown]
        told += [f"{path}: expected {what}" for path, what in wrong]
        raise KubernetesError(
            500,
            "",
            f"failed to create typed patch object ({metadata.get('namespace', '')}/{key.name}; {version}, "
            f"Kind={key.kind.name}): {told[0]}",
        )
    told = [f'unknown field "{path[1:]}"' for path in unknown] + [
        f"{path[1:]}: expected {what}" for path, what in wrong
    ]
    raise KubernetesError(
        400,
        "BadRequest",
        f'{key.kind.name} in version "v1" cannot be handled as a {key.kind.name}: strict decoding error: '
        + ", ".join(told),
    )


def _object(kind: Kind, name: str) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": name}}
