"""A release whose smoke test gets no answer: the real engine brings back the version of before and its traffic."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from amlite.testing import LocalAzure
from azureml_fixtures.engine import STACK, EngineProject, Make, operations, serve
from azureml_fixtures.engine_fixtures import azure, make, signed_in
from infra.outputs import ModelOutput, StackOutputs
from pulumi_azureml import Overrides
from pulumi_azureml.operations import ScoringTarget, score
from release import project as project_paths
from release import stack
from release.deploying.deployment import Deployment
from release.errors import ReleaseError
from release.history.reason import Reason
from release.terminal.console import new_console

__all__ = ["azure", "make", "signed_in"]
SECONDS = 3
# A rollout names the new deployment in a header when it tests it. Callers, and the release's smoke test, do not.
SCORE = f"""
import json, os, time
from pathlib import Path
from azureml.contrib.services.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    global model
    model = json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "weights" / "model.json").read_text())

@rawhttp
def run(request):
    if model["slow"] and "azureml-model-deployment" not in request.headers:
        time.sleep({SECONDS + 3})
    return AMLResponse(json.loads(request.get_data())["value"] * model["factor"], 200, json_str=True)
"""


def register(project: EngineProject, folder: Path, version: str, **content: object) -> ModelOutput:
    """Register a version of the model."""
    from azure.ai.ml.entities import Model

    weights = folder / version / "weights"
    weights.mkdir(parents=True)
    (weights / "model.json").write_text(json.dumps(content), "utf-8")
    project.ml.models.create_or_update(Model(name="delays", version=version, path=str(weights), type="custom_model"))
    return ModelOutput(name="delays", version=version)


def test_a_release_that_does_not_answer_in_time_returns_to_the_version_of_before(
    make: Make, signed_in: LocalAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make()
    endpoint, console = f"ep-{project.tag}", new_console()
    serve(project)
    project.edit("ml/deploy/blue-deployment.yml", model="azureml:delays@latest")
    project.write("ml/deploy/score/score.py", SCORE)
    program = (project.root / "__main__.py").read_text("utf-8")
    chosen = 'chosen = pulumi.Config("azureml-platform").get_object("models") or {}'
    project.write("__main__.py", re.sub("^chosen = .*$", chosen, program, flags=re.MULTILINE))
    project.up()
    for name in ("PATH", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.setenv(name, project.environment[name])
    monkeypatch.setattr(project_paths, "ROOT", project.root)
    target = ScoringTarget.of(project.ml, endpoint)
    outputs = StackOutputs.model_construct(
        workspace_id=target.id.partition("/onlineEndpoints/")[0], overrides=Overrides(), models={},
        endpoints={
            endpoint: SimpleNamespace(
                name=endpoint, kind="online", deployment="blue", scoring_uri=target.scoring_uri,
                auth_mode=target.auth_mode,
            )
        },
    )  # fmt: skip
    monkeypatch.setattr(stack.PulumiStack, "deployed", lambda _self: outputs)

    def deploy(model: ModelOutput) -> None:
        reason = Reason(f"Deploy {model.version}", approved_by=None, deployed_by="test", commit="c", job=None)
        at = stack.PulumiStack(STACK)
        Deployment(at, {endpoint: model}, reason, at_once=True, seconds=SECONDS, console=console).run()

    deploy(register(project, tmp_path, "1", factor=2, slow=False))
    file = project.root / f"Pulumi.{STACK}.yaml"
    before = file.read_bytes()
    (first,) = project.ml.online_deployments.list(endpoint)
    with console.capture() as printed, pytest.raises(ReleaseError) as failed:
        deploy(register(project, tmp_path, "2", factor=3, slow=True))
    assert f"did not answer sample-request.json within {SECONDS} s" in failed.value.message
    assert f"{file.name} and the traffic were restored" in failed.value.message
    assert "rolling back" in printed.get()
    assert file.read_bytes() == before
    (live,) = project.ml.online_deployments.list(endpoint)
    assert live.model == first.model
    assert project.ml.online_endpoints.get(endpoint).traffic == {live.name: 100}
    assert score(ScoringTarget.of(project.ml, endpoint), {"value": 21}) == 42
    assert operations(project.preview(0, "--json")) == {}
