from __future__ import annotations

import pytest

from amlite.core.errors import AzureError
from amlite.services.jobs.plan import output_uri, seconds


@pytest.mark.parametrize(("text", "length"), [("PT1H30M", 5400), ("P1DT0.5S", 86400.5), ("PT20S", 20)])
def test_durations_are_seconds(text: str, length: float) -> None:
    assert seconds(text) == length


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(AzureError, match="'1h' is not an ISO 8601 duration"):
        seconds("1h")


def test_outputs_go_where_they_say_or_to_the_jobs_own_place() -> None:
    base = "azureml://datastores/workspaceblobstore/paths/azureml/job-1"
    assert output_uri("job-1", "model", {"jobOutputType": "uri_folder"}) == f"{base}/model/"
    assert output_uri("job-1", "sum", {"jobOutputType": "uri_file"}) == f"{base}/sum"
    wanted = {"uri": "azureml://datastores/mine/paths/${{name}}/${{output_name}}"}
    assert output_uri("job-1", "model", wanted) == "azureml://datastores/mine/paths/job-1/model"
