"""The search: reads its settings, runs the trials, and takes the best one."""

from __future__ import annotations

import itertools
import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np

from . import algorithms, forecasting, models, reading
from .algorithms import Candidate
from .reading import Json, SearchError
from .trials import Trials

_ROWS_FOR_A_CORE = 10_000  # fewer rows are faster with fewer threads


def load(settings: Json) -> Json:
    """Return the training rows with their target, weights and folds, the validation data and the test data."""
    tables = reading.tables(settings)
    target = settings["target"]
    if settings["forecasting"]:
        settings["forecasting"], tables = forecasting.prepared(settings["forecasting"], tables, target)
    apart = [target, *([settings["weight"]] if settings["weight"] else []), *settings["cv_split_columns"]]
    split = {name: (table.drop(columns=apart, errors="ignore"), table[target].to_numpy())
             for name, table in tables.items()}  # fmt: skip
    rows, truth = split["training_data"]
    positive = settings["positive_label"]
    if positive is not None:
        labels = {str(label): label for label in np.unique(truth)}
        if positive not in labels:
            raise SearchError(f"positive_label: '{positive}' is none of the labels {', '.join(labels)}")
        settings["positive_label"] = labels[positive]
    held = split.get("validation_data")
    if held is not None:
        folds = []
    elif settings["forecasting"]:
        folds = forecasting.folds(settings["forecasting"], tables["training_data"])
    else:
        folds = reading.folds(settings, tables["training_data"], truth)
    weights = tables["training_data"][settings["weight"]].to_numpy() if settings["weight"] else None
    return {"rows": rows, "truth": truth, "weights": weights, "folds": folds, "held": held,
            "test": split.get("test_data"), "signature": models.signature(settings, rows, truth)}  # fmt: skip


def search(settings: Json) -> None:
    """Run the trials. Raise SearchError if none of them brings a model."""
    Path(settings["artifacts"]).mkdir(parents=True)
    data = load(settings)
    settings["cores"] = max(1, min(settings["cores"], len(data["rows"]) // _ROWS_FOR_A_CORE))
    algorithms.load(settings["algorithms"])
    trials = Trials(settings, data)
    ensembles = settings["ensembles"] if settings["trials"] > len(settings["ensembles"]) + 1 else []
    simple = [name for name in settings["algorithms"] if name in forecasting.SIMPLE]
    others = [name for name in settings["algorithms"] if name not in forecasting.SIMPLE]
    tried = itertools.chain((Candidate(name, "") for name in simple), algorithms.candidates(settings["task"], others))
    print(f"searching {', '.join(settings['algorithms'])} for {settings['metric']}", flush=True)
    reason = trials.run(tried, settings["trials"] - len(ensembles))
    print(f"no other trial starts, because {reason}", flush=True)
    for name in ensembles:
        trials.ensemble(name)
    best = trials.best()
    if best is None:
        raise SearchError("no trial completed within the job's limits; the log says how each of them ended")
    said: Json = {}
    model = trials.model(best)
    if settings["explain"] and algorithms.is_deep(trials.scored[best][0]):
        print("no feature importance: it is for other algorithms only, in Azure too", flush=True)
    elif settings["explain"]:
        said["importance"] = models.importance(settings, model, data)
        print(f"feature importance: {said['importance']}", flush=True)
    if data["test"] is not None:
        rows, truth = data["test"]
        found = models.judged(settings, model, rows, truth)
        said["test"] = found
        print(f"test data: {found}", flush=True)
    if settings["model"]:
        place = Path(settings["artifacts"], str(best), models.PLACE)
        shutil.copytree(place, settings["model"], dirs_exist_ok=True)
    print(f"best: trial {best}, {trials.scored[best][0].algorithm}, {trials.scored[best][1]:.6g}", flush=True)
    trials.report("best", best, reason=reason, **said)


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    logging.basicConfig(level=given["verbosity"])
    try:
        search(given)
    except SearchError as error:
        sys.exit(f"AutoML: {error}")
