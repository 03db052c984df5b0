from __future__ import annotations

import pytest

from amlite.core.errors import AzureError
from amlite.services.jobs.plan import check_output, in_datastore, output_uri, seconds


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
    default = {"uri": "azureml://datastores/${{default_datastore}}/paths/${{ name }}"}
    assert output_uri("job-1", "model", default) == "azureml://datastores/workspaceblobstore/paths/job-1"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("azureml://datastores/mine/paths/${{experiment_name}}", "has the expressions"),
        ("azureml://datastores/mine/paths/${{name}}/${{inputs.who}}", "has the expressions"),
        ("azureml:model:1", "is not a datastore path"),
    ],
)
def test_a_path_where_nothing_can_be_written_is_refused(uri: str, said: str) -> None:
    check_output("o", {"uri": "azureml://datastores/${{default_datastore}}/paths/${{ name }}/${{output_name}}"})
    with pytest.raises(AzureError, match=said) as raised:
        check_output("o", {"uri": uri})
    assert uri in raised.value.message


def test_an_output_cannot_become_an_asset_without_a_valid_name() -> None:
    check_output("o", {"assetName": "rows.2"})
    with pytest.raises(AzureError, match="The name 'my rows' of data is invalid"):
        check_output("o", {"assetName": "my rows"})


def test_outputs_go_to_a_pipelines_default_datastore_unless_they_name_one() -> None:
    named, unnamed, default = (
        {"uri": "azureml://datastores/mine/paths/x"},
        {},
        {"uri": "azureml://datastores/${{default_datastore}}/paths/x"},
    )
    for each in (named, unnamed, default):
        in_datastore(each, "lake")
    assert named["uri"] == "azureml://datastores/mine/paths/x"
    assert output_uri("job-1", "o", unnamed) == "azureml://datastores/lake/paths/azureml/job-1/o"
    assert output_uri("job-1", "o", default) == "azureml://datastores/lake/paths/x"


@pytest.mark.attack
@pytest.mark.parametrize("name", ["../../key", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "a b", "x" * 300])
def test_a_name_of_an_output_that_would_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(AzureError, match="The output name") as raised:
        output_uri("job", name, {})
    assert raised.value.status == 400
