"""The shell that the Pulumi engine calls. It forwards to `operations.kinds` and holds no state and no credential.

The engine keeps this class by its import path in every stack's state: `pulumi_azureml.provider.AzureMLProvider` and its
attributes are a contract that cannot be renamed (docs/adr/0031).
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, TextIO, TypeVar

from pulumi import dynamic
from pulumi.runtime.rpc import UNKNOWN

from pulumi_azureml.engine_watch import end_with_engine
from pulumi_azureml.operations import existing
from pulumi_azureml.operations.connection import connect, place_of
from pulumi_azureml.operations.errors import AGAIN, AssetError
from pulumi_azureml.operations.kind import Operations
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.operations.listings import as_kept, packed, unpacked
from pulumi_azureml.operations.managed_network import ManagedNetworkOperations
from pulumi_azureml.operations.retry import can_pass, confirmed, limit_operations, persistently
from pulumi_azureml.planning.config_keys import ConfigKeys

_T = TypeVar("_T")
_WORKERS = 32
_IDENTITY = ("workspace", "registry", "name")
# Names of kinds in states written by versions before 0.3.0.
_EARLIER_NAMES = {"endpoint": "online_endpoint"}
# What is not an asset has operations too, and no file.
_NOT_ASSETS: dict[str, Operations] = {"managed_network": ManagedNetworkOperations()}


class AzureMLProvider(dynamic.ResourceProvider):
    """Creates, updates, reads and deletes one kind of resource. A resource's id is its name."""

    serialize_as_secret_always = False

    # States of versions before 0.3.0 have none.
    config_keys: Mapping[str, str] = MappingProxyType({})

    def __init__(self, kind: str, config_keys: ConfigKeys | None = None) -> None:
        """Take the kind's name in `OPERATIONS` and the configuration keys of the program's options."""
        super().__init__()
        self.kind = kind
        if config_keys is not None and config_keys != ConfigKeys():
            # A dictionary, because a class would put its import path into every state: one more contract.
            self.config_keys = kept(config_keys, self._operations.options)

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Widen the engine's pool of four threads, so that a slow endpoint does not hold back every asset.

        The wait limit for Azure operations is not an input of any resource, so changing it updates no resource.
        """
        end_with_engine()
        _widen_thread_pool()
        minutes = _configured(req, self._keys.operation_minutes)
        if minutes is not None:
            limit_operations(60 * float(minutes))
        if not isinstance(sys.stderr, _WithoutProgress):
            sys.stdout, sys.stderr = _WithoutProgress(sys.stdout), _WithoutProgress(sys.stderr)
        _show_log()

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Refuse inputs that the kind reports as invalid, as early as the preview.

        Failures omit the input's name, because the engine would print its whole value before the reason.
        """
        before, after = _plain(olds), _plain(news)
        if _replaced(before, after):
            before = {}
        known, wanted = _known(before), _known(after)
        with self._told():
            wrong = {**self._operations.check_inputs(known, wanted), **existing.refusals(known, wanted)}
        for reason in wrong.values():
            if isinstance(reason, AssetError):
                reason.name_option(self._keys)
        return dynamic.CheckResult(news, [dynamic.CheckFailure("", str(reason)) for reason in wrong.values()])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Compare the significant inputs. A changed name or workspace replaces the resource."""
        olds = _plain(olds)
        replaces = _replaced(olds, news)
        changed = [key for key in self._operations.significant if _differs(olds.get(key), news.get(key))]
        return dynamic.DiffResult(changes=bool(replaces or changed), replaces=replaces)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Create the resource, or take over what an earlier attempt left."""
        return dynamic.CreateResult(props["name"], self._upsert(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Bring the resource to its new inputs."""
        return dynamic.UpdateResult(self._upsert(news))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the resource back as inputs, so that a preview after a refresh shows what others changed."""
        plain = _plain(props)
        operations = self._operations

        def look() -> dict[str, Any] | None:
            return operations.observe(connect(place_of(plain)), plain)

        observed = self._attempt(lambda: confirmed(look), plain)
        if observed is None:
            return dynamic.ReadResult("", {})
        inputs = {key: value for key, value in observed.items() if key not in operations.outputs}
        return dynamic.ReadResult(id_, as_kept(observed, props), inputs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Delete the resource, or archive what Azure cannot delete."""
        plain = _plain(props)
        operations = self._operations
        self._attempt(lambda: operations.remove(connect(place_of(plain)), plain), plain)

    def _upsert(self, props: dict[str, Any]) -> dict[str, Any]:
        plain = _plain(props)
        operations = self._operations
        outputs = self._attempt(lambda: operations.upsert(connect(place_of(plain)), plain), plain)
        return packed({**plain, **outputs})

    @property
    def _operations(self) -> Operations:
        return _NOT_ASSETS.get(self.kind) or OPERATIONS[_EARLIER_NAMES.get(self.kind, self.kind)]

    @property
    def _keys(self) -> ConfigKeys:
        return ConfigKeys(**self.config_keys)

    def _attempt(self, attempt: Callable[[], _T], props: dict[str, Any]) -> _T:
        with self._told():
            return persistently(attempt, self._operations.label(props))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Let an error name the program's options, and say if it can pass."""
        try:
            yield
        except Exception as error:
            if isinstance(error, AssetError):
                error.name_option(self._keys)
            if can_pass(error):
                raise AssetError(f"{error} {AGAIN}") from error
            raise


def kept(config_keys: ConfigKeys, options: Iterable[str]) -> dict[str, str]:
    """Return the keys of some options, as a state keeps them."""
    return {option: getattr(config_keys, option) for option in options}


class _WithoutProgress(io.TextIOBase):
    """Filters this process's output for the engine: drops the colour codes and dots azure-ai-ml prints as progress."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if text.strip("\x1b[39m. \r\n") or not text.strip("\n"):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


class _Output(logging.StreamHandler[TextIO]):
    """Prints to the current standard output."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout


def _show_log() -> None:
    """Report the phases of long operations: the engine shows each line that this process prints at once."""
    log = logging.getLogger("pulumi_azureml")
    if not log.handlers:
        log.addHandler(_Output())
        log.setLevel(logging.INFO)


def _configured(req: dynamic.ConfigureRequest, key: str) -> Any:
    """Return a value of the stack's configuration. The engine passes objects as JSON."""
    name, *path = key.split(".")
    value = req.config.get(name)
    for each in path:
        value = (json.loads(value) if isinstance(value, str) else value or {}).get(each)
    return value


def _plain(props: dict[str, Any]) -> dict[str, Any]:
    return unpacked({key: _whole(value) for key, value in props.items() if key != dynamic.dynamic.PROVIDER_KEY})


def _whole(value: Any) -> Any:
    """Return whole numbers as integers: the engine has a single number type and passes a count of 2 as 2.0."""
    match value:
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case list():
            return [_whole(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _known(value: Any) -> Any:
    """Return inputs with None in place of values that a preview does not know yet."""
    match value:
        case dict():
            return {key: _known(item) for key, item in value.items()}
        case list():
            return [_known(item) for item in value]
    return None if value == UNKNOWN else value


def _differs(old: Any, new: Any) -> bool:
    """Whether an input changes. An unknown value follows from a known input that changes with it."""
    if isinstance(old, dict) and isinstance(new, dict):
        return any(_differs(old.get(key), new.get(key)) for key in {*old, *new})
    return bool(new != UNKNOWN and old != new)


def _replaced(olds: dict[str, Any], news: dict[str, Any]) -> list[str]:
    """Return the inputs that make the new resource another one."""
    return [key for key in _IDENTITY if _differs(olds.get(key), news.get(key))]


def _widen_thread_pool() -> None:
    """Let the pool that runs this call grow.

    The pool is private to grpc's server. It is reached by the weak reference in its worker threads. If that is
    missing, everything works, four calls at a time.
    """
    started_with = getattr(threading.current_thread(), "_args", None) or (None,)
    pool = started_with[0]() if isinstance(started_with[0], weakref.ref) else None
    if isinstance(pool, ThreadPoolExecutor):
        pool._max_workers = max(_WORKERS, pool._max_workers)
