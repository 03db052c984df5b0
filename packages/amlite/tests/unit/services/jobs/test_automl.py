"""AutoML tasks: each setting of Microsoft's models is honoured or refused, in jobs and in pipelines' nodes."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from amlite.services.jobs import automl_task, searches
from amlite.services.jobs.kinds import automl
from amlite.services.machinelearning.published import validation

NODE: dict[str, Any] = {
    "task": "classification", "training_data": "${{parent.inputs.t}}", "target_column_name": "y",
    "primary_metric": "auc_weighted", "n_cross_validations": 3, "positive_label": "yes",
    "limits": {"max_trials": 5, "timeout_minutes": 2, "trial_timeout_minutes": 1, "max_concurrent_trials": 4},
    "training": {"allowed_training_algorithms": ["light_gbm", "logistic_regression"], "enable_vote_ensemble": False},
    "featurization": {"mode": "custom", "column_name_and_types": {"zip": "Categorical"},
                      "transformer_params": {"imputer": [{"fields": ["age"], "parameters": {"strategy": "median"}}]}},
    "outputs": {"best_model": {"job_output_type": "mlflow_model"}},
}  # fmt: skip
FORECAST: dict[str, Any] = {
    "task": "forecasting", "training_data": "${{parent.inputs.t}}", "target_column_name": "y",
    "forecasting": {"time_column_name": "day", "time_series_id_column_names": "store", "forecast_horizon": 14,
                    "target_lags": [1, 7], "target_rolling_window_size": "auto", "seasonality": 7},
}  # fmt: skip


def details(change: dict[str, Any], node: dict[str, Any] = NODE) -> Any:
    return automl.from_node({}, {**node, **change})["taskDetails"]


def test_a_node_is_searched_as_it_says() -> None:
    assert automl.data_of(NODE)["inputs"] == {"training_data": "${{parent.inputs.t}}"}
    assert automl.component(NODE)["outputs"] == {"best_model": {"type": "mlflow_model"}}
    job = automl.from_node({}, NODE)
    assert automl.problems({**job, "outputs": {"best_model": {}}}) == []
    found = automl_task.search(job["taskDetails"], nodes=3, cores=8)
    wanted = {"task": "classification", "metric": "AUC_weighted", "target": "y", "folds": 3, "seconds": 120,
              "trial_seconds": 60, "trials": 5, "algorithms": ["LightGBM", "LogisticRegression"], "early": True,
              "ensembles": ["StackEnsemble"], "positive_label": "yes", "workers": 3, "cores": 2}  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    imputer = {"fields": ["age"], "strategy": "median", "fill_value": 0}
    assert found["featurization"] == {
        "mode": "custom", "blocked": [], "columns": {"zip": "Categorical"}, "imputers": [imputer],
    }  # fmt: skip


def test_a_forecast_is_searched_as_it_says() -> None:
    found = automl_task.search(details({}, FORECAST), nodes=1, cores=2)
    assert (found["algorithms"][0], found["ensembles"]) == ("SeasonalNaive", ["VotingEnsemble"])
    assert found["forecasting"] == {
        "time": "day", "series": ["store"], "horizon": 14, "lags": [1, 7], "window": "auto", "season": 7,
        "frequency": None, "aggregate": None, "short": "auto", "stride": None, "folds": None, "unknown": [],
        "forward": [], "country": None,
    }  # fmt: skip


def test_a_forecast_knows_holidays_and_fills_gaps_in_time() -> None:
    fields = [{"fields": ["price"], "parameters": {"strategy": "ffill"}},
              {"fields": ["income"], "parameters": {"strategy": "median"}}]  # fmt: skip
    change = {
        "forecasting": {"time_column_name": "day", "country_or_region_for_holidays": "US"},
        "featurization": {"mode": "custom", "transformer_params": {"imputer": fields}},
    }
    assert automl_task.problems(details(change, FORECAST)) == []
    found = automl_task.search(details(change, FORECAST), nodes=1, cores=2)
    assert (found["forecasting"]["country"], found["forecasting"]["forward"]) == ("US", ["price"])
    assert [each["fields"] for each in found["featurization"]["imputers"]] == [["income"]]


def test_deep_learning_adds_a_network_to_the_algorithms_of_a_forecast() -> None:
    deep = {"enable_dnn_training": True}
    every = automl_task.algorithms(details({}, FORECAST))
    with_network = automl_task.algorithms(details({"training": deep}, FORECAST))
    assert set(with_network) - set(every) == {"TCNForecaster"}
    alone = {**deep, "allowed_training_algorithms": ["tcn_forecaster"]}
    assert automl_task.problems(details({"training": alone}, FORECAST)) == []
    assert automl_task.algorithms(details({"training": alone}, FORECAST)) == ["TCNForecaster"]
    for without in ({"allowed_training_algorithms": ["naive"]}, {"blocked_training_algorithms": ["tcn_forecaster"]}):
        assert not automl_task.is_deep(details({"training": {**deep, **without}}, FORECAST))


def test_the_nodes_of_a_search_are_its_compute_or_what_a_serverless_job_asks_for() -> None:
    cluster = {"properties": {"properties": {"scaleSettings": {"maxNodeCount": 3}}}}
    assert searches.nodes(cluster, {"resources": {"instanceCount": 1}}) == 3
    assert searches.nodes(None, {"resources": {"instanceCount": 4}}) == 4
    assert searches.nodes(None, {"resources": {"instance_count": 4}}) == 4  # as azure-ai-ml sends it
    assert searches.nodes(None, {}) == 1


def test_a_job_is_read_as_the_service_writes_it() -> None:
    given = {
        "taskType": "Regression", "primaryMetric": "R2Score", "targetColumnName": "y", "weightColumnName": "w",
        "trainingSettings": {"blockedTrainingAlgorithms": ["SGD", "ExtremeRandomTrees"]},
        "limitSettings": {"timeout": "PT5M", "enableEarlyTermination": False, "exitScore": 0.9},
    }  # fmt: skip
    found = automl_task.search(given, nodes=1, cores=2)
    assert (found["metric"], found["early"], found["exit_score"], found["seconds"]) == ("r2_score", False, 0.9, 300)
    assert not {"SGD", "ExtremeRandomTrees", "KNN", "LassoLars"} & set(found["algorithms"])
    assert len(found["algorithms"]) == 6


@pytest.mark.parametrize("task", ["Classification", "Regression", "Forecasting"])
def test_no_setting_of_the_models_is_forgotten(task: str) -> None:
    """Whatever Microsoft adds to the models of a table's task must be honoured or refused here."""
    source = inspect.getsource(automl_task) + inspect.getsource(automl)
    models = [
        task, f"{task}TrainingSettings", "TableVerticalLimitSettings", "TableVerticalFeaturizationSettings",
        "StackEnsembleSettings", *(["ForecastingSettings"] if task == "Forecasting" else []),
    ]  # fmt: skip
    fields = {field for model in models for field in validation.MODELS.fields(model)}
    named = {field for field in fields if f'"{field}"' in source}
    assert fields - named == set()


@pytest.mark.parametrize("task", ["text_classification", "text_ner", "image_classification", "image_object_detection"])
def test_text_and_images_are_refused_with_the_reason(task: str) -> None:
    (said,) = automl_task.problems(details({"task": task}))
    assert "tables only (Classification, Regression, Forecasting)" in said
    assert "need a GPU and pretrained weights" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target_column_name": None}, "target_column_name is missing"),
        ({"target_column_name": "${{parent.inputs.y}}"}, "resolves bindings in an AutoML node's data only"),
        ({"n_cross_validations": 1}, "n_cross_validations is 1 and must be at least 2"),
        ({"validation_data": "${{parent.inputs.v}}"}, "validation_data and n_cross_validations exclude each other"),
        ({"test_data_size": 1.5}, "test_data_size is 1.5 and must be between 0 and 1"),
        ({"training": {"enable_dnn_training": True}}, "does not support enable_dnn_training for Classification"),
        ({"training": {"enable_onnx_compatible_models": True}}, "does not support enable_onnx_compatible_models"),
        ({"training": {"training_mode": "distributed"}}, "does not support training_mode distributed"),
        ({"training": {"allowed_training_algorithms": ["light_gbm"], "blocked_training_algorithms": ["light_gbm"]}},
         "leave nothing to try"),
        ({"training": {"stack_ensemble_settings": {"stack_meta_learner_type": "elastic_net"}}}, "does not fit"),
        ({"featurization": {"mode": "off", "column_name_and_types": {"a": "Numeric"}}}, "featurization is off"),
        ({"featurization": {"dataset_language": "deu"}}, "leave out dataset_language"),
        ({"featurization": {"enable_dnn_featurization": True}}, "does not support enable_dnn_featurization"),
        ({"featurization": {"column_name_and_types": {"a": "Text"}}}, "does not know the type 'Text' of column 'a'"),
        ({"featurization": {"transformer_params": {"tf_idf": []}}}, "parameters of the imputer only, got 'tf_idf'"),
        ({"featurization": {"transformer_params": {"imputer": [{"parameters": {"strategy": "ffill"}}]}}},
         "no strategy 'ffill' for Classification"),
        ({"featurization": {"blocked_transformers": ["one_hot_encoder", "label_encoder", "cat_target_encoder"]}},
         "no way to encode categories"),
        ({"limits": {"max_trials": 2, "max_concurrent_trials": 3}}, "exceeds max_trials, which is 2"),
        ({"limits": {"max_nodes": 4}}, "does not support max_nodes above 1"),
    ],
)  # fmt: skip
def test_what_would_not_be_honoured_is_refused(change: Any, said: str) -> None:
    assert any(said in problem for problem in automl_task.problems(details(change)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"forecasting": {"frequency": "D"}}, "forecasting.time_column_name is missing"),
        ({"forecasting": {"time_column_name": "t", "use_stl": "season"}}, "does not support forecasting.use_stl"),
        (
            {"forecasting": {"time_column_name": "t", "feature_lags": "auto"}},
            "does not support forecasting.feature_lags",
        ),
        ({"forecasting": {"time_column_name": "t", "short_series_handling_config": "pad"}}, "does not pad"),
        ({"forecasting": {"time_column_name": "t", "target_aggregate_function": "sum"}}, "needs forecasting.frequency"),
        ({"validation_data_size": 0.2}, "validation_data_size does not apply to forecasting"),
        ({"training": {"allowed_training_algorithms": ["prophet", "light_gbm"]}}, "training algorithms Prophet"),
        ({"training": {"allowed_training_algorithms": ["tcn_forecaster"]}}, "needs enable_dnn_training: true"),
        (
            {"training": {"enable_dnn_training": True, "training_mode": "distributed"}},
            "does not support training_mode distributed",
        ),
        ({"training": {"enable_stack_ensemble": True}}, "does not stack forecasters"),
    ],
)
def test_a_forecast_that_cannot_run_is_refused(change: Any, said: str) -> None:
    assert any(said in problem for problem in automl_task.problems(details(change, FORECAST)))


def test_a_node_with_a_wrong_value_is_refused_as_the_service_does() -> None:
    with pytest.raises(ValueError, match="primaryMetric"):
        details({"primary_metric": "r2_score"})


def test_an_output_or_environment_of_another_kind_is_refused() -> None:
    job = automl.from_node({}, NODE)
    assert "only output of an AutoML job is best_model" in automl.problems({**job, "outputs": {"x": {}}})[0]
    assert "environment of its own" in automl.problems({**job, "environmentId": "azureml:e:1"})[0]
