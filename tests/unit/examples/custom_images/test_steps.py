"""The Python steps of the example, and what its images install."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "custom-images"
Load = Callable[[str], ModuleType]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Import the script of a step as a compute runs it: from its own folder."""

    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(EXAMPLE / "ml" / name / "src"))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def component(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((EXAMPLE / "ml" / name / "component.yml").read_text("utf-8"))
    return content


def test_cancelled_flights_do_not_count(step: Load) -> None:
    flights = pd.DataFrame(
        {
            "date": ["2013-01-01", "2013-01-01", "2013-01-01", "2013-01-02"],
            "origin": ["JFK", "JFK", "LGA", "JFK"],
            "dep_delay": [10.0, None, -1.0, 5.0],
        }
    )
    found = step("prepare").daily(flights)
    assert found.to_dict("records") == [
        {"date": "2013-01-01", "origin": "JFK", "departures": 1, "mean_delay": 10.0},
        {"date": "2013-01-01", "origin": "LGA", "departures": 1, "mean_delay": -1.0},
        {"date": "2013-01-02", "origin": "JFK", "departures": 1, "mean_delay": 5.0},
    ]


def test_the_forecast_with_the_smallest_error_wins(step: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = step("compare")
    logged: dict[str, float] = {}
    monkeypatch.setattr(compare.mlflow, "log_metric", logged.__setitem__)
    for method, error in {"arima": 9.5, "holt-winters": 8.25}.items():
        (tmp_path / method).mkdir()
        (tmp_path / method / "metrics.json").write_text(json.dumps({"method": method, "mean_absolute_error": error}))
        (tmp_path / method / "forecast.csv").write_text(method)
    folders = [str(tmp_path / method) for method in ("arima", "holt-winters")]
    monkeypatch.setattr(sys, "argv", ["compare", "--forecasts", *folders, "--report", str(tmp_path / "report")])
    compare.main()
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report == {"best": "holt-winters", "mean_absolute_error": {"arima": 9.5, "holt-winters": 8.25}}
    assert (tmp_path / "report" / "forecast.csv").read_text() == "holt-winters"
    assert logged == {"mean_absolute_error_arima": 9.5, "mean_absolute_error_holt-winters": 8.25}


@pytest.mark.parametrize("name", ["prepare", "forecast"])
def test_a_step_that_installs_its_packages_runs_the_same_code(name: str) -> None:
    baked, installing = component(name), component(f"{name}_at_run_time")
    assert (EXAMPLE / "ml" / installing["name"] / installing["code"]).resolve() == EXAMPLE / "ml" / name / "src"
    assert (baked["environment"], installing["environment"]) != ("azureml:plain@latest", baked["environment"])
    assert installing["environment"] == "azureml:plain@latest"


def test_the_packages_that_steps_install_are_those_of_the_images() -> None:
    baked = (EXAMPLE / "ml/environments/python/requirements.txt").read_text().splitlines()
    installed = (EXAMPLE / "ml/prepare/src/requirements.txt").read_text().splitlines()
    assert {line for line in installed if not line.startswith("#")} <= set(baked)
    packages = "r-base-core r-cran-data.table r-cran-jsonlite"
    assert packages in (EXAMPLE / "ml/environments/r/Dockerfile").read_text()
    assert packages in component("forecast_at_run_time")["command"]
