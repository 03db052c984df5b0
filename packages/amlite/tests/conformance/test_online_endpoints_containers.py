"""Deployments of custom containers, where this machine has a Docker engine; and what is said where it has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from azure.core.exceptions import HttpResponseError

from amlite.core import runtime
from amlite.tools import docker_engine
from amlite_fixtures import events
from amlite_fixtures.scoring import Collected, Scoring

if TYPE_CHECKING:
    from amlite.testing import Workspace

SERVER = """
import base64, json, os, pathlib, socket, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/live", "/ready") else 404)
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "ports" in body:
            found = [port for port in body["ports"] if socket.socket().connect_ex(("127.0.0.1", port)) == 0]
            files = [each for each in body["files"] if os.path.exists(each)]
            return self.answer(json.dumps({"ports": found, "files": files}))
        model = pathlib.Path(os.environ["AZUREML_MODEL_DIR"]) / "weights" / "factor.json"
        answer = json.dumps({"path": self.path, "answer": body["value"] * json.loads(model.read_text())})
        if "AZUREML_MDC_CONFIG_PATH" in os.environ:
            (name,) = json.loads(pathlib.Path(os.environ["AZUREML_MDC_CONFIG_PATH"]).read_text())["collections"]
            login, _, host = os.environ["AZUREML_MDC_HOST"].rpartition("@")
            agent = f"http://{host}:{os.environ['AZUREML_MDC_PORT']}/modeldata/log"
            basic = "Basic " + base64.b64encode(login.encode()).decode()
            headers = {"Content-Type": "application/json", "ce-type": f"azureml.inference.{name}"}
            headers["Authorization"] = basic
            urllib.request.urlopen(urllib.request.Request(agent, b'[{"value": 1}]', headers))
        self.answer(answer)

    def answer(self, answer):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

print("the container's own server begins", flush=True)
HTTPServer(("127.0.0.1", 5001), Handler).serve_forever()
"""
ROUTES = {
    "liveness_route": {"path": "/live", "port": 5001},
    "readiness_route": {"path": "/ready", "port": 5001},
    "scoring_route": {"path": "/predict", "port": 5001},
}


@pytest.fixture
def custom(make_model: Callable[[int], str], tmp_path: Path) -> Callable[..., Any]:
    """Return a function that makes a deployment of the server above, built from a context or of an image."""

    def make(endpoint: str, name: str, factor: int = 2, collector: Any = None, **environment: Any) -> Any:
        from azure.ai.ml.entities import BuildContext, Environment, ManagedOnlineDeployment

        (tmp_path / "Dockerfile").write_text(
            'FROM python:3.11-slim\nCOPY server.py /server.py\nUSER 1000\nCMD ["python3", "/server.py"]\n'
        )
        (tmp_path / "server.py").write_text(SERVER)
        made = {"build": BuildContext(path=str(tmp_path)), **environment}
        return ManagedOnlineDeployment(
            name=name,
            endpoint_name=endpoint,
            model=make_model(factor),
            environment=Environment(name=f"custom-{name}", version="1", inference_config=ROUTES, **made),
            instance_type="Standard_DS3_v2",
            instance_count=1,
            data_collector=collector,
            # A deployment's own variables decide neither what is mounted nor which port is reached.
            environment_variables={"X_CA_BUNDLE": str(tmp_path / "server.py"), "HTTPS_PROXY": "http://127.0.0.1:22"},
        )

    return make


def memory_of(workspace: Workspace, deployment: str) -> float:
    """Return the memory of a deployment's container in percent, as its metric has it."""
    path = f"{workspace.id}/onlineEndpoints/{deployment}/providers/Microsoft.Insights/metrics"
    query = "&metricnames=CpuMemoryUtilizationPercentage&timespan=PT1H&interval=FULL"
    workspace.azure.advance(16)  # a sample is due

    def sampled() -> Any:
        (metric,) = workspace.azure.arm("GET", path, version="2018-01-01", query=query).json()["value"]
        return metric["timeseries"][0]["data"][0].get("average")

    return float(events.until(sampled))


def test_a_custom_container_is_built_run_scored_and_collects(
    empty: Scoring, custom: Callable[..., Any], azureml_workspace: Workspace, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import DataCollector, DeploymentCollection

    if docker_engine.TOOL.find() is None:
        pytest.skip("no Docker engine here")
    deployments = empty.ml.online_deployments
    deployments.begin_create_or_update(custom(empty.name, "blue", 2)).result()
    # Both listen on port 5001, each in a network of its own.
    collector = DataCollector(collections={"own": DeploymentCollection(enabled="true")})
    deployments.begin_create_or_update(custom(empty.name, "green", 3, collector)).result()
    assert empty.post({"value": 21}, "blue").json() == {"path": "/predict", "answer": 42}
    assert empty.post({"value": 21}, "green").json() == {"path": "/predict", "answer": 63}
    ((record,),) = Collected(azureml_workspace).records(f"modelDataCollector/{empty.name}/green/own/", 1).values()
    assert record["data"] == [{"value": 1}]
    running = runtime.read(azureml_workspace.azure.state)
    assert running is not None
    listening = {each.laddr.port for each in psutil.Process(running.pid).net_connections("tcp") if not each.raddr}
    attack = {"ports": sorted(listening), "files": [str(tmp_path / "server.py"), str(azureml_workspace.azure.state)]}
    # In the network of `blue` are the container's own port and the proxy. amlite's certificate is below its state.
    found = empty.post(attack, "blue").json()
    assert found == {"ports": [running.proxy_port], "files": [str(azureml_workspace.azure.state)]}
    assert "the container's own server begins" in deployments.get_logs("blue", empty.name, lines=50)
    assert 0 < memory_of(azureml_workspace, f"{empty.name}/deployments/blue") < 100
    deployments.begin_delete("blue", empty.name).result()
    assert empty.post({"value": 1}, "green").json()["answer"] == 3


def test_an_image_that_nobody_has_fails_the_deployment(empty: Scoring, custom: Callable[..., Any]) -> None:
    missing = custom(empty.name, "missing", build=None, image="127.0.0.1:1/nobody/has:this")
    with pytest.raises(HttpResponseError, match=r"there is none here|cannot be pulled") as raised:
        empty.ml.online_deployments.begin_create_or_update(missing).result()
    assert "ImageBuildFailure" in str(raised.value)


def test_half_an_inference_configuration_is_refused(empty: Scoring, custom: Callable[..., Any]) -> None:
    half = custom(empty.name, "half")
    half.environment.inference_config = {"scoring_route": {"path": "/predict", "port": 5001}}
    with pytest.raises(HttpResponseError, match="livenessRoute, readinessRoute: path and port are required"):
        empty.ml.online_deployments.begin_create_or_update(half).result()
