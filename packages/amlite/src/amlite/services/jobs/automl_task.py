"""The settings of an AutoML task: what is wrong with them, and what they mean for the search.

Each setting of Microsoft's models is either honoured or refused. See "Set up AutoML training with the Azure ML Python
SDK v2" and "Set up AutoML to train a time-series forecasting model" for what they mean.
"""

from __future__ import annotations

from typing import Any

from amlite.core.wire import Json
from amlite.services.jobs import plan

TASKS = ("Classification", "Regression", "Forecasting")
DATA = {"training_data": "trainingData", "validation_data": "validationData", "test_data": "testData"}
_SHARED = ("LightGBM", "ExtremeRandomTrees", "RandomForest", "GradientBoosting", "SGD", "DecisionTree", "KNN")
_OF_NUMBERS = (*_SHARED, "XGBoostRegressor", "ElasticNet", "LassoLars")
_SIMPLE = ("SeasonalNaive", "Naive", "SeasonalAverage", "Average")
_DEEP = "TCNForecaster"  # what enable_dnn_training adds
# In the order in which they are tried.
ALGORITHMS = {
    "Classification": (
        "LightGBM", "XGBoostClassifier", "ExtremeRandomTrees", "LogisticRegression", "RandomForest",
        "GradientBoosting", "SGD", "DecisionTree", "KNN", "LinearSVM", "MultinomialNaiveBayes", "BernoulliNaiveBayes",
        "SVM",
    ),
    "Regression": (
        "LightGBM", "XGBoostRegressor", "ExtremeRandomTrees", "ElasticNet", "RandomForest", "GradientBoosting",
        "LassoLars", "DecisionTree", "KNN", "SGD",
    ),
    "Forecasting": (
        *_SIMPLE[:2], "LightGBM", _DEEP, "ElasticNet", "ExtremeRandomTrees", "XGBoostRegressor", "RandomForest",
        *_SIMPLE[2:], "GradientBoosting", "LassoLars", "DecisionTree", "KNN", "SGD",
    ),
}  # fmt: skip
_UNWEIGHTED = ("KNN", "LassoLars")  # these do not know the weights of rows
# The primary metrics by the names that a run logs.
METRICS = {
    "AUCWeighted": "AUC_weighted",
    "Accuracy": "accuracy",
    "AveragePrecisionScoreWeighted": "average_precision_score_weighted",
    "NormMacroRecall": "norm_macro_recall",
    "PrecisionScoreWeighted": "precision_score_weighted",
    "NormalizedMeanAbsoluteError": "normalized_mean_absolute_error",
    "NormalizedRootMeanSquaredError": "normalized_root_mean_squared_error",
    "R2Score": "r2_score",
    "SpearmanCorrelation": "spearman_correlation",
}
_DEFAULT_METRIC = {"Classification": "Accuracy", "Regression": "NormalizedRootMeanSquaredError",
                   "Forecasting": "NormalizedRootMeanSquaredError"}  # fmt: skip
_CLASSIFIERS = ("LogisticRegression", "LogisticRegressionCV", "LightGBMClassifier")
_REGRESSORS = ("ElasticNet", "ElasticNetCV", "LightGBMRegressor", "LinearRegression")
_ENCODERS = ("OneHotEncoder", "LabelEncoder", "CatTargetEncoder")
_PURPOSES = {"numeric": "Numeric", "categorical": "Categorical", "datetime": "DateTime", "ignore": "Ignore"}
_STRATEGIES = {"mean": "mean", "median": "median", "mode": "most_frequent", "most_frequent": "most_frequent",
               "constant": "constant"}  # fmt: skip
_FORWARD = "ffill"  # in time, and so for forecasting only
_VERBOSITY = {"Debug": "DEBUG", "Warning": "WARNING", "Error": "ERROR", "Critical": "CRITICAL"}
_DEFAULT_SECONDS, _DEFAULT_TRIAL_SECONDS, _DEFAULT_TRIALS = 6 * 3600, 30 * 60, 1000
_FEWEST_FOLDS = 2
_STACK_SHARE = 0.2


def problems(details: Json) -> list[str]:
    """Return why a task cannot run here: settings that Azure refuses, and those that amlite would not honour."""
    task = details.get("taskType")
    if task not in TASKS:
        known = ", ".join(TASKS)
        need = "models of text and images need a GPU and pretrained weights, which amlite does not have"
        return [f"amlite runs AutoML on tables only ({known}), got the task '{task}': {need}; submit it to Azure"]
    found = [] if details.get("targetColumnName") else ["target_column_name is missing"]
    found += [
        f"{name} is '{details[wire]}'; amlite resolves bindings in an AutoML node's data only, so write the value"
        for name, wire in (("target_column_name", "targetColumnName"), ("primary_metric", "primaryMetric"))
        if "${{" in str(details.get(wire))
    ]
    for check in (_validation, _training, _featurization, _limits, _forecasting):
        found += check(task, details)
    return found


def _validation(task: str, details: Json) -> list[str]:
    found, folds = [], _folds(details)
    if folds is not None and folds < _FEWEST_FOLDS and details["nCrossValidations"].get("mode") == "Custom":
        found.append(f"n_cross_validations is {folds} and must be at least {_FEWEST_FOLDS}")
    for name, wire in (("validation_data_size", "validationDataSize"), ("test_data_size", "testDataSize")):
        share = details.get(wire)
        if share is not None and not 0 < float(share) < 1:
            found.append(f"{name} is {share} and must be between 0 and 1")
    ways = {
        "validation_data": details.get("validationData"),
        "n_cross_validations": folds,
        "cv_split_column_names": details.get("cvSplitColumnNames"),
        "validation_data_size": details.get("validationDataSize"),
    }
    given = [name for name, value in ways.items() if value]
    if len(given) > 1 and given != ["n_cross_validations", "validation_data_size"]:
        found.append(f"{' and '.join(given)} exclude each other; use one of them")
    if details.get("testData") and details.get("testDataSize"):
        found.append("test_data and test_data_size exclude each other; use one of them")
    if task == "Forecasting":
        found += [
            f"{name} does not apply to forecasting; use n_cross_validations"
            for name, wire in (("cv_split_column_names", "cvSplitColumnNames"),
                               ("validation_data_size", "validationDataSize"), ("test_data_size", "testDataSize"),
                               ("weight_column_name", "weightColumnName"))
            if details.get(wire)
        ]  # fmt: skip
    return found


def _training(task: str, details: Json) -> list[str]:
    training = details.get("trainingSettings") or {}
    found = [
        f"amlite does not support {name} for {task}, so set it to false"
        for name, wire, supported in (("enable_dnn_training", "enableDnnTraining", task == "Forecasting"),
                                      ("enable_onnx_compatible_models", "enableOnnxCompatibleModels", False))
        if _flag(training, wire, default=False) and not supported
    ]  # fmt: skip
    if str(training.get("trainingMode") or "").lower() == "distributed":
        found.append("amlite does not support training_mode distributed, because a job runs on one node")
    unknown = [name for name in training.get("allowedTrainingAlgorithms") or () if name not in ALGORITHMS[task]]
    if unknown:
        found.append(f"amlite does not have the allowed training algorithms {', '.join(unknown)}; "
                     f"use some of {', '.join(ALGORITHMS[task])}")  # fmt: skip
    elif _DEEP in (training.get("allowedTrainingAlgorithms") or ()) and not _is_deep(training):
        found.append(f"{_DEEP} is allowed, and it needs enable_dnn_training: true")
    elif not algorithms(details):
        found.append("the allowed and blocked training algorithms leave nothing to try")
    stack = training.get("stackEnsembleSettings") or {}
    learner, share = stack.get("stackMetaLearnerType"), stack.get("stackMetaLearnerTrainPercentage")
    fitting = _CLASSIFIERS if task == "Classification" else _REGRESSORS
    if learner not in (None, "None", *fitting):
        found.append(f"stack_meta_learner_type {learner} does not fit {task}; use one of {', '.join(fitting)}")
    if share is not None and not 0 < float(share) < 1:
        found.append(f"stack_meta_learner_train_percentage is {share} and must be between 0 and 1")
    if task == "Forecasting" and (stack or _flag(training, "enableStackEnsemble", default=False)):
        found.append("amlite does not stack forecasters, so set enable_stack_ensemble to false")
    return found


def _featurization(task: str, details: Json) -> list[str]:
    given = details.get("featurizationSettings") or {}
    custom = {name: given[wire] for name, wire in (("blocked_transformers", "blockedTransformers"),
              ("column_name_and_types", "columnNameAndTypes"), ("transformer_params", "transformerParams"))
              if given.get(wire)}  # fmt: skip
    found = []
    if given.get("mode") == "Off" and custom:
        found.append(f"featurization is off, so {', '.join(custom)} would have no effect")
    if _flag(given, "enableDnnFeaturization", default=False):
        found.append("amlite does not support enable_dnn_featurization, so set it to false")
    if given.get("datasetLanguage"):
        found.append("amlite has no featurization of text, so leave out dataset_language")
    if set(_ENCODERS) <= set(given.get("blockedTransformers") or ()):
        found.append(f"blocked_transformers leaves no way to encode categories; allow one of {', '.join(_ENCODERS)}")
    found += [
        f"column_name_and_types: amlite does not know the type '{kind}' of column '{name}'; use one of "
        + ", ".join(_PURPOSES.values())
        for name, kind in (given.get("columnNameAndTypes") or {}).items()
        if str(kind).lower() not in _PURPOSES
    ]
    for name, settings in (given.get("transformerParams") or {}).items():
        if str(name).lower() != "imputer":
            found.append(f"transformer_params: amlite has parameters of the imputer only, got '{name}'")
            continue
        for each in settings or ():
            known = (*_STRATEGIES, *((_FORWARD,) if task == "Forecasting" else ()))
            if _strategy(each) not in known:
                found.append(f"transformer_params: the imputer has no strategy '{_strategy(each)}' for {task}; use one "
                             f"of {', '.join(known)}")  # fmt: skip
    return found


def _limits(_task: str, details: Json) -> list[str]:
    given = details.get("limitSettings") or {}
    found = [
        f"{name} is {given[wire]} and must be at least 1"
        for name, wire in (("max_trials", "maxTrials"), ("max_concurrent_trials", "maxConcurrentTrials"))
        if given.get(wire) is not None and int(given[wire]) < 1
    ]
    trials, width = given.get("maxTrials"), given.get("maxConcurrentTrials")
    if trials and width and int(width) > int(trials):
        found.append(f"max_concurrent_trials is {width} and exceeds max_trials, which is {trials}")
    if int(given.get("maxNodes") or 1) > 1:
        found.append("amlite does not support max_nodes above 1, because a job runs on one node")
    return found


def _forecasting(task: str, details: Json) -> list[str]:
    given = details.get("forecastingSettings") or {}
    if task != "Forecasting":
        return []
    found = [] if given.get("timeColumnName") else ["forecasting.time_column_name is missing"]
    refused = {
        "feature_lags": given.get("featureLags") not in (None, "None"),
        "use_stl": given.get("useStl") not in (None, "None"),
    }
    found += [f"amlite does not support forecasting.{name}, so leave it out" for name, set_ in refused.items() if set_]
    if given.get("shortSeriesHandlingConfig") == "Pad":
        found.append("amlite does not pad short series; use auto, drop or none for short_series_handling_config")
    if given.get("targetAggregateFunction") not in (None, "None") and not given.get("frequency"):
        found.append("forecasting.target_aggregate_function needs forecasting.frequency")
    return found


def algorithms(details: Json) -> list[str]:
    """Return the algorithms that a search tries, in this order."""
    training = details.get("trainingSettings") or {}
    allowed = training.get("allowedTrainingAlgorithms") or ()
    blocked = training.get("blockedTrainingAlgorithms") or ()
    weighted = bool(details.get("weightColumnName"))
    return [
        name
        for name in ALGORITHMS[details["taskType"]]
        if (not allowed or name in allowed) and name not in blocked and not (weighted and name in _UNWEIGHTED)
        and (name != _DEEP or _is_deep(training))
    ]  # fmt: skip


def is_deep(details: Json) -> bool:
    """Return whether a search tries a network."""
    return _DEEP in algorithms(details)


def metric(details: Json) -> str:
    """Return the primary metric by the name that a run logs."""
    return METRICS[details.get("primaryMetric") or _DEFAULT_METRIC[details["taskType"]]]


def search(details: Json, nodes: int, cores: int) -> Json:
    """Return the settings of a search that `problems` has found nothing wrong with; see the driver.

    One trial runs on each node of the compute, as in Azure, and no more run than this machine has cores.
    """
    task, limits = details["taskType"], details.get("limitSettings") or {}
    training = details.get("trainingSettings") or {}
    stack = training.get("stackEnsembleSettings") or {}
    learner = stack.get("stackMetaLearnerType")
    workers = max(1, min(int(limits.get("maxConcurrentTrials") or 1), nodes, cores))
    most = int(limits.get("maxCoresPerTrial") or -1)
    default = "LogisticRegression" if task == "Classification" else "ElasticNet"
    flags = {
        "VotingEnsemble": _flag(training, "enableVoteEnsemble", default=True),
        "StackEnsemble": _flag(training, "enableStackEnsemble", default=task != "Forecasting"),
    }
    return {
        "task": task.lower(),
        "metric": metric(details),
        "target": details["targetColumnName"],
        "weight": details.get("weightColumnName"),
        "positive_label": details.get("positiveLabel"),
        "folds": _folds(details) or 0,
        "cv_split_columns": details.get("cvSplitColumnNames") or [],
        "validation_share": float(details.get("validationDataSize") or 0),
        "test_share": float(details.get("testDataSize") or 0),
        "algorithms": algorithms(details),
        "ensembles": [name for name, wanted in flags.items() if wanted],
        "stack": {
            "learner": default if learner in (None, "None") else learner,
            "share": float(stack.get("stackMetaLearnerTrainPercentage") or _STACK_SHARE),
            "options": stack.get("stackMetaLearnerKWargs") or {},
        },
        "explain": _flag(training, "enableModelExplainability", default=True),
        "seconds": plan.seconds(limits["timeout"]) if limits.get("timeout") else _DEFAULT_SECONDS,
        "trial_seconds": plan.seconds(limits["trialTimeout"]) if limits.get("trialTimeout") else _DEFAULT_TRIAL_SECONDS,
        "trials": int(limits.get("maxTrials") or _DEFAULT_TRIALS),
        "workers": workers,
        "cores": max(1, min(cores // workers, most if most > 0 else cores)),
        "exit_score": float(limits["exitScore"]) if limits.get("exitScore") is not None else None,
        "early": _flag(limits, "enableEarlyTermination", default=True),
        "verbosity": _VERBOSITY.get(str(details.get("logVerbosity")), "INFO"),
        "featurization": _featurized(details.get("featurizationSettings") or {}),
        "forecasting": _forecast(details) if task == "Forecasting" else None,
    }


def _imputers(given: Json) -> list[Json]:
    return [each for settings in (given.get("transformerParams") or {}).values() for each in settings or ()]


def _strategy(imputer: Json) -> str:
    return str((imputer.get("parameters") or {}).get("strategy") or "mean")


def _featurized(given: Json) -> Json:
    imputers = [
        {
            "fields": each.get("fields") or [],
            "strategy": _STRATEGIES[_strategy(each)],
            "fill_value": (each.get("parameters") or {}).get("fill_value", 0),
        }
        for each in _imputers(given)
        if _strategy(each) != _FORWARD
    ]
    return {
        "mode": str(given.get("mode") or "Auto").lower(),
        "blocked": given.get("blockedTransformers") or [],
        "columns": {
            name: _PURPOSES[str(kind).lower()] for name, kind in (given.get("columnNameAndTypes") or {}).items()
        },
        "imputers": imputers,
    }


def _forecast(details: Json) -> Json:
    given = details["forecastingSettings"]
    unknown = given.get("featuresUnknownAtForecastTime") or []
    aggregate = given.get("targetAggregateFunction")
    lags = given.get("targetLags") or {}
    return {
        "time": given["timeColumnName"],
        "series": given.get("timeSeriesIdColumnNames") or [],
        "horizon": _custom(given.get("forecastHorizon"), auto=None, default=1),
        "lags": "auto" if lags.get("mode") == "Auto" else [int(value) for value in lags.get("values") or ()],
        "window": _custom(given.get("targetRollingWindowSize"), auto="auto", default=None),
        "season": _custom(given.get("seasonality"), auto=None, default=None),
        "frequency": given.get("frequency"),
        "aggregate": None if aggregate in (None, "None") else aggregate.lower(),
        "short": str(given.get("shortSeriesHandlingConfig") or "Auto").lower(),
        "stride": int(given["cvStepSize"]) if given.get("cvStepSize") else None,
        "folds": _folds(details),
        "unknown": [unknown] if isinstance(unknown, str) else unknown,
        "forward": [
            name
            for each in _imputers(details.get("featurizationSettings") or {})
            if _strategy(each) == _FORWARD
            for name in each.get("fields") or ()
        ],
        "country": given.get("countryOrRegionForHolidays"),
    }


def _custom(given: Json | None, *, auto: Any, default: Any) -> Any:
    """Return the value of a setting that is a mode, `Auto` or `Custom`, with a value."""
    if not given:
        return default
    return auto if given.get("mode") == "Auto" else int(given["value"])


def _folds(details: Json) -> int | None:
    return _custom(details.get("nCrossValidations"), auto=None, default=None)  # type: ignore[no-any-return]


def _is_deep(training: Json) -> bool:
    return _flag(training, "enableDnnTraining", default=False)


def _flag(given: Json, name: str, *, default: bool) -> bool:
    value = given.get(name)
    return default if value is None else str(value).lower() == "true"
