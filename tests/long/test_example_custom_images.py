"""The example of custom images from a fresh clone, by the real engine: to its end, and with an R step that fails."""

from __future__ import annotations

import re
from pathlib import Path

from tests.checkout import checkout

_EXAMPLE = "examples/custom-images"
# It takes less than eight minutes on two cores, and more than fifteen if others use them too.
_SECONDS = 2700


def test_custom_images_run_to_their_end_change_a_started_trigger_and_fail_with_rs_own_error(tmp_path: Path) -> None:
    with checkout(tmp_path / "clone") as clone:
        printed = clone.run("make example NAME=custom-images", seconds=_SECONDS)
        for step in ("Python: prepare", "R: forecast"):
            assert re.search(rf"{step} +[\d.]+ s +\S+ (s|min) +\+[\d.]+ s", printed), printed
        for fact in ("best forecast", "called with HTTP", "Spark", "compute instance"):
            assert fact in printed
        # A started trigger is stopped before it changes, and started again.
        factory = clone.root / _EXAMPLE / "components" / "data_factory.py"
        factory.write_text(factory.read_text().replace("hours=[6]", "hours=[7]"))
        # R refuses a horizon of more days than the year has.
        pipeline = clone.root / _EXAMPLE / "pipelines" / "forecast.yml"
        pipeline.write_text(pipeline.read_text().replace("horizon: 28", "horizon: 400"))
        printed = clone.run("make example NAME=custom-images", expect=2, seconds=_SECONDS)
        assert "step 'forecasting/arima' failed" in printed or "step 'forecasting/holt_winters' failed" in printed
        assert "a horizon of 400 days leaves 0 of 365 days to learn from" in printed
        assert re.search(r"~ \S+every-monday \(datafactory:Trigger\) updated", printed), printed
        assert re.search(r"[~+]+ \S+every-monday-started \S+ (updated|replaced)", printed), printed
        assert "Traceback" not in printed
        clone.run("make example-down NAME=custom-images")
        assert clone.leftovers() == []
