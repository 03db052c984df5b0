"""The scoring script of MLflow models that are deployed without one. It runs inside the model's environment.

Requests are `{"input_data": …, "params": …}` as Azure documents it: a table `{"columns", "index", "data"}`, a list (a
tensor, or the rows of a table) or an object of named lists. The answer is the list of predictions.
As in Azure, the script collects its inputs and outputs as `model_inputs` and `model_outputs`, if the deployment does.
"""

from __future__ import annotations

import json
import logging
import os
from importlib import import_module
from pathlib import Path
from typing import Any

# Modules of the model's environment, which amlite does not need.
_numpy: Any = import_module("numpy")
_pandas: Any = import_module("pandas")
_pyfunc: Any = import_module("mlflow.pyfunc")
_json: Any = import_module("mlflow.utils.proto_json_utils")
_responses: Any = import_module("azureml_inference_server_http.api.aml_response")
_loaded: dict[str, Any] = {}
_collectors: dict[str, Any] = {}
_log = logging.getLogger("azmlinfsrv.collector")


def init() -> None:
    """Load the model."""
    folder = Path(os.environ["AZUREML_MODEL_DIR"]) / os.environ["MLFLOW_MODEL_FOLDER"]
    _loaded["model"] = _pyfunc.load_model(str(folder))
    settings = os.environ.get("AZUREML_MDC_CONFIG_PATH")
    enabled = json.loads(Path(settings).read_text("utf-8"))["collections"] if settings else {}
    for name in ("model_inputs", "model_outputs"):
        if name in enabled:
            monitoring: Any = import_module("azureml.ai.monitoring")
            _collectors[name] = monitoring.Collector(name=name, on_error=_log.error)


def run(raw_data: str) -> Any:
    """Score one request. Answer with 400 if it is not in the documented form, or if the signature refuses it."""
    model = _loaded["model"]
    try:
        request = json.loads(raw_data)
        if not isinstance(request, dict) or "input_data" not in request:
            raise ValueError('the request must be a JSON object with the key "input_data"')
        data = _parsed(request["input_data"], model.metadata.get_input_schema())
    except Exception as error:  # noqa: BLE001 - MLflow has one error type for bad input and for much else
        return _refusal(error)
    try:
        predictions = model.predict(data, params=request["params"]) if "params" in request else model.predict(data)
    except Exception as error:
        if "Failed to enforce schema" in str(error):
            return _refusal(error)
        raise
    _collect("model_outputs", predictions, _collect("model_inputs", data, None))
    return json.loads(json.dumps(_plain(predictions), cls=_json.NumpyEncoder))


def _collect(name: str, data: Any, context: Any) -> Any:
    """Collect data as a table, if the deployment does. Return the context that belongs to the same request."""
    if name not in _collectors:
        return context
    table = data if isinstance(data, _pandas.DataFrame) else _pandas.DataFrame(data)
    return _collectors[name].collect(table, context)


def _refusal(error: Exception) -> Any:
    return _responses.AMLResponse({"error": str(error)}, 400, json_str=True)


def _parsed(data: Any, schema: Any) -> Any:
    is_table = schema is not None and not schema.is_tensor_spec()
    if isinstance(data, dict) and "data" in data:
        return _json.dataframe_from_parsed_json(data, "split", schema if is_table else None)
    if isinstance(data, dict):
        if is_table:
            return _json.dataframe_from_parsed_json({"data": data}, "split", schema)
        return {name: _numpy.asarray(values) for name, values in data.items()}
    if not isinstance(data, list):
        raise TypeError('"input_data" must be a table {"columns", "index", "data"}, a list or an object of lists')
    if is_table or (data and isinstance(data[0], dict)):
        named = schema is not None and schema.has_input_names() and not (data and isinstance(data[0], dict))
        table = {"data": data, **({"columns": schema.input_names()} if named else {})}
        return _json.dataframe_from_parsed_json(table, "split", schema)
    return _numpy.asarray(data)


def _plain(predictions: Any) -> Any:
    if isinstance(predictions, _pandas.DataFrame):
        return predictions.to_dict(orient="records")
    if isinstance(predictions, _pandas.Series):
        return predictions.tolist()
    if isinstance(predictions, dict):
        return {name: _plain(values) for name, values in predictions.items()}
    return predictions
