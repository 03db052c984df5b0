"""The network of TCNForecaster, as Azure describes it in "Deep learning with AutoML forecasting".

A layer mixes the target and the features into channels. Blocks of residual cells with dilated causal convolutions
follow. The heads give five quantiles of each step of the horizon at once, from the last hidden state and from what is
known of the step. Keras trains it on the CPU by JAX.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator  # type: ignore[import-untyped]

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_MEDIAN = _QUANTILES.index(0.5)
_KERNEL = 3
# Azure trains for 100 epochs at most, and waits 20 of them for something better. A CPU gets less patience.
_EPOCHS, _PATIENCE, _SLOWER_AFTER = 100, 6, 3
_LARGEST_BATCH, _FEWEST_BATCHES = 1024, 20


class Network(BaseEstimator):  # type: ignore[misc]
    """Forecasts the steps of a horizon from the window before them. It is pickled as its shape and its weights."""

    def __init__(
        self, seed: int, cores: int, depth: int, cells: int, channels: int, dropout: float, learning_rate: float
    ) -> None:
        self.seed = seed
        self.cores = cores
        self.depth = depth
        self.cells = cells
        self.channels = channels
        self.dropout = dropout
        self.learning_rate = learning_rate

    @property
    def sight(self) -> int:
        """The steps that a forecast looks back."""
        return int(2 * (_KERNEL - 1) * self.depth * (2**self.cells - 1) + 1)

    def fit(self, past: Any, ahead: Any, truth: Any, marks: Any, held: Any) -> Network:
        """Learn from examples. `marks` says which steps of `truth` are known, `held` which examples are held out."""
        os.environ["PJRT_NPROC"] = str(self.cores)  # the threads of JAX, which it reads once in a process
        logging.getLogger("jax").setLevel(logging.WARNING)  # or it tells of each accelerator that is not here
        library = keras()
        library.utils.set_random_seed(self.seed)
        self.shape_ = (past.shape[1:], ahead.shape[1:])
        network = self._built()
        network.compile(optimizer=library.optimizers.Adam(self.learning_rate, clipnorm=1.0), loss=_loss)
        wanted = np.stack([truth, marks], axis=-1).astype("float32")
        watched = "val_loss" if held.any() else "loss"
        batch = max(1, min(_LARGEST_BATCH, int((~held).sum()) // _FEWEST_BATCHES))
        rows = np.flatnonzero(~held)
        rows = rows[len(rows) % batch :]  # whole batches: for one of another size, JAX would compile all again
        network.fit(
            [past[rows], ahead[rows]],
            wanted[rows],
            validation_data=([past[held], ahead[held]], wanted[held]) if held.any() else None,
            validation_batch_size=min(_LARGEST_BATCH, max(1, int(held.sum()))),
            batch_size=batch,
            epochs=_EPOCHS,
            callbacks=[
                library.callbacks.EarlyStopping(watched, patience=_PATIENCE, restore_best_weights=True),
                library.callbacks.ReduceLROnPlateau(watched, factor=0.5, patience=_SLOWER_AFTER),
            ],
            verbose=0,
        )
        self.weights_ = network.get_weights()
        self._network = network
        return self

    def predict(self, past: Any, ahead: Any) -> Any:
        """Return the median of each step."""
        return np.asarray(self._network.predict_on_batch([past, ahead]), dtype=float)[:, :, _MEDIAN]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_network"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the network again, and use it once: that takes seconds, which the first request has not."""
        super().__setstate__(state)
        if hasattr(self, "weights_"):
            self._network = self._built()
            self._network.set_weights(self.weights_)
            self.predict(*(np.zeros((1, *shape), "float32") for shape in self.shape_))

    def _built(self) -> Any:
        layers = keras().layers
        past, ahead = (layers.Input(shape) for shape in self.shape_)
        steps = self.shape_[1][0]
        hidden = layers.Dense(self.channels)(past)
        for number in range(self.depth * self.cells):
            inner = hidden
            for _ in range(2):
                dilation = 2 ** (number % self.cells)
                inner = layers.Conv1D(self.channels, _KERNEL, padding="causal", dilation_rate=dilation)(inner)
                inner = layers.SpatialDropout1D(self.dropout)(layers.ReLU()(layers.LayerNormalization()(inner)))
            hidden = layers.Add()([hidden, inner])
        last = hidden[:, -1, :]
        direct = layers.Reshape((steps, len(_QUANTILES)))(layers.Dense(steps * len(_QUANTILES))(last))
        known = layers.Concatenate()([layers.RepeatVector(steps)(last), ahead])
        by_step = layers.Dense(len(_QUANTILES))(layers.Dense(self.channels, activation="relu")(known))
        return keras().Model([past, ahead], layers.Add()([direct, by_step]))


def keras() -> Any:
    """Return Keras. It is imported late, because few searches have it. Imported, but not used, it can be forked."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return import_module("keras")


def _loss(wanted: Any, found: Any) -> Any:
    """Return the mean quantile loss of the known steps."""
    ops = keras().ops
    truth, marks = wanted[..., :1], wanted[..., 1:]
    quantiles = ops.convert_to_tensor(np.array(_QUANTILES, dtype="float32"))
    missed = truth - found
    loss = ops.maximum(quantiles * missed, (quantiles - 1) * missed)
    return ops.sum(loss * marks) / ops.maximum(ops.sum(marks), 1.0) / len(_QUANTILES)
