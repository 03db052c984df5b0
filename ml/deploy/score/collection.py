"""Collects the rows and predictions of requests for monitoring, if the deployment asks for it (`data_collector`).

`Collector` hands each table to a thread that sends it, so a request does not wait. What cannot be collected is logged
and dropped: monitoring must not fail a prediction.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from azureml.ai.monitoring import Collector
from azureml.ai.monitoring.context import BasicCorrelationContext

log = logging.getLogger("azmlinfsrv.collection")


class Collection:
    """The collections `model_inputs` and `model_outputs`. One request has the same correlation id in both.

    Args:
        origin: Columns with one value, added to each prediction, such as the model's version.
    """

    def __init__(self, origin: dict[str, str]) -> None:
        self.origin = origin
        self.inputs = _opened("model_inputs")
        self.outputs = _opened("model_outputs")

    def keep(self, rows: pd.DataFrame, predictions: Mapping[str, list[Any]]) -> None:
        """Collect the rows of a request and the columns of their predictions, in the same order."""
        context = BasicCorrelationContext()
        if self.inputs is not None:
            _collect(self.inputs, rows, context)
        if self.outputs is not None:
            _collect(self.outputs, pd.DataFrame({**predictions, **self.origin}), context)


def _collect(collector: Any, table: pd.DataFrame, context: BasicCorrelationContext) -> None:
    try:
        collector.collect(table, context)
    except Exception as error:  # noqa: BLE001  the package raises this class, for example for a full queue
        log.warning("a request is not collected: %s", error)


def served_model(folder: str | None = None) -> str:
    """Return the model's name and version, as `name:version`. Azure ML mounts it at `.../<name>/<version>`."""
    name, version = Path(folder or os.environ["AZUREML_MODEL_DIR"]).parts[-2:]
    return f"{name}:{version}"


def _opened(name: str) -> Any | None:
    try:
        return Collector(name=name)
    except Exception as reason:  # noqa: BLE001  the package raises this class for a collection that is off
        log.info("%s: %s", name, reason)
        return None
