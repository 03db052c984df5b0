"""The previews of the documented example, and its page: run `python -m tests.unit.release.comment_example`."""

from __future__ import annotations

from typing import Any

from release.comment.body import body
from release.cost.document import Cost, CostLine
from release.policy.findings import PolicyFinding
from release.preview.document import (
    Cause,
    Files,
    GateResult,
    Key,
    PlannedChange,
    Preview,
    QuotaNeed,
)
from tests.documentation import ROOT

PAGE = ROOT / "docs" / "examples" / "pull-request-comment.md"
RUN = "https://github.com/octo-org/flights/actions/runs/1581"


def change(operation: Any, name: str, kind: str, **more: Any) -> PlannedChange:
    return PlannedChange(operation=operation, name=name, kind=kind, **more)


def dev() -> Preview:
    """Return a preview with everything that a preview can have."""
    prep, step = "component-prep", "create_job.jobs.prep.component"
    files = Files(changed=["ml/prep/src/prep.py"], added=["ml/prep/src/holidays.py"])
    command = Key(key="command", old="python prep.py", new="python prep.py --holidays")
    component = Key(key=step, old="azureml:prep:0f1b24a6c2d9", new="azureml:prep:8be0917cb1d2")
    cause = Cause(name=prep, key=step, pipeline="pipelines/training.yml")
    new, old = "8be0917cb1d2", "0f1b24a6c2d9"
    location = Key(key="location", old="westeurope", new="northeurope")
    return Preview(
        stack="dev",
        changes=[
            change("update", prep, "azureml:Component", old=old, new=new, files=files, keys=[command],
                   dependants=["schedule-training"]),
            change("update", "schedule-training", "azureml:Schedule", old="41a6c0e2b7f3", new="c07d55e1a980",
                   keys=[component], because=[cause]),
            change("replace", "monitoring", "insights:Component", keys=[location]),
            change("delete", "data-airports", "azureml:Data", old="5c3e90d4ab17"),
            change("create", "identity-endpoint", "managedidentity:UserAssignedIdentity"),
        ],
        notes=["pipelines/weekly.yml is left out of this stack"],
        gate=[
            GateResult(model="flight-delay:3", deploy_flag=True, reason="ROC AUC 0.7071 beats 0.6997 of version 2",
                       metrics={"roc_auc": 0.7071, "brier": 0.1402}, report="https://ml.azure.com/runs/neat_cassava"),
        ],
        quota=[QuotaNeed(family="standardDSv2Family", location="westeurope", needed=8, free=20)],
        policy=[
            PolicyFinding(rule="AML007", severity="advisory", resource="cpu-cluster", reason="idles for 2 hours",
                          fix="set idleSeconds to 1800 or less"),
        ],
        cost=Cost(currency="USD", before=412.1, after=471.6, difference=59.5,
                  assumptions=["A month has 730 hours.", "Clusters run 40 hours a month at half of their nodes."],
                  lines=[CostLine(resource="endpoint-flight-delay", detail="Standard_DS3_v2, 2 instances",
                                  before=334.34, after=393.84)]),
    )  # fmt: skip


def prod() -> Preview:
    """Return a preview with one harmless change."""
    tags = Key(key="tags.owner", old="flights", new="delays")
    return Preview(stack="prod", changes=[change("update", "workspace", "machinelearning:Workspace", keys=[tags])])


def unchanged(stack: str) -> Preview:
    return Preview(stack=stack, changes=[])


def page() -> str:
    """Return the documented comment."""
    return body([dev(), unchanged("staging"), prod()], RUN, 65_536)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
