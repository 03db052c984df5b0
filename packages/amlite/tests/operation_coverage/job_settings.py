"""What becomes of every setting of a job: amlite honours it, refuses it, or it has no effect, with the reason.

A test holds that each property of Microsoft's models of jobs is in exactly one of the three.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from amlite.services.machinelearning.published import validation

ROOT = "JobBaseProperties"
_READ_ONLY = "o"
_FILE = Path(validation.__file__).with_name("machinelearning.json")


class Treatment(StrEnum):
    """What becomes of a setting."""

    HONOURED = "honoured"
    REFUSED = "refused"
    NO_EFFECT = "no effect"


REFUSED_KINDS = {
    "FineTuningJob": "jobs of this kind are refused",
    "ImageClassification": "a GPU and pretrained weights are needed",
    "ImageClassificationMultilabel": "a GPU and pretrained weights are needed",
    "ImageInstanceSegmentation": "a GPU and pretrained weights are needed",
    "ImageObjectDetection": "a GPU and pretrained weights are needed",
    "TextClassification": "a GPU and pretrained weights are needed",
    "TextClassificationMultilabel": "a GPU and pretrained weights are needed",
    "TextNer": "a GPU and pretrained weights are needed",
    "SparkJobScalaEntry": "the entry must be a Python file",
}
"""Models that are refused as a whole, and why."""

_OUTPUT = {
    "assetName": "",
    "mode": "`Upload` keeps nothing of a failed job; `Direct` gives a command the URI",
    "uri": "",
}
_INPUT = {"uri": "", "mode": "`ReadWriteMount` is refused, and the `Eval` modes outside of parallel and AutoML jobs; "
          "`Direct` gives the URI, except to Spark, AutoML and the data of parallel jobs"}  # fmt: skip
_TABLES = dict.fromkeys(
    ("cvSplitColumnNames", "featurizationSettings", "limitSettings", "nCrossValidations", "testData", "testDataSize",
     "trainingSettings", "validationData", "validationDataSize", "weightColumnName", "primaryMetric"), ""
)  # fmt: skip
_MODES: dict[str, str] = {"mode": ""}
_PATHS = ("CustomModel", "MLFlowModel", "MLTable", "TritonModel", "UriFile", "UriFolder")
_NOT_OF_FORECASTS = ("cvSplitColumnNames", "testDataSize", "validationDataSize", "weightColumnName")

HONOURED: dict[str, dict[str, str]] = {
    ROOT: {"jobType": "", "computeId": "", "displayName": "", "experimentName": "", "identity": "", "isArchived": "",
           "componentId": "the component of a pipeline; kept for other kinds",
           "services": "interactive services are shown as failed, with the reason; the job runs"},
    "ResourceBase": {"description": "", "properties": "", "tags": ""},
    "IdentityConfiguration": {"identityType": ""},
    "ManagedIdentity": {"clientId": "", "objectId": "", "resourceId": ""},
    "JobService": {"jobServiceType": "", "nodes": "shown", "port": "shown", "properties": "shown", "endpoint": "shown"},
    "Nodes": {"nodesValueType": "shown"},
    "AutoMLJob": {"environmentVariables": "", "outputs": "`best_model` only", "resources": "", "taskDetails": ""},
    "JobOutput": {"jobOutputType": "", "description": "shown"},
    **{f"{kind}JobOutput": _OUTPUT for kind in _PATHS},
    "JobInput": {"jobInputType": "", "description": "shown"},
    **{f"{kind}JobInput": _INPUT for kind in _PATHS},
    "LiteralJobInput": {"value": ""},
    "JobResourceConfiguration": {"dockerArgs": "`--shm-size` only; others are refused",
                                 "dockerArgsList": "`--shm-size` only; others are refused",
                                 "shmSize": "of containers; a process has the shared memory of this machine"},
    "ResourceConfiguration": {"instanceCount": "the nodes of a distributed job are groups of processes; a job without "
                              "`distribution` runs once"},
    "AutoMLVertical": {"logVerbosity": "", "targetColumnName": "", "trainingData": "", "taskType": ""},
    "Classification": {**_TABLES, "positiveLabel": ""},
    "Regression": _TABLES,
    "Forecasting": {**{name: "" for name in _TABLES if name not in _NOT_OF_FORECASTS},
                    "forecastingSettings": ""},
    "TableVerticalFeaturizationSettings": {"blockedTransformers": "", "columnNameAndTypes": "", "mode": "",
                                           "transformerParams": "of the imputer; others are refused"},
    "ColumnTransformer": {"fields": "", "parameters": ""},
    "TableVerticalLimitSettings": dict.fromkeys(
        ("enableEarlyTermination", "exitScore", "maxConcurrentTrials", "maxCoresPerTrial", "maxTrials", "timeout",
         "trialTimeout"), ""),
    "NCrossValidations": _MODES, "CustomNCrossValidations": {"value": ""},
    **{f"{task}TrainingSettings": {"allowedTrainingAlgorithms": "the ones that amlite has; others are refused",
                                   "blockedTrainingAlgorithms": ""}
       for task in ("Classification", "Forecasting", "Regression")},
    "TrainingSettings": {"enableDnnTraining": "adds `TCNForecaster` to a forecast; refused for other tasks",
                         "enableModelExplainability": "not of a best model by `TCNForecaster`, as in Azure",
                         "enableVoteEnsemble": "",
                         "enableStackEnsemble": "refused for forecasting",
                         "stackEnsembleSettings": "refused for forecasting"},
    "StackEnsembleSettings": {"stackMetaLearnerKWargs": "", "stackMetaLearnerTrainPercentage": "",
                              "stackMetaLearnerType": "the ones that amlite has; others are refused"},
    "ForecastingSettings": dict.fromkeys(
        ("cvStepSize", "forecastHorizon", "frequency", "seasonality", "targetAggregateFunction", "targetLags",
         "targetRollingWindowSize", "timeColumnName", "timeSeriesIdColumnNames"), "")
        | {"shortSeriesHandlingConfig": "`Pad` is refused", "countryOrRegionForHolidays": "by the package `holidays`"},
    "ForecastHorizon": _MODES, "CustomForecastHorizon": {"value": ""},
    "Seasonality": _MODES, "CustomSeasonality": {"value": ""},
    "TargetLags": _MODES, "CustomTargetLags": {"values": ""},
    "TargetRollingWindowSize": _MODES, "CustomTargetRollingWindowSize": {"value": ""},
    "CommandJob": dict.fromkeys(
        ("codeId", "command", "distribution", "environmentId", "environmentVariables", "inputs", "limits", "outputs",
         "resources"), ""),
    "DistributionConfiguration": {"distributionType": "MPI processes get Open MPI's variables, without `mpirun`"},
    "Mpi": {"processCountPerInstance": ""},
    "PyTorch": {"processCountPerInstance": ""},
    "TensorFlow": {"parameterServerCount": "", "workerCount": ""},
    "JobLimits": {"timeout": "", "jobLimitsType": ""},
    "SweepJobLimits": {"maxConcurrentTrials": "", "maxTotalTrials": "", "trialTimeout": ""},
    "PipelineJob": {"inputs": "",
                    "jobs": "with `if_else`, `do_while` and `parallel_for`; the values of control outputs of a "
                            "`parallel_for` are refused, because Azure does not document their form",
                    "outputs": "",
                    "settings": "`default_compute`, `default_datastore`, `continue_on_step_failure`, "
                                "`force_rerun`; a step is reused as in Azure, except AutoML"},
    "SparkJob": dict.fromkeys(
        ("archives", "args", "codeId", "conf", "entry", "environmentId", "environmentVariables", "files", "inputs",
         "jars", "outputs", "pyFiles"), "")
        | {"resources": ""},
    "SparkJobEntry": {"sparkJobEntryType": ""},
    "SparkJobPythonEntry": {"file": ""},
    "SweepJob": dict.fromkeys(
        ("earlyTermination", "inputs", "limits", "objective", "outputs", "searchSpace", "trial"), "")
        | {"samplingAlgorithm": "`Bayesian` draws at random, and the log says so"},
    "EarlyTerminationPolicy": {"policyType": "", "delayEvaluation": "", "evaluationInterval": ""},
    "BanditPolicy": {"slackAmount": "", "slackFactor": ""},
    "TruncationSelectionPolicy": {"truncationPercentage": ""},
    "Objective": {"goal": "", "primaryMetric": ""},
    "SamplingAlgorithm": {"samplingAlgorithmType": ""},
    "RandomSamplingAlgorithm": {"rule": "", "seed": ""},
    "TrialComponent": dict.fromkeys(
        ("codeId", "command", "distribution", "environmentId", "environmentVariables", "resources"), ""),
}  # fmt: skip

REFUSED: dict[str, dict[str, str]] = {
    ROOT: {"notificationSetting": "amlite sends no notifications"},
    "NotificationSetting": {"emailOn": "", "emails": "", "webhooks": ""},
    "Webhook": {"eventType": "", "webhookType": ""},
    "AutoMLJob": {"environmentId": "AutoML runs in an environment of its own"},
    "ResourceConfiguration": {"properties": "unless it is empty"},
    "Forecasting": dict.fromkeys(_NOT_OF_FORECASTS, "use `nCrossValidations`"),
    "TableVerticalFeaturizationSettings": {"enableDnnFeaturization": "unless it is false"},
    "FeaturizationSettings": {"datasetLanguage": "there is no featurization of text"},
    "TrainingSettings": {"enableOnnxCompatibleModels": "unless it is false"},
    "ForecastingSettings": {"featureLags": "", "useStl": ""},
}

NO_EFFECT: dict[str, dict[str, str]] = {
    "AutoMLJob": {"queueSettings": "no other jobs wait for the node of a serverless job"},
    "CommandJob": {"queueSettings": "no other jobs wait for the node of a serverless job"},
    "SparkJob": {"queueSettings": "no other jobs wait for the node of a serverless job"},
    "SweepJob": {"queueSettings": "no other jobs wait for the node of a serverless job"},
    "QueueSettings": {"jobTier": "a node of this machine is never taken away"},
    "ResourceConfiguration": {"instanceType": "every node is this machine"},
    "SparkResourceConfiguration": {
        "instanceType": "every node is this machine",
        "runtimeVersion": "the log names the version of Spark that runs",
    },
    "TrainingSettings": {"ensembleModelDownloadTimeout": "the models of an ensemble are on this machine"},
    "PipelineJob": {"sourceJobId": "says where the job comes from, in Azure too"},
}

_TABLE = {Treatment.HONOURED: HONOURED, Treatment.REFUSED: REFUSED, Treatment.NO_EFFECT: NO_EFFECT}


def published() -> set[str]:
    """Return every setting of Microsoft's models of jobs, as `Model.property`, except for kinds that are refused."""
    return set(_settings(ROOT, set()))


def rows() -> Iterator[tuple[str, Treatment, str]]:
    """Yield (setting, what becomes of it, note), in the order of the settings."""
    found = [
        (f"{model}.{name}", treatment, note)
        for treatment, models in _TABLE.items()
        for model, fields in models.items()
        for name, note in fields.items()
    ]
    found += [(model, Treatment.REFUSED, note) for model, note in REFUSED_KINDS.items()]
    yield from sorted(found)


@functools.cache
def _models() -> dict[str, Any]:
    models: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))["models"]
    return models


def _settings(model: str, seen: set[str]) -> Iterator[str]:
    if model in seen or model in REFUSED_KINDS:
        return
    seen.add(model)
    entry = _models()[model]
    kinds = entry.get("kind") or [None, {}]
    if kinds[0]:
        yield f"{model}.{kinds[0]}"
    for name, (kind, marks) in entry["fields"].items():
        if _READ_ONLY not in marks:
            yield f"{model}.{name}"
            if "model:" in kind:
                yield from _settings(kind.rpartition("model:")[2], seen)
    for other in (*([entry["base"]] if "base" in entry else []), *(kinds[1] or {}).values()):
        yield from _settings(other, seen)
