"""Deployment templates: `ml/shared/**/deployment-template.yml`. What a registry's model is deployed with."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import ClassVar

from pulumi_azureml.planning.deployments import check_size
from pulumi_azureml.planning.drafts import Draft, Drafts, check_in_registry, use
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings

# Source: "CLI (v2) deployment template YAML schema". azure-ai-ml's schema requires the name alone.
_REQUIRED = (
    *("deployment_template_type", "environment", "instance_count", "default_instance_type"),
    *("scoring_path", "scoring_port"),
)
_MOST_PORT = 65_535


class DeploymentTemplateKind(Kind):
    """The environment, the routes and the sizes with which models of a registry are deployed."""

    name = "deployment_template"
    loader = "load_deployment_template"
    schemas: ClassVar = {"": "_deployment.template.deployment_template:DeploymentTemplateSchema"}
    versioned = True
    only_shared = True
    # Source: "What are deployment templates?", Mutability.
    metadata = frozenset({"description", "tags"})

    def claims(self, path: str) -> bool:
        """Claim files anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "deployment-template.yml"

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Collect the environment. Report what is missing, and values that Azure refuses."""
        data = draft.definition
        for key in _REQUIRED:
            if data.get(key) in (None, ""):
                draft.problem((key,), f"'{key}' is missing or empty", f"add `{key}:`, which Azure requires")
        use(draft, ("environment",), "environment", data.get("environment"))
        type_ = data.get("deployment_template_type")
        if isinstance(type_, str) and type_ and type_.lower() != "managed":
            message = f"'deployment_template_type' cannot be '{type_}'"
            draft.problem(("deployment_template_type",), message, "write `Managed`, the only type that Azure has")
        check_size(draft, ("default_instance_type",), data.get("default_instance_type"))
        allowed = data.get("allowed_instance_types")
        for index, each in enumerate(allowed if isinstance(allowed, list) else ()):
            check_size(draft, ("allowed_instance_types", index), each)
        for key, most in (("instance_count", None), ("scoring_port", _MOST_PORT)):
            number = data.get(key)
            if isinstance(number, int) and (number < 1 or (most is not None and number > most)):
                draft.problem((key,), f"{key} is {number}", f"use 1 to {most}" if most else "use 1 or more")
        requests = data.get("request_settings")
        timeout = requests.get("request_timeout_ms") if isinstance(requests, dict) else None
        if isinstance(timeout, int) and timeout % 1000:
            # It would write the template back with other content, which Azure refuses, to archive it.
            message = f"'request_settings.request_timeout_ms' is {timeout}, and azure-ai-ml reads whole seconds back"
            draft.problem(("request_settings", "request_timeout_ms"), message, "use a multiple of 1000")

    def check(self, draft: Draft, _drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check that the environment is a version in a registry."""
        yield from check_in_registry(draft, "environment")


KIND = DeploymentTemplateKind()
