"""The policy pack, spoken to as the engine does: over gRPC, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policy.rules import RULES
from policy.subject import UNKNOWN

ROOT = Path(__file__).resolve().parents[3]
STORAGE = "azure-native:storage/v20240101:StorageAccount"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "TLS1_2"}
MANDATORY, ADVISORY = analyzer_pb2.MANDATORY, analyzer_pb2.ADVISORY


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "Pulumi.yaml").write_text("name: platform\n")
    (folder / "Pulumi.dev.yaml").write_text("config:\n  app:password: hunter2hunter2\n")
    return folder


@pytest.fixture(scope="module")
def pack(project: Path) -> Iterator[Any]:
    command = [sys.executable, "-u", str(ROOT / "policy"), "127.0.0.1:1"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.terminate()


def analysed(pack: Any, type_: str, inputs: dict[str, Any], stack: str = "dev") -> dict[str, int]:
    properties = struct_pb2.Struct()
    json_format.ParseDict(inputs, properties)
    request = analyzer_pb2.AnalyzeRequest(
        type=type_, name="thing", urn=f"urn:pulumi:{stack}::platform::{type_}::thing", properties=properties,
        options=analyzer_pb2.AnalyzerResourceOptions(protect=True),
    )  # fmt: skip
    return {each.policyName: each.enforcementLevel for each in pack.Analyze(request).diagnostics}


def test_the_pack_has_every_rule_with_the_levels_of_all_environments(pack: Any) -> None:
    levels = {each.name: each.enforcementLevel for each in pack.GetAnalyzerInfo(empty_pb2.Empty()).policies}
    assert (levels["registry-admin-user"], levels["log-retention"]) == (MANDATORY, ADVISORY)
    # The shipped settings give this rule another level in production, where alone it applies. Optional rules are off.
    assert levels["public-network-access"] == ADVISORY
    # The engine fixes the level of a policy for all stacks, so a rule with two levels is two policies.
    pins = {f"{id}-advisory": ADVISORY for id in ("pinned-image", "pinned-packages", "unchecked-resource")}
    assert {name: level for name, level in levels.items() if name.endswith("-advisory")} == pins
    assert levels.keys() - pins.keys() == {each.id for each in RULES.values() if not each.optional} | {
        "expired-exception"
    }


def test_it_finds_what_a_resource_breaks_and_takes_secrets_and_unknown_values(pack: Any) -> None:
    inputs = {
        "allowSharedKeyAccess": True, "minimumTlsVersion": SECRET, "sku": {"name": "Standard_LRS"},
        "tags": {"project": "p", "stack": "s", "cost-centre": UNKNOWN},
    }  # fmt: skip
    assert analysed(pack, STORAGE, inputs) == {"storage-shared-key": MANDATORY}
    assert analysed(pack, STORAGE, {**inputs, "allowSharedKeyAccess": UNKNOWN}) == {}
    production = analysed(pack, STORAGE, {**inputs, "allowSharedKeyAccess": False}, "prod")
    assert production == {"storage-redundancy": ADVISORY, "public-network-access": ADVISORY}


def test_a_rule_about_the_whole_stack_runs_after_its_resources(pack: Any) -> None:
    def missing(*resources: tuple[str, str, dict[str, Any]], stack: str = "prod") -> list[str]:
        given = []
        for type_, name, inputs in resources:
            properties = struct_pb2.Struct()
            json_format.ParseDict(inputs, properties)
            urn = f"urn:pulumi:{stack}::platform::{type_}::{name}"
            given.append(analyzer_pb2.AnalyzerResource(type=type_, name=name, urn=urn, properties=properties))
        found = pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=given)).diagnostics
        return [each.urn.rpartition("::")[2] for each in found if each.policyName == "diagnostic-settings"]

    vault = ("azure-native:keyvault:Vault", "vault", {"vaultName": "kv"})
    setting = {"resourceUri": "/subscriptions/s/vaults/kv", "workspaceId": "/subscriptions/s/workspaces/log"}
    assert missing(vault) == ["vault"]
    assert missing(vault, ("azure-native:monitor:DiagnosticSetting", "logs", setting)) == []
    assert missing(vault, stack="dev") == []


def test_it_finds_a_secret_in_the_stack_file_before_the_first_resource(pack: Any) -> None:
    assert analysed(pack, "pulumi:pulumi:Stack", {}) == {"plain-secret": MANDATORY}
    assert analysed(pack, "pulumi:pulumi:Stack", {}, "other") == {}


def test_wrong_settings_stop_the_pack_without_a_traceback(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import policy.environments as e, pathlib, runpy;"
        "e.environments.__defaults__ = (pathlib.Path(sys.argv[2]),);"
        "sys.argv = [sys.argv[1]]; runpy.run_module('policy', run_name='__main__')"
    )
    (tmp_path / "wrong.yml").write_text("environments: [{stacks: [a], levels: {no-such-rule: advisory}}]")
    command = [sys.executable, "-c", program, str(ROOT), str(tmp_path / "wrong.yml")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no rule 'no-such-rule'" in done.stderr
    assert "Traceback" not in done.stderr
