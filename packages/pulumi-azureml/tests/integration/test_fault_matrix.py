"""A diagonal of the matrix of faults and kinds; `python -m tests.bench fault-matrix` runs all of it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from amlite.testing import FaultKind
from azureml_fixtures.asset_project import OWNER, Project
from azureml_fixtures.fault_matrix import Case, Matrix, cases, diagonal, impatient
from pulumi_azureml.operations import retry
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.provider import AzureMLProvider

if TYPE_CHECKING:
    from amlite.testing import Workspace

_EVERY = 19
_DIAGONAL = diagonal(_EVERY)


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with impatient():
        yield


def test_the_matrix_has_every_kind_and_every_fault_and_so_has_its_diagonal() -> None:
    for chosen in (cases(), _DIAGONAL):
        assert {case.kind for case in chosen} == set(OPERATIONS)
        assert {case.fault for case in chosen} == set(FaultKind)
        assert {(case.action, case.side) for case in chosen} == {
            (action, side) for action in ("create", "delete") for side in ("writes", "reads")
        }


@pytest.mark.parametrize("case", _DIAGONAL, ids=str)
def test_a_fault_leaves_what_a_quiet_run_leaves(case: Case, matrix: Matrix) -> None:
    matrix.run(case)


def test_an_outage_is_reported_and_the_next_attempt_converges(
    project: Project, add_fault: Callable[..., None], azureml_workspace: Workspace
) -> None:
    props = project.props("data", f"azureml-platform/{project.tag}")
    add_fault("PUT */workspaces/*", FaultKind.ERROR, rate=1)
    with pytest.raises(AssetError, match="The service stumbled"):
        AzureMLProvider("data").create(props)
    azureml_workspace.azure.clear_faults()
    AzureMLProvider("data").create(props)
    assert AzureMLProvider("data").read(props["name"], props).inputs == props


def test_ten_assets_converge_while_three_in_ten_requests_are_throttled(
    project: Project, add_fault: Callable[..., None], azureml_workspace: Workspace
) -> None:
    definitions = []
    for number in range(10):
        project.write(f"ml/data/files/rows{number}.csv", f"{project.tag},{number}\n")
        project.edit("ml/data/data.yml", name=f"chaos-{number}-{project.tag}")
        definitions.append(project.props("data", OWNER))
    # The folder is the same for all in the end: its last state is what they say.
    definitions = [{**each, "trees": definitions[-1]["trees"]} for each in definitions]
    add_fault("* management.azure.com/*", FaultKind.THROTTLE, rate=0.3)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(AzureMLProvider("data").create, definitions))
    azureml_workspace.azure.clear_faults()
    assert [each.outs["name"] for each in made if each.outs] == [each["name"] for each in definitions]
    throttled = [each for each in azureml_workspace.azure.requests(project.tag) if each["status"] == 429]
    assert throttled
    for props in definitions:
        assert len(list(project.ml.data.list(name=props["name"]))) == 1


def test_an_upload_that_fails_is_reported_and_leaves_nothing_half(
    project: Project, add_fault: Callable[..., None], azureml_workspace: Workspace
) -> None:
    """azure-ai-ml alone waits for ever for a file that could not be uploaded."""
    for number in range(5):
        project.write(f"ml/data/files/part{number}.csv", f"{uuid.uuid4()}\n")
    props = project.props("data")
    add_fault("PUT *.blob.core.windows.net/*part3.csv", FaultKind.ERROR, rate=1)
    with pytest.raises(AssetError, match="The service stumbled"):
        AzureMLProvider("data").create(props)
    assert OPERATIONS["data"].observe(project.ml, props) is None
    azureml_workspace.azure.clear_faults()
    AzureMLProvider("data").create(props)
    assert AzureMLProvider("data").read(props["name"], props).inputs == props


def test_code_that_was_uploaded_but_not_registered_is_taken_up(
    project: Project, add_fault: Callable[..., None], azureml_workspace: Workspace
) -> None:
    project.needs("component")
    project.write("ml/step/src/main.py", f"print('{uuid.uuid4()}')\n")
    props = project.props("component")
    add_fault("PUT */codes/*", FaultKind.ERROR, rate=1)
    before = len(azureml_workspace.azure.requests("/codes/"))
    with pytest.raises(AssetError, match="another attempt can succeed"):
        AzureMLProvider("component").create(props)
    azureml_workspace.azure.clear_faults()
    AzureMLProvider("component").create(props)
    # The client sends the bytes again, to a folder that no asset names otherwise; one code asset comes of it.
    made = [each for each in azureml_workspace.azure.requests("/codes/")[before:] if each["method"] == "PUT"]
    assert [each["status"] for each in made if each["status"] < 300] == [201]
    assert AzureMLProvider("component").read(props["name"], props).inputs == props


def test_an_operation_that_never_ends_is_given_up_and_resumed(
    project: Project, add_fault: Callable[..., None], azureml_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_limit_seconds", 0.3)
    props = project.props("online_endpoint")
    add_fault("PUT */onlineEndpoints/*", FaultKind.LRO_SLOW, seconds=7200)
    with pytest.raises(AssetError, match=r"endpoint 'ep-.*' .*is still 'InProgress' after .* minutes.*resumes here"):
        AzureMLProvider("online_endpoint").create(props)
    monkeypatch.setattr(retry, "_limit_seconds", 60.0)
    writes = len([each for each in azureml_workspace.azure.requests(props["name"]) if each["method"] == "PUT"])
    resumed = threading.Timer(0.5, azureml_workspace.azure.advance, [7201])
    resumed.start()
    AzureMLProvider("online_endpoint").create(props)
    resumed.join()
    # The operation of the first attempt was waited for: nothing was written a second time.
    assert len([each for each in azureml_workspace.azure.requests(props["name"]) if each["method"] == "PUT"]) == writes
