"""What the plan refuses of a stack's settings, and what the stack's outputs say of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.outputs import schedules
from infra.plan import PlanError
from infra.settings.configuration import ConfigurationError
from pulumi_azureml.planning import Catalogue, CatalogueSettings, load_catalogue
from tests.unit.infra.deployed import deploy

NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
_JOB = "type: pipeline\njobs: {}\n"


def plan(root: Path, schedule: str) -> Catalogue:
    folder = root / "pipelines" / "schedules"
    folder.mkdir(parents=True)
    (folder.parent / "training.yml").write_text(_JOB)
    (folder / "daily.yml").write_text(f"name: daily\ncreate_job: ../training.yml\n{schedule}")
    settings = CatalogueSettings(frozenset(), cache_folder=None, check_with_azure=False)
    return load_catalogue(root, settings)


def test_a_schedule_says_when_it_fires_next_across_the_change_of_the_clocks(tmp_path: Path) -> None:
    text = 'trigger: {type: cron, expression: "30 4 * * *", time_zone: "W. Europe Standard Time"}\n'
    (daily,) = schedules(plan(tmp_path, text), NOW).values()
    assert (daily.trigger, daily.time_zone, daily.is_enabled) == ("30 4 * * *", "W. Europe Standard Time", True)
    assert daily.next_fire_times == [
        "2026-03-28T03:30:00Z",
        "2026-03-29T02:30:00Z",
        "2026-03-30T02:30:00Z",
        "2026-03-31T02:30:00Z",
        "2026-04-01T02:30:00Z",
    ]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("trigger: {type: recurrence, frequency: week, interval: 2, end_time: '2026-03-01'}\n", (True, 0)),
        ("is_enabled: false\ntrigger: {type: recurrence, frequency: day, interval: 1}\n", (False, 0)),
    ],
)
def test_what_is_paused_or_over_fires_no_more(schedule: str, expected: tuple[bool, int], tmp_path: Path) -> None:
    (daily,) = schedules(plan(tmp_path, schedule), NOW).values()
    assert (daily.is_enabled, len(daily.next_fire_times)) == expected


def test_every_name_in_the_settings_that_no_file_defines_is_told_at_once() -> None:
    rules = {"maxInstances": 4, "cpuPercent": 70}
    settings = {
        "models": {"flight-dely": {"name": "delays", "version": 7}},
        "rollout": {"autoscale": {"flight-dely": rules}},
        "assets": {"run": ["trainin"]},
    }
    with pytest.raises(ConfigurationError) as raised:
        deploy("dev", {f"azureml-platform:{key}": json.dumps(value) for key, value in settings.items()})
    lines = str(raised.value).splitlines()
    undefined = "an endpoint that no file under ml/ defines; did you mean flight-delay?"
    assert lines[::2] == [
        f'azureml-platform:models["flight-dely"] promotes a model to {undefined}',
        f'azureml-platform:rollout.autoscale["flight-dely"] scales {undefined}',
        "azureml-platform:assets.run[0] runs pipelines/trainin.yml, which does not exist; did you mean training?",
    ]
    assert lines[1] == "      fix: pulumi config rm --path 'azureml-platform:models[\"flight-dely\"]' -s dev"


def test_an_asset_file_that_names_an_unknown_cluster_stops_the_preview_by_name() -> None:
    compute = [{"name": "other-cluster", "vmSize": "Standard_DS3_v2"}]
    with pytest.raises(PlanError, match="cpu-cluster"):
        deploy("dev", {"azureml-platform:compute": json.dumps(compute)}, preview=True)
