"""The whole path, by the real engine and the real clients: what a newcomer sees, and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from amlite import TENANT_ID
from infra import RENAMES
from tests.checkout import Checkout
from tests.e2e.conftest import Platform

OTHER = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
AZURE_ML = "/providers/Microsoft.MachineLearningServices/workspaces/"
STATUS = """
import json, sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[3].encode(), {"Authorization": f"Bearer {sys.argv[2]}",
    "Content-Type": "application/json", **({"azureml-model-deployment": sys.argv[4]} if len(sys.argv) > 4 else {})})
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
MODELS = """
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
client = MLClient(DefaultAzureCredential(), {subscription_id!r}, {resource_group!r}, {workspace!r})
print("versions:", sorted(model.version for model in client.models.list(name="flight-delay")))
"""
MONITORING = """
import json, sys
from azure.ai.ml import MLClient, load_job
from azure.identity import DefaultAzureCredential
client = MLClient(DefaultAzureCredential(), {subscription_id!r}, {resource_group!r}, {workspace!r})
# A test that fails a step leaves a newer version of it behind.
versions = json.loads(sys.argv[2])
override = [{{f"jobs.{{name}}.component": f"azureml:{{name}}:{{versions[name]}}"}} for name in ("prep", "monitoring")]
job = client.jobs.create_or_update(load_job("pipelines/monitoring.yml", params_override=override))
client.jobs.stream(job.name)
steps = {{step.display_name: step for step in client.jobs.list(parent_job_name=job.name)}}
client.jobs.download(job.name, output_name="report", download_path=sys.argv[1])
print("result:" + json.dumps([client.jobs.get(job.name).status, steps["monitoring"].tags]))
"""


@contextmanager
def edited(clone: Checkout, path: str, change: Callable[[str], str]) -> Iterator[None]:
    """Change a file of the clone for a while."""
    file = clone.root / path
    before = file.read_text("utf-8")
    after = change(before)
    assert after != before, f"nothing to change in {path}"
    file.write_text(after, "utf-8")
    try:
        yield
    finally:
        file.write_text(before, "utf-8")


def outputs(platform: Platform) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(platform.local("pulumi stack output --json -s local"))
    return result


def requests(clone: Checkout) -> list[dict[str, Any]]:
    lines = (clone.state / "logs" / "requests.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def live(platform: Platform) -> str:
    return str(outputs(platform)["endpoints"]["flight-delay"]["deployment"])


def script(platform: Platform, text: str, *arguments: str, name: str = "script.py") -> str:
    path = platform.clone.root / ".amlite" / name
    path.write_text(text, "utf-8")
    quoted = " ".join(f"'{argument}'" for argument in arguments)
    return platform.local(f"python {path} {quoted}")


def test_make_up_ends_with_a_prediction_and_a_summary(platform: Platform) -> None:
    assert '"delay_probability"' in platform.printed
    for word in ("resource group", "workspace", "registry", "training image", "scoring URI", "roc_auc", "gate", "next"):
        assert word in platform.printed
    for step in ("prep", "train", "evaluate", "gate", "register"):
        assert re.search(rf"{step} +Completed +\d+\.\d s", platform.printed)
    found = outputs(platform)
    assert found["models"]["flight-delay"]["name"] == "flight-delay"
    image = found.get("environment_image")
    assert image is None or re.search(r"\.azurecr\.io/[^@]+@sha256:[0-9a-f]{64}$", image)


def test_make_up_again_changes_nothing_and_asks_nothing_about_assets(platform: Platform) -> None:
    before = len(requests(platform.clone))
    assert "no changes" in platform.run("make up")
    asked = [each["path"] for each in requests(platform.clone)[before:] if AZURE_ML in each["path"]]
    # The prediction at the end asks for the endpoint's address once, and for its keys.
    others = [path for path in asked if not path.endswith("/listKeys")]
    assert [re.search(r"/onlineEndpoints/[^/]+$", path) is not None for path in others] == [True]


def test_refresh_changes_nothing(platform: Platform) -> None:
    printed = platform.local("pulumi refresh --yes --non-interactive -s local")
    assert re.search(r"\d+ unchanged", printed)
    assert not re.search(r"\d+ (updated|deleted|created)", printed)
    assert "No changes." in platform.run("make preview")


def test_preview_names_the_changed_file_and_who_follows(platform: Platform) -> None:
    deployed = outputs(platform)["assets"]["component"]
    with edited(platform.clone, "ml/prep/src/prep.py", lambda text: text + "\n# a change\n"):
        changes = json.loads(platform.local("release preview -s local --output json"))["changes"]
    by_name = {change["name"]: change for change in changes}
    assert set(by_name) == {"component-prep", "schedule-flight-delay-daily", "schedule-flight-delay-monitoring"}
    prep = by_name["component-prep"]
    assert (prep["operation"], prep["old"]) == ("update", deployed["prep"])
    assert prep["new"] != prep["old"]
    assert prep["files"] == {"added": [], "changed": ["ml/prep/src/prep.py"], "removed": []}


def test_a_preview_says_first_what_other_names_would_replace(platform: Platform) -> None:
    """The program reads the outputs of the last update from the engine."""
    with edited(platform.clone, "Pulumi.local.yaml", lambda text: text.replace('postfix: "001"', 'postfix: "002"')):
        # The new workspace would not have the promoted model.
        printed = platform.local("release preview -s local", expect=1)
    lines = printed.partition(RENAMES)[2].splitlines()
    assert re.fullmatch(r"  workspace \S+-001 → \S+-002, with 1 model and \d+ jobs?", lines[2])
    assert "  pulumi config set --path 'azureml-platform:naming.postfix' 001 -s local" in lines
    assert "  pulumi config rm --path 'azureml-platform:models.flight-delay' -s local" in lines


def test_eight_broken_files_are_reported_at_once_and_change_nothing(platform: Platform) -> None:
    clone = platform.clone
    before = len(requests(clone))
    broken = [
        ("ml/prep/component.yml", lambda text: text.replace("inputs:", "inputs: [", 1)),
        ("ml/register/component.yml", lambda text: text.replace("code: ./src", "code: ./source")),
        ("ml/evaluate/component.yml", lambda text: text.replace("azureml:training@latest", "azureml:trainin@latest")),
        ("ml/train/component.yml", lambda text: text.replace("display_name:", "dispaly_name:")),
        ("ml/gate/gate.yml", lambda text: text.replace("minimum:", "minimun:", 1)),
        (
            "pipelines/training.yml",
            lambda text: text.replace("azureml:cpu-cluster", "azureml:cpu-clutser").replace(
                "      train_data: ${{parent.jobs.prep.outputs.train}}\n", ""
            ),
        ),
        ("pipelines/schedules/daily.yml", lambda text: text.replace("0 5 * * *", "0 25 * * *")),
        ("ml/deploy/blue-deployment.yml", lambda text: text.replace("azureml:serving@latest", "azureml:servign")),
    ]
    with ExitStack() as edits:
        for path, change in broken:
            edits.enter_context(edited(clone, path, change))
        printed = platform.local("release preview -s local", expect=1)
        platform.local("pulumi up --yes --non-interactive -s local", expect=1)
    for path, _ in broken:
        assert re.search(rf"{re.escape(path)}:\d+", printed), f"{path} is not reported:\n{printed}"
    assert "'train_data'" in printed  # the input without a value
    assert "did you mean" in printed.lower()
    assert "Traceback" not in printed
    written = [each for each in requests(clone)[before:] if each["method"] in ("PUT", "PATCH", "DELETE")]
    assert written == []


def test_a_wrong_configuration_key_stops_at_preview_with_its_name_and_the_fix(platform: Platform) -> None:
    platform.local("pulumi config set azureml-platform:protekt true -s local")
    try:
        printed = platform.local("release preview -s local", expect=1)
    finally:
        platform.local("pulumi config rm azureml-platform:protekt -s local")
    assert "azureml-platform:protekt" in printed
    assert "did you mean" in printed
    assert "protect?" in printed
    assert "Traceback" not in printed


def test_a_refused_model_is_not_registered_and_the_endpoint_keeps_its_own(platform: Platform) -> None:
    known = {key: outputs(platform)[key] for key in ("subscription_id", "resource_group", "workspace")}
    before = (script(platform, MODELS.format(**known)), live(platform))
    printed = platform.local("release train -s local --input gate_overrides=roc_auc.minimum=0.99")
    assert "The gate refused the model" in printed
    assert "0.99" in printed
    (job,) = re.findall(r"^  job (\S+)$", printed, re.MULTILINE)
    decided = platform.local(f"release gate {job} -s local --report .amlite/report", expect=1)
    assert re.search(r"refused +roc_auc +all +0\.\d+ +0\.9900", decided)
    assert "data:image/png;base64," in (platform.clone.root / ".amlite/report/report.html").read_text("utf-8")
    assert (script(platform, MODELS.format(**known)), live(platform)) == before


def test_the_job_that_trained_the_model_can_be_inspected(platform: Platform) -> None:
    listed = json.loads(platform.local("release jobs -s local --pipeline training --status Completed --output json"))
    job = listed[-1]["job"]
    shown = json.loads(platform.local(f"release show {job} -s local --output json"))
    steps = [step["step"] for step in shown["steps"]]
    assert (steps[0], steps[-1]) == ("prep", "register")
    assert all(step["component"].startswith(f"{step['step']}:") for step in shown["steps"])
    assert shown["lineage"]["model"].startswith("azureml:flight-delay:")
    found = json.loads(platform.local(f"release metrics {job} -s local --output json"))["metrics"]
    assert found["evaluate.roc_auc"] > 0.6
    assert "==> train (Completed)" in platform.local(f"release logs {job} -s local --step train")


def test_a_training_script_that_raises_fails_the_release_with_its_log(platform: Platform) -> None:
    def raising(text: str) -> str:
        return text.replace('if __name__ == "__main__":', 'if __name__ == "__main__":\n    raise SystemExit("no luck")')

    serving = live(platform)
    with edited(platform.clone, "ml/prep/src/prep.py", raising):
        platform.local("pulumi up --yes --skip-preview --non-interactive -s local")
        printed = platform.local("release train -s local", expect=1)
    platform.local("pulumi up --yes --skip-preview --non-interactive -s local")
    assert "step 'prep' failed" in printed
    assert "no luck" in printed
    assert live(platform) == serving


def test_an_undeployed_tree_is_not_trained(platform: Platform) -> None:
    with edited(platform.clone, "ml/prep/src/prep.py", lambda text: text + "\n# a change\n"):
        printed = platform.local("release train -s local", expect=1)
    assert "component prep" in printed
    assert "pulumi up" in printed


def test_shifted_requests_are_collected_and_the_drift_job_finds_them(platform: Platform) -> None:
    """How-to-collect-production-data: the collected data has the inputs, the outputs and the deployment."""
    sample = json.loads((platform.clone.root / "ml/deploy/sample-request.json").read_text("utf-8"))["flights"][0]
    shifted = [{**sample, "temperature_f": 110.0 + number % 10} for number in range(150)]
    request = platform.clone.root / ".amlite" / "shifted.json"
    request.write_text(json.dumps({"flights": shifted}), "utf-8")
    platform.local(f"release score flight-delay --stack local --request {request}")
    deployment, folder = live(platform), platform.clone.root / ".amlite" / "report"
    known = {key: outputs(platform)[key] for key in ("subscription_id", "resource_group", "workspace")}
    versions = json.dumps(outputs(platform)["assets"]["component"])
    printed = script(platform, MONITORING.format(**known), str(folder), versions)
    status, tags = json.loads(printed.partition("result:")[2])
    assert (status, tags["drift_detected"], tags["monitoring_status"]) == ("Completed", "true", "compared")
    (file,) = folder.rglob("report.json")
    report = json.loads(file.read_text("utf-8"))
    (source,) = [each for each in report["sources"] if each["deployment"] == deployment]
    assert source["rows"] >= 150
    assert [model.partition(":")[0] for model in source["models"]] == ["flight-delay"]
    found = {(each["signal"], each["feature"], each["metric"]): each["exceeded"] for each in report["findings"]}
    assert found["data_drift", "temperature_f", "normalized_wasserstein_distance"]
    assert found["data_quality", "temperature_f", "out_of_bounds_rate"]
    assert not found["data_quality", "carrier", "out_of_bounds_rate"]


def test_scoring_refuses_what_azure_refuses(platform: Platform) -> None:
    uri = outputs(platform)["endpoints"]["flight-delay"]["scoring_uri"]
    key = platform.local("release key flight-delay -s local").strip()
    sample = (platform.clone.root / "ml/deploy/sample-request.json").read_text("utf-8")
    assert script(platform, STATUS, uri, key, sample).startswith("200")
    assert script(platform, STATUS, uri, "wrong", sample).startswith("401")
    malformed = script(platform, STATUS, uri, key, "{bad")
    assert malformed.startswith("400")
    assert "JSON" in malformed
    assert script(platform, STATUS, uri, key, sample, "missing").startswith("404")


def test_a_stack_of_another_subscription_fails_at_once(platform: Platform) -> None:
    clone = platform.clone
    real = re.sub(
        r"0{8}-0{4}-0{4}-0{4}-0{12}",
        OTHER,
        (clone.root / "Pulumi.dev.yaml").read_text("utf-8"),
    )
    (clone.root / "Pulumi.other.yaml").write_text(real, "utf-8")
    before = len(requests(clone))
    try:
        platform.local("pulumi stack init other")
        printed = platform.local("pulumi up --yes --non-interactive -s other", expect=1)
        # The provider takes the subscription from the file, so only Azure can tell that it is another one.
        file = clone.root / "Pulumi.other.yaml"
        file.write_text(file.read_text("utf-8").replace(f"tenantId: {OTHER}", f"tenantId: {TENANT_ID}"), "utf-8")
        hidden = platform.local("pulumi preview --non-interactive -s other", expect=1)
    finally:
        platform.local("pulumi stack rm --yes other")
        (clone.root / "Pulumi.other.yaml").unlink(missing_ok=True)
    assert f"fix: az login --tenant {OTHER}" in printed
    assert f"azure-native:subscriptionId is {OTHER}, which Azure does not show to you" in hidden
    assert [each for each in requests(clone)[before:] if each["method"] in ("PUT", "PATCH", "DELETE")] == []


def test_killed_amlite_leaves_nothing_and_make_up_converges(platform: Platform) -> None:
    runtime = json.loads((platform.clone.state / "runtime.json").read_text("utf-8"))
    os.kill(runtime["pid"], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(runtime["pid"])] if psutil.pid_exists(runtime["pid"]) else [], timeout=10)
    printed = platform.run("make up")
    assert "no changes" in printed
    assert '"delay_probability"' in printed


def test_two_make_up_at_once_both_succeed(platform: Platform) -> None:
    with ThreadPoolExecutor(2) as pool:
        printed = list(pool.map(platform.run, ["make up", "make up"]))
    assert all('"delay_probability"' in each for each in printed)


def test_interrupted_update_converges(platform: Platform) -> None:
    clone = platform.clone
    with edited(clone, "ml/environments/training/Dockerfile", lambda text: text + "\nENV INTERRUPTED=1\n"):
        before = len(requests(clone))
        update = "pulumi up --yes --skip-preview --non-interactive -s local"
        process = subprocess.Popen(
            [".venv/bin/amlite", "run", "--", *update.split()],
            cwd=clone.root, env=clone.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            # The first write of the update is under way: that is the moment to interrupt it, twice.
            wait_for(
                lambda: any(each["method"] == "PUT" for each in requests(clone)[before:]) or process.poll() is not None
            )
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)
        finally:
            process.kill()
        platform.local("pulumi cancel --yes -s local || true")
        platform.local("release up -s local")
        assert "No changes." in platform.run("make preview")
    platform.local("release up -s local")
    assert "No changes." in platform.run("make preview")


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def test_nothing_secret_is_printed_or_kept(platform: Platform) -> None:
    runtime = json.loads((platform.clone.state / "runtime.json").read_text("utf-8"))
    key = platform.local("release key flight-delay -s local").strip()
    secrets = [key, runtime["environment"]["AZURE_CLIENT_SECRET"]]
    places: list[Path] = [
        *(platform.clone.state / "pulumi").rglob("*.json"),
        *(platform.clone.state / "logs").glob("*"),
        platform.clone.root / "Pulumi.local.yaml",
    ]
    texts = [path.read_text("utf-8", "replace") for path in places if path.is_file()]
    texts.append(platform.printed)
    texts.append(platform.local("pulumi stack output --json -s local"))
    assert not any(secret in text for secret in secrets for text in texts)
