"""A mandatory rule stops the real engine. The program needs no cloud, and the engine no account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """\
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("1", props)


class Kind(Resource, module="azureml", name="Datastore"):
    def __init__(self, name, definition, opts=None):
        super().__init__(Provider(), name, {"definition": definition}, opts)


fitting = Kind("fitting", {"type": "azure_blob"})
keys = {"credentials": {"account_key": "key"}} if pulumi.Config().get_bool("keys") else {}
Kind("keyed", {"type": "azure_blob", **keys}, pulumi.ResourceOptions(depends_on=[fitting]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "__main__.py").write_text(PROGRAM)
    options = json.dumps({"virtualenv": str(Path(sys.prefix))})
    (tmp_path / "Pulumi.yaml").write_text(f"name: small\nruntime: {{name: python, options: {options}}}\n")
    return tmp_path


def pulumi(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{project}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    command = ["pulumi", "--non-interactive", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_a_mandatory_rule_stops_an_update_with_the_policy_pack(project: Path) -> None:
    assert pulumi(project, "stack", "init", "dev").returncode == 0
    assert pulumi(project, "config", "set", "keys", "true").returncode == 0
    up = ("up", "--yes", "--policy-pack", str(ROOT / "policy"))

    refused = pulumi(project, *up)
    assert refused.returncode != 0
    assert "[mandatory]  datastore-credentials" in refused.stdout
    assert "fix: delete `credentials` from the YAML" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    state = json.loads(pulumi(project, "stack", "export").stdout)
    assert not state["deployment"].get("resources"), "the preview stopped the update before anything changed"

    assert pulumi(project, "config", "set", "keys", "false").returncode == 0
    done = pulumi(project, *up)
    assert (done.returncode, "✅ azureml-platform" in done.stdout) == (0, True), done.stdout
