"""The extensions of a cluster, for the services that need one."""

from __future__ import annotations

from dataclasses import dataclass

from amlite.core.platform import Platform
from amlite.core.wire import Json

EXTENSION_TYPE = "Microsoft.KubernetesConfiguration/extensions"
MACHINE_LEARNING = "microsoft.azureml.kubernetes"


@dataclass(frozen=True)
class MachineLearning:
    """The extension of Azure Machine Learning: its id, and the workloads that it lets a cluster run."""

    id: str
    training: bool
    inference: bool


def machine_learning(platform: Platform, cluster: str) -> MachineLearning | None:
    """Return the extension of Azure Machine Learning in a cluster (its ARM id), or None."""
    for document in platform.store.below(cluster, EXTENSION_TYPE):
        properties = document.body["properties"]
        if properties["extensionType"].lower() == MACHINE_LEARNING and properties["provisioningState"] == "Succeeded":
            settings = properties["configurationSettings"]
            return MachineLearning(
                document.id, is_true(settings.get("enableTraining")), is_true(settings.get("enableInference"))
            )
    return None


def is_true(value: object) -> bool:
    """Whether a configuration setting, which is text, is true."""
    return str(value).lower() == "true"


def workloads(platform: Platform, compute: Json) -> MachineLearning | None:
    """Return the extension of an attached managed cluster (the body of a compute). None for other computes."""
    target = str(compute["properties"].get("resourceId") or "")
    return machine_learning(platform, target) if target and platform.store.get(target) is not None else None
