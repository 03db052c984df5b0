"""The findings of `release doctor` about VM sizes and vCPUs: how bad they are, and their fixes."""

from __future__ import annotations

from pathlib import Path

import pytest

from release.doctor.checks import quota
from release.doctor.findings import Level
from tests.unit.release.examined import FakeSubject, levels, only, size, usage


@pytest.fixture
def subject(tmp_path: Path) -> FakeSubject:
    return FakeSubject(tmp_path)


DEDICATED = "Standard DSv2 Family Cluster Dedicated vCPUs"


def test_a_size_that_the_region_does_not_have(subject: FakeSubject) -> None:
    subject.arm.answers["vmSizes"] = {"value": [size("Standard_E4s_v3", 4, "standardESv3Family")]}
    cluster, deployment = quota.check(subject)
    assert "cluster cpu-cluster: westeurope does not have Standard_DS3_v2" in cluster.what
    assert "ml/deploy/blue-deployment.yml" in deployment.what
    assert levels([cluster, deployment]) == {Level.PROBLEM}


@pytest.mark.parametrize(("used", "level"), [(97, Level.PROBLEM), (94, Level.WARNING)])
def test_a_cluster(used: int, level: Level, subject: FakeSubject) -> None:
    subject.arm.answers["usages"] = {"value": [usage(DEDICATED, used, 100)]}
    found = [each for each in quota.check(subject) if "cluster cpu-cluster" in each.what]
    assert only(found, level).what.endswith(f"vCPUs, and {100 - used} are left")


def test_a_compute_instance(subject: FakeSubject) -> None:
    subject.document["config"]["azureml-platform:compute"][0]["maxNodes"] = 1
    named = [
        {"name": f"ci-{number}", "vmSize": each} for number, each in enumerate(("Standard_DS3_v2", "Standard_Nothing"))
    ]
    subject.document["config"]["azureml-platform:instances"] = named
    subject.arm.answers["usages"] = {"value": [usage(DEDICATED, 97, 100)]}
    few, unknown = [each for each in quota.check(subject) if "compute instance" in each.what]
    assert few.what == "compute instance ci-0: Standard_DS3_v2 takes 4 vCPUs, and 3 are left"
    assert unknown.what.endswith("westeurope does not have Standard_Nothing")
    assert levels([few, unknown]) == {Level.PROBLEM}


def test_a_low_priority_cluster_has_a_quota_of_its_own(subject: FakeSubject) -> None:
    subject.document["config"]["azureml-platform:compute"][0]["priority"] = "LowPriority"
    subject.arm.answers["usages"]["value"][1] = usage("Total Cluster LowPriority Regional vCPUs", 0, 3)
    found = only(quota.check(subject), Level.PROBLEM)
    assert "'Total Cluster LowPriority Regional vCPUs'" in found.why


def test_a_size_without_low_priority(subject: FakeSubject) -> None:
    subject.document["config"]["azureml-platform:compute"][0]["priority"] = "LowPriority"
    subject.arm.answers["vmSizes"]["value"][0]["lowPriorityCapable"] = False
    assert "has no low-priority nodes" in only(quota.check(subject), Level.PROBLEM).what


@pytest.mark.parametrize(
    ("left", "level", "said"), [(7, Level.PROBLEM, "takes 8 vCPUs with"), (15, Level.WARNING, "8 vCPUs twice")]
)
def test_a_deployment(left: int, level: Level, said: str, subject: FakeSubject) -> None:
    subject.document["config"]["azureml-platform:compute"][0]["maxNodes"] = 1
    subject.arm.answers["usages"] = {"value": [usage(DEDICATED, 100 - left, 100)]}
    assert said in only(quota.check(subject), level).what


def test_what_serves_already_is_not_counted_again(subject: FakeSubject) -> None:
    subject.deploy()
    subject.arm.answers["usages"] = {"value": [usage(DEDICATED, 100, 100)]}
    assert levels(quota.check(subject)) == {Level.OK}
