"""What Spark costs beside pandas: the preparation of the custom images' example, for a gigabyte of flights."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground
from tests.checkout import ROOT, clean_environment

_STEPS = ROOT / "examples" / "custom-images" / "ml"
# 27 bytes a row as CSV: 40 million rows are a gigabyte. Files of a few million, as a data lake has them.
_FLIGHTS = """
import sys, numpy as np, pandas as pd
random = np.random.default_rng(7)
days = pd.date_range("2013-01-01", periods=365).strftime("%Y-%m-%d").to_numpy()
for part in range(8):
    rows = 5_000_000
    delay = random.normal(12, 40, rows).round()
    delay[random.random(rows) < 0.02] = np.nan
    frame = pd.DataFrame({
        "date": random.choice(days, rows), "origin": random.choice(["EWR", "JFK", "LGA"], rows), "dep_delay": delay,
    })
    frame.to_parquet(f"{sys.argv[1]}/part-{part}.parquet", index=False)
"""


def measure(ground: Ground) -> list[Figure]:
    """Time both scripts from their start to their end, each in an environment of its own."""
    folder = ground.folder()
    flights = folder / "flights"
    flights.mkdir()
    pandas, spark = ground.peer("pandas"), ground.peer("pyspark")
    _run([pandas / "python", "-c", _FLIGHTS, flights], pandas)
    submit = [
        spark / "spark-submit", "--master", "local[*]", "--conf", "spark.ui.enabled=false",
        "--conf", "spark.driver.memory=4g", "--conf", "spark.driver.bindAddress=127.0.0.1",
    ]  # fmt: skip
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(ground.runs):
        with timed(ours):
            script = _STEPS / "spark_prepare" / "src" / "prepare.py"
            _run([*submit, script, "--flights", flights, "--daily", folder / f"spark-{number}"], spark)
        with timed(theirs):
            script = _STEPS / "prepare" / "src" / "prepare.py"
            _run([pandas / "python", script, "--flights", flights, "--daily", folder / f"pandas-{number}"], pandas)
    shutil.rmtree(folder)
    return [Figure("the preparation of 40 million flights (1 GB), Spark", ours, "", "the same with pandas", theirs)]


def _run(command: list[str | Path], programs: Path) -> None:
    environment = clean_environment()
    path = f"{programs}{os.pathsep}{environment['PATH']}"
    subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**environment, "PATH": path, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": "python"},
    )  # fmt: skip
