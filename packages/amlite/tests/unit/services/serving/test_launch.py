"""The stored launch of a model server."""

from __future__ import annotations

from amlite.services.serving.launch import Launch

LAUNCH = Launch(
    name="serving-ep-blue-1",
    folder="/state/serving/ep-blue-1",
    environment_id=None,
    script="score.py",
    model=None,
    workers=1,
    object_id="object",
    client_id="client",
    variables={"KEY": "value"},
    start_timeout=40,
)


def test_a_launch_is_stored_and_read_back() -> None:
    assert Launch.stored(LAUNCH.json()) == LAUNCH


def test_a_launch_of_another_version_of_amlite_is_read_with_the_defaults_for_new_settings() -> None:
    stored = {**LAUNCH.json(), "dropped": True}
    del stored["start_timeout"]
    assert Launch.stored(stored).start_timeout == 310
