"""Monitors: the `create_monitor` of a schedule. Its mistakes are reported here, with file and key.

Azure and azure-ai-ml report most of them late and without a place ("emails is missing", azure-docs#118016). Sources:
"CLI (v2) schedule YAML schema for model monitoring", and azure-ai-ml's own checks, which are stricter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.deployments import azure_name
from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.drafts import Draft, Drafts, is_local, use
from pulumi_azureml.planning.problems import Problem, listing, one_of, suggestion
from pulumi_azureml.planning.references import is_asset

# azure-ai-ml 1.35 accepts these. Microsoft's page still names 3.3.
_RUNTIMES = ("3.4", "3.5")
_SIZES = ("standard_e4s_v3", "standard_e8s_v3", "standard_e16s_v3", "standard_e32s_v3", "standard_e64s_v3")
_DRIFT = {
    "numerical": (
        "jensen_shannon_distance",
        "normalized_wasserstein_distance",
        "population_stability_index",
        "two_sample_kolmogorov_smirnov_test",
    ),
    "categorical": ("jensen_shannon_distance", "population_stability_index", "pearsons_chi_squared_test"),
}
_QUALITY = ("null_value_rate", "data_type_error_rate", "out_of_bounds_rate")
# Signal type -> group of metrics -> metrics. An empty group is for metrics directly in `metric_thresholds`.
_METRICS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "data_drift": _DRIFT,
    "prediction_drift": _DRIFT,
    "data_quality": {"numerical": _QUALITY, "categorical": _QUALITY},
    "feature_attribution_drift": {"": ("normalized_discounted_cumulative_gain",)},
    "model_performance": {"classification": ("accuracy", "precision", "recall"), "regression": ("mae", "mse", "rmse")},
}
_WITH_DATA = frozenset({"data_drift", "prediction_drift", "data_quality"})
_OTHERS = ("custom", "generation_safety_quality", "generation_token_statistics")
_COLLECTIONS = ("model_inputs", "model_outputs")
_DAYS = re.compile(r"P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TARGET = ("create_monitor", "monitoring_target", "endpoint_deployment_id")
_DEPLOYMENT = re.compile(r"(?:azureml:)?([^:/]+):([^:/]+)")


def collect(draft: Draft) -> None:
    """Note the assets that a monitor uses. Report mistakes that need no other asset to detect."""
    monitor = draft.definition.get("create_monitor")
    if not isinstance(monitor, dict):
        return
    _compute(draft, monitor.get("compute"))
    _alerts(draft, monitor.get("alert_notification"))
    target = monitor.get("monitoring_target")
    if isinstance(target, dict):
        use(draft, ("create_monitor", "monitoring_target", "model_id"), "model", target.get("model_id"))
    signals = monitor.get("monitoring_signals")
    if signals is None and not (isinstance(target, dict) and target.get("endpoint_deployment_id")):
        fix = "add `monitoring_signals:`, or `endpoint_deployment_id:` of a deployment that collects data"
        draft.problem(("create_monitor",), "has neither signals nor a deployment to monitor", fix)
    for name, signal in signals.items() if isinstance(signals, dict) else ():
        if isinstance(signal, dict):
            _signal(draft, ("create_monitor", "monitoring_signals", str(name)), signal)


def _compute(draft: Draft, compute: object) -> None:
    if not isinstance(compute, dict):
        fix = 'add `compute:` with `instance_type: standard_e4s_v3` and `runtime_version: "3.4"`'
        draft.problem(("create_monitor",), "'create_monitor' has no 'compute'", fix)
        return
    for key, allowed in (("instance_type", _SIZES), ("runtime_version", _RUNTIMES)):
        value = compute.get(key)
        if str(value).lower() not in allowed:
            said = "is missing" if value is None else f"cannot be '{value}'"
            where = ("create_monitor", "compute", key) if value is not None else ("create_monitor", "compute")
            draft.problem(where, f"'{key}' of the serverless Spark compute {said}", f"use one of {listing(allowed)}")


def _alerts(draft: Draft, given: object) -> None:
    keys = ("create_monitor", "alert_notification")
    if given is None or (isinstance(given, str) and given.lower() == "azmonitoring"):
        return
    emails = given.get("emails") if isinstance(given, dict) else None
    if not isinstance(emails, list) or not emails:
        fix = "write `alert_notification: azmonitoring`, or `emails:` with a list of addresses below it"
        draft.problem(keys, "'alert_notification' has no 'emails'", fix)
        return
    for index, email in enumerate(emails):
        if not isinstance(email, str) or not _EMAIL.fullmatch(email):
            draft.problem((*keys, "emails", index), f"'{email}' is not an email address", "write name@domain")


def _signal(draft: Draft, keys: KeyPath, signal: Mapping[str, Any]) -> None:
    kind = str(signal.get("type") or "").lower()
    known = (*_METRICS, *_OTHERS)
    if kind not in known:
        said = f"cannot be '{kind}'" if kind else "is missing"
        otherwise = f"use one of {listing(known)}"
        where = (*keys, "type") if kind else keys
        draft.problem(where, f"the type of the signal {said}", suggestion(kind, known, otherwise=otherwise))
        return
    if kind == "custom":
        if not signal.get("component_id"):
            draft.problem(keys, "a custom signal has no 'component_id'", "add `component_id: azureml:NAME@latest`")
        use(draft, (*keys, "component_id"), "component", signal.get("component_id"))
        inputs = signal.get("input_data")
        for name, data in inputs.items() if isinstance(inputs, dict) else ():
            _data(draft, (*keys, "input_data", str(name)), data, is_production=False)
    for name in ("production_data", "reference_data"):
        data = signal.get(name)
        for where, each in _each((*keys, name), data):
            _data(draft, where, each, is_production=name == "production_data")
    if kind in ("feature_attribution_drift", "model_performance"):
        _target_column(draft, keys, signal.get("reference_data"))
    if kind == "model_performance" and not isinstance(signal.get("production_data"), dict):
        fix = "add `production_data:` with the collected outputs"
        draft.problem(keys, "a signal of model performance has no 'production_data'", fix)
    _thresholds(draft, keys, kind, signal.get("metric_thresholds"))


def _each(keys: KeyPath, data: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(data, list):
        for index, each in enumerate(data):
            yield (*keys, index), each
    elif data is not None:
        yield keys, data


def _target_column(draft: Draft, keys: KeyPath, reference: object) -> None:
    columns = reference.get("data_column_names") if isinstance(reference, dict) else None
    if not isinstance(columns, dict) or not columns.get("target_column"):
        fix = "add `reference_data:` with `data_column_names: {target_column: NAME}`"
        draft.problem(keys, "the signal does not name the column of its target", fix)


def _data(draft: Draft, keys: KeyPath, data: object, *, is_production: bool) -> None:
    if not isinstance(data, dict):
        return
    use(draft, (*keys, "pre_processing_component"), "component", data.get("pre_processing_component"))
    source = data.get("input_data")
    path = source.get("path") if isinstance(source, dict) else None
    if isinstance(path, str):
        place = (*keys, "input_data", "path")
        if is_asset(path):
            use(draft, place, "data", path)
        elif is_local(path) and not path.startswith("/subscriptions/"):
            fix = "write `azureml:NAME@latest` of a data asset, or `azureml://datastores/...`"
            draft.problem(place, f"'{path}' is a local path, and a monitor reads data of the workspace", fix)
    else:
        fix = "add `input_data:` with `type:` and `path: azureml:NAME@latest`"
        draft.problem(keys, "the data of the signal has no 'input_data.path'", fix)
    window = data.get("data_window")
    if isinstance(window, dict):
        _window(draft, (*keys, "data_window"), window, is_production=is_production)


def _window(draft: Draft, keys: KeyPath, window: Mapping[str, Any], *, is_production: bool) -> None:
    fixed = [key for key in ("window_start", "window_end") if window.get(key) is not None]
    if fixed and is_production:
        fix = "use `lookback_window_size` and `lookback_window_offset`"
        draft.problem((*keys, fixed[0]), "production data takes a rolling window only", fix)
    elif fixed and (len(fixed) == 1 or window.get("lookback_window_size")):
        fix = "give both `window_start` and `window_end`, or only `lookback_window_size` with its offset"
        draft.problem(keys, "the window is neither fixed nor rolling", fix)
    for key in fixed:
        if not _DATE.fullmatch(str(window[key])):
            draft.problem((*keys, key), f"'{window[key]}' is not a date", "write YYYY-MM-DD")
    for key in ("lookback_window_size", "lookback_window_offset"):
        value = window.get(key)
        if value is not None and value != "default" and not _DAYS.fullmatch(str(value)):
            draft.problem((*keys, key), f"'{value}' is not a duration", "write ISO 8601, such as `P7D`")


def _thresholds(draft: Draft, keys: KeyPath, kind: str, given: object) -> None:
    groups = _METRICS.get(kind)
    if groups is None or not isinstance(given, dict):
        return
    place = (*keys, "metric_thresholds")
    for key, value in given.items():
        if "" in groups:
            _metric(draft, (*place, str(key)), str(key), groups[""], kind)
        elif key not in groups:
            otherwise = f"use {listing(groups)}"
            draft.problem(
                (*place, str(key)),
                f"'{key}' is not a group of metrics of a {kind} signal",
                suggestion(str(key), groups, otherwise=otherwise),
            )
        else:
            for name in value if isinstance(value, dict) else ():
                _metric(draft, (*place, str(key), str(name)), str(name), groups[key], kind)


def _metric(draft: Draft, keys: KeyPath, name: str, known: tuple[str, ...], kind: str) -> None:
    if name not in known:
        advice = suggestion(name, known, otherwise=one_of(known))
        draft.problem(keys, f"'{name}' is not a metric of a {kind} signal here", advice)


def deployment_of(draft: Draft) -> AssetId | None:
    """Return the deployment of this project that a monitor names as `azureml:ENDPOINT:DEPLOYMENT`."""
    monitor = draft.definition.get("create_monitor")
    target = monitor.get("monitoring_target") if isinstance(monitor, dict) else None
    text = target.get("endpoint_deployment_id") if isinstance(target, dict) else None
    found = _DEPLOYMENT.fullmatch(text) if isinstance(text, str) else None
    return AssetId("online_deployment", f"{found[1]}/{found[2]}") if found else None


def relate(draft: Draft, drafts: Drafts) -> None:
    """Order a monitor after the endpoint with its deployment."""
    deployment = deployment_of(draft)
    if deployment is not None and deployment in drafts:
        draft.needs += [deployment, AssetId("online_endpoint", deployment.name.partition("/")[0])]


def check(draft: Draft, drafts: Drafts) -> Iterator[Problem]:
    """Check that the deployment exists and collects the data that the signals need."""
    deployment = deployment_of(draft)
    endpoints = [each.name for each in drafts if each.kind == "online_endpoint"]
    if deployment is None or not endpoints:
        return  # a deployment of another project, or a schedule in Python
    if deployment not in drafts:
        known = [f"azureml:{each.name.replace('/', ':')}" for each in drafts if each.kind == "online_deployment"]
        shown = f"azureml:{deployment.name.replace('/', ':')}"
        advice = suggestion(shown, known, otherwise=f"use one of {listing(known)}")
        yield draft.document.problem(_TARGET, f"unknown deployment '{shown}'", advice)
        return
    collects = drafts[deployment].definition.get("data_collector")
    collections = collects.get("collections") if isinstance(collects, dict) else None
    enabled = [
        name
        for name in _COLLECTIONS
        if isinstance(collections, dict)
        and isinstance(collections.get(name), dict)
        and str(collections[name].get("enabled")).lower() == "true"
    ]
    for name, needed in _needed(draft):
        missing = [each for each in needed if each not in enabled]
        if missing:
            where = drafts[deployment].document.path
            yield draft.document.problem(
                _TARGET,
                f"{name} needs {listing(missing)}, which the deployment does not collect",
                f"enable them in `data_collector` of {where}, or give the data of the signal",
            )


def _needed(draft: Draft) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each signal without data of its own, and the collections that it then uses."""
    signals = draft.definition["create_monitor"].get("monitoring_signals")
    if not isinstance(signals, dict):
        yield "a monitor without signals", _COLLECTIONS
        return
    for name, signal in signals.items():
        kind = str(signal.get("type")).lower() if isinstance(signal, dict) else ""
        if kind in _WITH_DATA and not (signal.get("production_data") and signal.get("reference_data")):
            yield f"signal '{name}'", ("model_outputs",) if kind == "prediction_drift" else ("model_inputs",)
        elif kind == "feature_attribution_drift" and not signal.get("production_data"):
            yield f"signal '{name}'", _COLLECTIONS


def finish(draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
    """Name the deployment as it is in Azure. A monitor of a deployment that waits for a model waits too."""
    deployment = deployment_of(draft)
    if deployment is None or deployment not in resolved:
        return
    asset = resolved[deployment]
    endpoint, _, name = asset.azure_name.partition("/")
    target = draft.definition["create_monitor"]["monitoring_target"]
    target["endpoint_deployment_id"] = f"azureml:{endpoint}:{azure_name(name, asset.content_hash)}"
    draft.waiting_for = asset.waiting_for
