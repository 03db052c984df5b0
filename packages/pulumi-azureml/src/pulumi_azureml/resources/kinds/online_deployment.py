"""Online deployments. They do not have a resource of their own: the endpoint owns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pulumi_azureml.resources.kinds.environment import Environment
from pulumi_azureml.resources.kinds.model import Model
from pulumi_azureml.resources.scoring import CodeConfigurationArgs


@dataclass(frozen=True, kw_only=True)
class OnlineDeploymentArgs:
    """The deployment that an endpoint serves: the keys of its CLI v2 YAML.

    Attributes:
        name: the start of the name in Azure. The start of the content's hash follows.
        model: a resource, `azureml:NAME:VERSION`, or a model in a registry.
        environment: a resource or `azureml:NAME:VERSION`. An MLflow model needs none.
        code_configuration: the scoring code. An MLflow model and an image with its own server need none.
        instance_type: a virtual machine size, or on Kubernetes an instance type.
        instance_count: the number of instances.
        environment_variables: the environment variables of the scoring process.
        request_settings: `request_timeout_ms`, `max_concurrent_requests_per_instance`, `max_queue_wait_ms`.
        liveness_probe: `initial_delay`, `period`, `timeout`, `success_threshold`, `failure_threshold`.
        readiness_probe: as `liveness_probe`.
        scale_settings: `{"type": "default"}`, or on Kubernetes `target_utilization`.
        type: `managed` or `kubernetes`.
        extra: keys that are rarely needed (`resources`, `egress_public_network_access`, `data_collector`, …).
    """

    name: str
    model: Model | str | None = None
    environment: Environment | str | None = None
    code_configuration: CodeConfigurationArgs | None = None
    instance_type: str | None = None
    instance_count: int | None = None
    environment_variables: Mapping[str, str] | None = None
    request_settings: Mapping[str, int] | None = None
    liveness_probe: Mapping[str, int] | None = None
    readiness_probe: Mapping[str, int] | None = None
    scale_settings: Mapping[str, Any] | None = None
    type: Literal["managed", "kubernetes"] | None = None
    extra: Mapping[str, Any] | None = None
